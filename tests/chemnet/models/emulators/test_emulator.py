"""What every emulator does, shown on the simplest one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from chemnet.models.losses import apply_criterion

Make = Callable[..., Any]


@pytest.fixture
def batch(window_description: Any) -> Any:
    return window_description.sample


def test_a_rollout_is_repeated_steps(make_emulator: Make, batch: Any) -> None:
    model = make_emulator("LatentEmulator", use_dt=True).eval()
    states = [model.begin(model.encode(batch["abundance"][:, 0]))]
    for i in range(7):
        states.append(model.advance(states[-1], batch["physical"][:, i], batch["dt"][:, i]))
    along = torch.stack([state["latent"] for state in states], dim=1)
    assert_close(model.infer_batch(batch)["latent"], along, rtol=1e-4, atol=1e-5)


def test_the_loss_is_that_of_the_decoded_rollout(make_emulator: Make, batch: Any) -> None:
    model = make_emulator("LatentEmulator", latent_weight=0.0).eval()
    decoded = model.decode(model.infer_batch(batch)["latent"][:, 1:].flatten(0, 1)).unflatten(0, (5, 7))
    wanted, _ = apply_criterion(model.criterion, decoded, batch["abundance"][:, 1:])
    assert_close(model.train_batch(batch)[0], wanted, rtol=1e-4, atol=1e-6)
    assert_close(model.validate_batch(batch)[0], wanted, rtol=1e-4, atol=1e-6)


def test_only_the_rows_of_the_horizon_are_predicted(
    tiny: Any, window_description: Any, autoencoder: Any, batch: Any
) -> None:
    from dataclasses import replace

    from chemnet.models.contract import build_model

    config = tiny({"model.name": "LatentEmulator"})
    model = build_model(config, replace(window_description, horizon=3), autoencoder).eval()
    assert model(batch).shape == (5, 3, 3)
    # an untrained emulator stands still, here at the last row that is given
    last = model.encode(batch["abundance"][:, 4])
    assert_close(model(batch), last[:, None].expand(5, 3, 3))


def test_latents_are_standardised_by_the_training_split(make_emulator: Make, training_rows: Any) -> None:
    model = make_emulator("LatentEmulator").eval()
    standard = model.space.standardise(model.encode(training_rows.batch["abundance"]))
    for quantile, value in ((0.1587, -1.0), (0.8413, 1.0)):
        assert standard.quantile(quantile, dim=0).tolist() == pytest.approx([value] * 3, abs=0.1)
    assert_close(model.space.standardise(model.space.destandardise(standard)), standard)


def test_a_runaway_rollout_is_held_in_inference_and_free_in_training(make_emulator: Make, batch: Any) -> None:
    model = make_emulator("LatentEmulator")
    with torch.no_grad():
        model.step.change[-1].bias.fill_(1e3)
    held = model.eval()(batch)
    assert (held <= model.space.high).all()
    assert (model.train()(batch) > model.space.high).all()


@pytest.mark.parametrize("name", ["LatentEmulator", "LatentRelaxation", "LatentRNN"])
def test_training_rollouts_are_held_in_the_same_range_where_that_is_asked_for(
    make_emulator: Make, batch: Any, name: str
) -> None:
    model = make_emulator(name, hold_training_rollouts=True, range_margin=0.0).train()
    # next to nothing is allowed
    model.space.low.fill_(-1e-3)
    model.space.high.fill_(1e-3)
    latents = model(batch)
    assert latents.abs().max() <= 1.001e-3
    model.train_batch(batch)[0].backward()
    assert any(
        parameter.grad.abs().sum() > 0 for parameter in model.parameters() if parameter.grad is not None
    )


@pytest.mark.parametrize("name", ["LatentEmulator", "DirectEmulator", "LatentRelaxation", "DirectRelaxation"])
def test_the_fused_rollout_of_validation_is_that_of_repeated_steps(
    make_emulator: Make, batch: Any, name: str
) -> None:
    model = make_emulator(name, use_dt=True).eval()
    start = model.space.standardise(model.encode(batch["abundance"][:, 0]))
    forcing = model.step.forcing(batch["physical"], batch["dt"])
    with torch.no_grad():
        fused = model.rollout(start, batch["physical"], batch["dt"])
        assert_close(fused, model.repeated_steps(start, forcing, batch["dt"]), rtol=1e-4, atol=1e-5)
    assert fused.requires_grad is False
    # whoever differentiates an emulator in use has the gradient of what it does, range included
    held = model.rollout(start.clone().requires_grad_(), batch["physical"], batch["dt"])
    assert held.requires_grad


def test_noise_acts_in_training_only(make_emulator: Make, batch: Any) -> None:
    for option in ("start_noise", "rollout_noise"):
        model = make_emulator("LatentEmulator", **{option: 0.3})
        assert not torch.equal(model(batch), model(batch))
        model.eval()
        assert torch.equal(model(batch), model(batch))


def test_rollout_noise_enters_after_every_step(make_emulator: Make, batch: Any) -> None:
    quiet, noisy = (make_emulator("LatentEmulator", rollout_noise=noise) for noise in (0.0, 0.1))
    distance = (noisy(batch) - quiet(batch)).abs().mean((0, 2))
    assert 0.03 < distance[0] < 0.2
    assert distance[-1] > distance[0]


def test_without_time_a_state_stays(make_emulator: Make, batch: Any) -> None:
    model = make_emulator("LatentEmulator", use_dt=True).eval()
    state = model.begin(model.encode(batch["abundance"][:, 0]))
    after = model.advance(state, batch["physical"][:, 0], torch.zeros(5))
    assert_close(after["latent"], state["latent"])
