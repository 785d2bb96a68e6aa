"""The autoencoder of a latent emulator: frozen, or trained along."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from chemnet.errors import ModelError

Make = Callable[..., Any]


@pytest.fixture
def batch(window_description: Any) -> Any:
    return window_description.sample


def a_few_steps(model: Any, batch: Any) -> None:
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    model.train()
    for _ in range(5):
        optimizer.zero_grad()
        model.train_batch(batch)[0].backward()
        optimizer.step()


def test_a_frozen_autoencoder_is_no_part_of_the_weights(
    make_emulator: Make, batch: Any, autoencoder: Any
) -> None:
    model = make_emulator("LatentEmulator")
    assert not any("autoencoder" in name for name in model.state_dict())
    before = autoencoder.encode(batch["abundance"]).detach()
    a_few_steps(model, batch)
    assert_close(model.encode(batch["abundance"]), before, rtol=1e-4, atol=1e-5)


def test_one_that_is_trained_along_is_a_copy_among_the_weights(
    make_emulator: Make, batch: Any, autoencoder: Any
) -> None:
    original = {name: tensor.clone() for name, tensor in autoencoder.state_dict().items()}
    model = make_emulator("LatentEmulator", train_autoencoder=True)
    latents, states = model.encode(batch["abundance"]).detach(), model.decode(torch.rand(4, 3)).detach()
    a_few_steps(model, batch)
    assert not torch.allclose(model.encode(batch["abundance"]), latents, atol=1e-4)
    assert not torch.allclose(model.decode(torch.rand(4, 3)), states, atol=1e-4)
    assert {f"space.trained_autoencoder.{name}" for name in ("output_bias", "latent_low")} <= set(
        model.state_dict()
    )
    for name, tensor in autoencoder.state_dict().items():
        assert torch.equal(tensor, original[name])


def test_its_statistics_and_dropout_rest_while_it_is_trained(make_emulator: Make, batch: Any) -> None:
    model = make_emulator("LatentEmulator", train_autoencoder=True)
    statistics = model.trained_autoencoder.latent_norm.running_var.clone()
    a_few_steps(model, batch)
    assert model.training
    assert not model.trained_autoencoder.training
    assert torch.equal(model.trained_autoencoder.latent_norm.running_var, statistics)
    assert torch.equal(model(batch), model(batch))
    assert all(layer.p == 0.0 for layer in model.trained_autoencoder.modules() if hasattr(layer, "p"))


def test_the_range_follows_an_encoder_that_was_trained(make_emulator: Make, training_rows: Any) -> None:
    model = make_emulator("LatentEmulator", train_autoencoder=True)
    with torch.no_grad():
        model.trained_autoencoder.latent_high.mul_(0.01)
    model.after_training(training_rows)
    latents = model.space.standardise(model.encode(training_rows.batch["abundance"]))
    assert (latents > model.space.low).all()
    assert (latents < model.space.high).all()


def test_the_reconstruction_is_a_loss_of_its_own(make_emulator: Make, batch: Any) -> None:
    weighted = [
        make_emulator("LatentEmulator", train_autoencoder=True, latent_weight=0.0, reconstruction_weight=w)
        for w in (0.0, 2.0)
    ]
    (plain, _), (whole, terms) = (model.train_batch(batch) for model in weighted)
    assert whole.item() == pytest.approx(plain.item() + terms["reconstruction"].item(), rel=1e-5)
    assert terms["reconstruction"] > 0.0


def test_the_latent_loss_moves_no_encoder(make_emulator: Make, batch: Any) -> None:
    model = make_emulator("LatentEmulator", train_autoencoder=True)
    latents, target = model(batch).detach(), batch["abundance"][:, 1:]
    terms = model.space.further_losses(latents, target, model.criterion)
    assert not terms["latent_error"].requires_grad


def test_it_starts_from_an_emulator_whose_autoencoder_was_frozen(make_emulator: Make, tmp_path: Path) -> None:
    frozen = make_emulator("LatentEmulator")
    with torch.no_grad():
        frozen.step.change[0].weight.fill_(0.25)
    frozen.save(tmp_path / "frozen.safetensors")
    along = make_emulator("LatentEmulator", train_autoencoder=True)
    bias = along.trained_autoencoder.output_bias.clone()
    along.load_weights(tmp_path / "frozen.safetensors")
    assert torch.equal(along.step.change[0].weight, frozen.step.change[0].weight)
    assert torch.equal(along.trained_autoencoder.output_bias, bias)
    along.save(tmp_path / "along.safetensors")
    with pytest.raises(ModelError, match="absent in the model"):
        frozen.load_weights(tmp_path / "along.safetensors")
