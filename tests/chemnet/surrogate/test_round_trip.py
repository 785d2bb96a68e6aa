"""Encoding and decoding undo one another where the networks allow it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from workspace import make_workspace

from chemnet.config import load_config
from chemnet.models.contract import build_model
from chemnet.surrogate.predictor import ComponentPredictor, Parts


@pytest.fixture(scope="module")
def make_predictor(tiny_data, training_rows, tmp_path_factory):
    """Return a function that builds the predictor of an emulator by the name of its model."""
    config_file = make_workspace(tmp_path_factory.mktemp("round_trip")).config

    def make(name, n_latents):
        words = [f'model.name="{name}"', f"model.PCAAutoencoder.latent_dim={n_latents}"]
        config, windows = load_config([config_file], words), tiny_data.describe("windows")
        if name == "DirectEmulator":
            return ComponentPredictor(Parts(build_model(config, windows), None, None, windows))
        autoencoder = build_model(
            config.replace({"model.name": "PCAAutoencoder"}), tiny_data.describe("rows")
        )
        autoencoder.before_training(training_rows)
        autoencoder.after_training(training_rows)
        emulator = build_model(config, windows, autoencoder.eval())
        return ComponentPredictor(Parts(emulator, autoencoder, autoencoder, windows))

    return make


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_a_direct_emulator_keeps_abundances_above_the_floor(make_predictor, seed):
    predictor = make_predictor("DirectEmulator", 3)
    abundance = torch.from_numpy(10.0 ** np.random.default_rng(seed).uniform(-19, 0, (4, 12)))
    again = predictor.decode(predictor.encode(abundance))
    torch.testing.assert_close(again.double(), abundance, rtol=2e-5, atol=0)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_decoded_latents_are_encoded_as_themselves(make_predictor, seed):
    predictor = make_predictor("LatentEmulator", 3)
    # in the middle of the training range, where nothing is clipped at the floor
    latent = torch.from_numpy(np.random.default_rng(seed).uniform(0.45, 0.55, (4, 3))).float()
    decoded = predictor.decode_scaled(latent)
    inside = ((decoded > 0.0) & (decoded < 1.0)).all(dim=1)
    assert inside.any()
    again = predictor.encode(predictor.decode(latent))
    torch.testing.assert_close(again[inside], latent[inside], rtol=0, atol=2e-4)


def test_as_many_components_as_species_lose_nothing(make_predictor, tiny_data):
    predictor = make_predictor("LatentEmulator", 12)
    abundance = torch.from_numpy(tiny_data.split("test").raw_abundance(slice(5, 25)))
    dex = (predictor.decode(predictor.encode(abundance)).log10() - abundance.clamp_min(1e-20).log10()).abs()
    assert dex.max() < 0.02
