"""What holds for every emulator that chemnet brings: shapes, gradients, persistence, time, sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from chemnet.config import load_config
from chemnet.models.contract import build_model
from chemnet.models.emulators.emulator import Emulator
from chemnet.models.emulators.steps.relaxation import RelaxationStep
from chemnet.registry import MODELS

Make = Callable[..., Any]

EMULATORS = [name for name in MODELS.names() if issubclass(MODELS.get(name), Emulator)]
LATENT = [name for name in EMULATORS if MODELS.get(name).role == "emulator"]
# of the published networks of AstroChemNet: 333 species, 4 parameters, 14 latents, no time step
PUBLISHED_SIZES = {
    "LatentEmulator": 38_534,
    "DirectEmulator": 60_493,
    "LatentRNN": 50_334,
    "LatentNeuralOperator": 58_671,
    "LatentODE": 9_134,
}


@pytest.fixture
def batch(window_description: Any) -> Any:
    return window_description.sample


@pytest.mark.parametrize("name", EMULATORS)
def test_shapes_and_gradients(make_emulator: Make, batch: Any, name: str) -> None:
    model = make_emulator(name, use_dt=True)
    width = 12 if model.role == "direct_emulator" else 3
    assert model(batch).shape == (5, 7, width)
    loss, terms = model.train_batch(batch)
    loss.backward()
    assert loss.isfinite()
    assert terms
    assert all(p.grad is not None and p.grad.abs().sum() > 0.0 for p in model.parameters() if p.requires_grad)
    assert {"mlae", "dex_histogram"} <= set(model.eval().validate_batch(batch)[1])
    first_row = {**batch, "abundance": batch["abundance"][:, :1]}
    assert model.infer_batch(first_row)["latent"].shape == (5, 8, width)


@pytest.mark.parametrize(
    "name", [name for name in EMULATORS if MODELS.get(name).step_class is not RelaxationStep]
)
def test_one_that_was_never_trained_says_that_nothing_changes(
    tiny: Any, window_description: Any, autoencoder: Any, batch: Any, name: str
) -> None:
    model = build_model(tiny({"model.name": name}), window_description, autoencoder).eval()
    latents = model.infer_batch(batch)["latent"]
    assert_close(latents, latents[:, :1].expand_as(latents), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", EMULATORS)
def test_its_table_holds_the_keys_that_its_parts_read(name: str) -> None:
    assert set(load_config()["model"][name]) == MODELS.get(name).table_keys()


@pytest.mark.parametrize("name", EMULATORS)
def test_no_time_changes_nothing_and_little_time_little(make_emulator: Make, batch: Any, name: str) -> None:
    model = make_emulator(name, use_dt=True).eval()
    state = model.begin(model.encode(batch["abundance"][:, 0]))
    usual = torch.full((5,), model.step.time_step.usual.item())
    moved = []
    for share in (0.0, 1e-3, 1.0):
        after = model.advance(state, batch["physical"][:, 0], share * usual)
        assert set(after) == set(state)
        moved.append(max((after[key] - state[key]).abs().max().item() for key in state))
    assert moved[0] == pytest.approx(0.0, abs=1e-5)
    assert 0.0 < moved[1] < 0.05 * moved[2]


@pytest.mark.parametrize("name", EMULATORS)
def test_without_time_steps_their_length_does_not_matter(make_emulator: Make, batch: Any, name: str) -> None:
    model = make_emulator(name, use_dt=False).eval()
    assert_close(model({**batch, "dt": 7.0 * batch["dt"]}), model(batch))


@pytest.mark.parametrize("name", EMULATORS)
def test_cells_do_not_know_of_one_another(make_emulator: Make, batch: Any, name: str) -> None:
    model = make_emulator(name).eval()
    alone = torch.cat([model({key: value[k : k + 1] for key, value in batch.items()}) for k in range(5)])
    # the differential equation is solved to its tolerance
    assert_close(model(batch), alone, rtol=1e-2, atol=2e-3 if name == "LatentODE" else 1e-4)


@pytest.mark.parametrize("name", LATENT)
def test_each_can_train_its_autoencoder_along(make_emulator: Make, batch: Any, name: str) -> None:
    model = make_emulator(name, train_autoencoder=True)
    model.train_batch(batch)[0].backward()
    assert model.trained_autoencoder.weights[0].grad.abs().sum() > 0.0


@pytest.mark.parametrize("name", EMULATORS)
def test_training_learns_the_made_tracers(make_emulator: Make, batch: Any, name: str) -> None:
    model = make_emulator(name)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss, _ = model.train_batch(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.96 * losses[0]


@pytest.mark.parametrize("name", PUBLISHED_SIZES)
def test_sizes_are_the_published_ones(window_description: Any, name: str) -> None:
    class Fourteen(nn.Module):
        def encode(self, abundance: torch.Tensor) -> torch.Tensor:
            return abundance[..., :14]

        def for_inference(self) -> nn.Module:
            return self

    species = tuple(f"S{k}" for k in range(333))
    data = replace(window_description, species=species, stoichiometry=np.zeros((333, 0)), elements=())
    config = load_config().replace({"model.name": name})
    model = build_model(config, data, Fourteen())
    assert sum(parameter.numel() for parameter in model.parameters()) == PUBLISHED_SIZES[name]
