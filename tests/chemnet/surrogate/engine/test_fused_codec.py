"""Fused encoders and decoders are the plain ones to the rounding of float32."""

from __future__ import annotations

import pytest
import torch

from chemnet.models.codec import ScaledAbundances
from chemnet.surrogate.engine.fused_codec import fused_decoder, fused_encoder

AUTOENCODERS = [
    ("Autoencoder", {}),
    ("Autoencoder", {"norm": "none", "latent_activation": "tanh", "activation": "silu"}),
    ("ResidualAutoencoder", {"hidden": [9, 8], "latent_dim": 3}),
    ("PCAAutoencoder", {"latent_dim": 3}),
]


@pytest.fixture(params=AUTOENCODERS, ids=lambda chosen: f"{chosen[0]}-{len(chosen[1])}")
def autoencoder(request, make_autoencoder):
    """An autoencoder in its inference form."""
    name, options = request.param
    return make_autoencoder(name, **options).for_inference().requires_grad_(False)


def test_a_fused_encoder_gives_the_latents_of_the_plain_one(autoencoder, tiny_data, cells):
    scaling = tiny_data.abundance_scaling
    abundance = cells(21)[0]
    abundance[0, 0] = 0.0
    fused = fused_encoder(autoencoder, scaling)
    assert fused is not None
    expected = autoencoder.encode(scaling.scale(abundance).float())
    torch.testing.assert_close(fused(abundance), expected, rtol=1e-5, atol=1e-5)


def test_a_fused_decoder_gives_the_abundances_of_the_plain_one(autoencoder, tiny_data, cells):
    scaling = tiny_data.abundance_scaling
    latent = autoencoder.encode(scaling.scale(cells(21)[0]).float())
    latent = torch.cat([latent, torch.rand_like(latent)]).reshape(6, 7, -1)
    expected = scaling.unscale(autoencoder.decode(latent).clamp(0.0, 1.0))
    found = fused_decoder(autoencoder, scaling)(latent)
    assert found.shape == expected.shape
    assert (found.log10() - expected.log10()).abs().max() < 2e-5
    some = fused_decoder(autoencoder, scaling, [5, 2])(latent)
    torch.testing.assert_close(some, found[..., [5, 2]], rtol=1e-5, atol=0.0)


def test_scaled_abundances_are_unscaled_and_held_in_their_range(tiny_data):
    scaling = tiny_data.abundance_scaling
    scaled = torch.tensor([[-0.5, 0.0, 0.25], [0.7, 1.0, 1.5]])
    found = fused_decoder(ScaledAbundances(), scaling)(scaled)
    expected = scaling.unscale(scaled.double().clamp(0.0, 1.0))
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=0.0)
    chosen = fused_decoder(ScaledAbundances(), scaling, [2])(scaled)
    assert torch.equal(chosen, found[:, [2]])


def test_what_is_no_plain_perceptron_has_no_fused_form(make_autoencoder, tiny_data):
    for options in ({"norm": "layer"}, {"output": "sigmoid"}):
        folded = make_autoencoder(**options).for_inference()
        assert fused_decoder(folded, tiny_data.abundance_scaling) is None
