"""Relaxation: its step solves an equation, and the fused rollout is the repeated step, gradient included."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from chemnet.models.emulators.relaxation import Relaxation


@pytest.fixture(params=[(8,), (8, 6)], ids=["one hidden layer", "two hidden layers"])
def relaxation(request: pytest.FixtureRequest) -> Relaxation:
    torch.manual_seed(0)
    return Relaxation(latent_dim=3, n_drive=4, hidden=request.param).double()


def test_a_step_of_no_time_changes_nothing(relaxation: Relaxation) -> None:
    latent, drive = torch.randn(5, 3).double(), torch.randn(5, 4).double()
    assert_close(relaxation.step(latent, drive, torch.zeros(5).double()), latent)


def test_a_long_step_ends_between_the_state_and_a_target_that_it_does_not_pass(
    relaxation: Relaxation,
) -> None:
    latent, drive = torch.randn(5, 3).double(), torch.randn(5, 4).double()
    target = relaxation.step(latent, drive, torch.full((5,), 1e6).double())
    part = (relaxation.step(latent, drive, torch.ones(5).double()) - latent) / (target - latent)
    assert ((part > 0) & (part < 1)).all()


def test_the_step_solves_its_differential_equation(relaxation: Relaxation) -> None:
    latent, drive = torch.randn(1, 3).double(), torch.randn(1, 4).double()
    hidden = relaxation.from_drive(drive) + relaxation.from_latent(latent)
    for layer in relaxation.layers:
        hidden = layer(functional.silu(hidden))
    target, rate = hidden.chunk(2, dim=-1)
    n = 20_000
    slow = latent
    for _ in range(n):
        slow = slow - (slow - target) * functional.softplus(rate) / n
    assert_close(relaxation.step(latent, drive, torch.ones(1).double()), slow, rtol=1e-4, atol=1e-5)


def repeated_steps(relaxation: Relaxation, start: Tensor, drive: Tensor, dt: Tensor) -> Tensor:
    latents = [start]
    for i in range(drive.shape[1]):
        latents.append(relaxation.step(latents[-1], drive[:, i], dt[:, i]))
    return torch.stack(latents[1:], dim=1)


def test_the_fused_rollout_and_its_gradient_are_those_of_repeated_steps(relaxation: Relaxation) -> None:
    start = torch.randn(5, 3).double().requires_grad_()
    drive = torch.randn(5, 6, 4).double().requires_grad_()
    dt, weights = torch.rand(5, 6).double() * 3.0, torch.randn(5, 6, 3).double()
    inputs = [start, drive, *relaxation.parameters()]
    rolled = relaxation.rollout(start, drive, dt)
    assert rolled is not None
    results = [rolled, repeated_steps(relaxation, start, drive, dt)]
    assert_close(results[0], results[1])
    fused, plain = (torch.autograd.grad((result * weights).sum(), inputs) for result in results)
    for one, other in zip(fused, plain, strict=True):
        assert_close(one, other)


def test_the_fused_rollout_takes_float32_without_widening_it() -> None:
    relaxation = Relaxation(3, 4, (8,))
    latents = relaxation.rollout(torch.zeros(2, 3), torch.zeros(2, 5, 4), torch.ones(2, 5))
    assert latents is not None
    assert latents.dtype == torch.float32


def test_under_autocast_a_step_and_a_rollout_keep_states_in_float32() -> None:
    torch.manual_seed(0)
    relaxation = Relaxation(3, 4, (8,))
    start, drive, dt = torch.randn(2, 3), torch.randn(2, 5, 4), torch.ones(2, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rolled, repeated = relaxation.rollout(start, drive, dt), repeated_steps(relaxation, start, drive, dt)
    assert rolled is not None
    assert rolled.dtype == repeated.dtype == torch.float32
    exact = repeated_steps(relaxation, start, drive, dt)
    for found in (rolled, repeated):
        assert_close(found, exact, rtol=0.0, atol=0.03)
