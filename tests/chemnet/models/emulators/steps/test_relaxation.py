"""Relaxation: its step solves an equation, and keeps a state in its own precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from chemnet.models.emulators.steps.relaxation import RelaxationStep


@pytest.fixture(params=[[8], [8, 6]], ids=["one hidden layer", "two hidden layers"])
def step(request: pytest.FixtureRequest, window_description: Any) -> RelaxationStep:
    torch.manual_seed(0)
    return RelaxationStep({"hidden": request.param, "use_dt": True}, window_description, 3).double()


def advance(step: RelaxationStep, latent: torch.Tensor, forcing: torch.Tensor, dt: float) -> torch.Tensor:
    return step({"latent": latent}, forcing, torch.full_like(latent[:, 0], dt))["latent"]


def made(step: RelaxationStep, n_cells: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n_cells, 3).double(), torch.randn(n_cells, step.n_forcing).double()


def test_a_step_of_no_time_changes_nothing(step: RelaxationStep) -> None:
    latent, forcing = made(step, 5)
    assert_close(advance(step, latent, forcing, 0.0), latent)


def test_a_long_step_ends_between_the_state_and_a_target_that_it_does_not_pass(step: RelaxationStep) -> None:
    latent, forcing = made(step, 5)
    target = advance(step, latent, forcing, 1e6)
    part = (advance(step, latent, forcing, 1.0) - latent) / (target - latent)
    assert ((part > 0) & (part < 1)).all()


def test_the_step_solves_its_differential_equation(step: RelaxationStep) -> None:
    latent, forcing = made(step, 1)
    hidden = step.from_forcing(forcing) + step.from_latent(latent)
    for layer in step.layers:
        hidden = layer(functional.silu(hidden))
    target, rate = hidden.chunk(2, dim=-1)
    n = 20_000
    slow = latent
    for _ in range(n):
        slow = slow - (slow - target) * functional.softplus(rate) / n
    assert_close(advance(step, latent, forcing, 1.0), slow, rtol=1e-4, atol=1e-5)


def test_under_autocast_a_step_keeps_states_in_float32(step: RelaxationStep) -> None:
    single = step.float()
    latent, forcing = (each.float() for each in made(single, 2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = advance(single, latent, forcing, 1.0)
    assert found.dtype == torch.float32
    assert_close(found, advance(single, latent, forcing, 1.0), rtol=0.0, atol=0.03)
