"""Compiled rollouts are the repeated steps, gradient included, for any widths, cells, steps and threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.testing import assert_close

from chemnet.models.fast.compiled_rollout import RolloutForm, can_compile, compiled_rollout
from chemnet.models.layers import ACTIVATIONS

N_FORCING, N_LATENTS = 2, 3
Layers = list[tuple[Tensor, Tensor]]


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def made_layers(hidden: tuple[int, ...], relaxes: bool) -> Layers:
    widths = (N_FORCING + N_LATENTS, *hidden, (1 + relaxes) * N_LATENTS)
    linear = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(widths)]
    return [(layer.weight, layer.bias) for layer in linear]


def repeated(form: RolloutForm, start: Tensor, forcing: Tensor, steps: Tensor, layers: Layers) -> Tensor:
    """The same by PyTorch's operations, step by step."""
    latent, latents, activate = start, [], ACTIVATIONS[form.activation]()
    for i in range(forcing.shape[1]):
        values = torch.cat([forcing[:, i], latent], dim=1)
        for weight, bias in layers[:-1]:
            values = activate(functional.linear(values, weight, bias))
        answer, step = functional.linear(values, *layers[-1]), steps[:, i, None]
        if form.relaxes:
            target, rate = answer.chunk(2, dim=1)
            latent = target + (latent - target) * torch.exp(-step * functional.softplus(rate))
        else:
            latent = latent + step * answer
        latents.append(latent)
    return torch.stack(latents, dim=1)


def results(
    rollout: Callable[..., Tensor], form: RolloutForm, given: list[Tensor], layers: Layers, dtype: torch.dtype
) -> list[Tensor]:
    """Latents, and the gradients of start, weights and biases of a weighted sum of them."""
    start, forcing, steps, weights = (each.to(dtype) for each in given)
    start.requires_grad_()
    wanted = [tuple(each.detach().to(dtype).requires_grad_() for each in layer) for layer in layers]
    latents = rollout(form, start, forcing, steps, wanted)
    inputs = [start, *(each for layer in wanted for each in layer)]
    return [latents.detach(), *torch.autograd.grad((latents * weights).sum(), inputs)]


def assert_same(form: RolloutForm, hidden: tuple[int, ...], n_tracers: int, n_steps: int) -> None:
    torch.manual_seed(n_tracers)
    layers = made_layers(hidden, form.relaxes)
    given = [
        torch.randn(n_tracers, N_LATENTS),
        torch.randn(n_tracers, n_steps, N_FORCING),
        # short steps, so that a residual network does not run away
        torch.rand(n_tracers, n_steps) * 0.2,
        torch.randn(n_tracers, n_steps, N_LATENTS),
    ]
    found = results(compiled_rollout, form, given, layers, torch.float32)
    wanted = results(repeated, form, given, layers, torch.float64)
    for one, other in zip(found, wanted, strict=True):
        assert_close(one.double(), other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))


@pytest.mark.parametrize("hidden", [(7,), (9, 8, 5)], ids=str)
@pytest.mark.parametrize("activation", ["gelu", "silu", "relu", "tanh"])
@pytest.mark.parametrize("relaxes", [False, True], ids=["residual", "relaxing"])
def test_a_rollout_and_its_gradient_are_those_of_repeated_steps_in_double_precision(
    relaxes: bool, activation: str, hidden: tuple[int, ...]
) -> None:
    assert_same(RolloutForm(relaxes, activation), hidden, n_tracers=5, n_steps=6)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("n_tracers", "n_steps"), [(1, 1), (40, 70), (64, 16), (33, 33)])
@pytest.mark.parametrize("relaxes", [False, True], ids=["residual", "relaxing"])
def test_any_number_of_tracers_and_steps_is_rolled_out(relaxes: bool, n_tracers: int, n_steps: int) -> None:
    assert_same(RolloutForm(relaxes, "silu"), (8,), n_tracers, n_steps)


@pytest.mark.parametrize("relaxes", [False, True], ids=["residual", "relaxing"])
def test_clamped_latents_stay_in_their_range_and_pass_the_gradient_of_free_ones(relaxes: bool) -> None:
    torch.manual_seed(0)
    form, layers = RolloutForm(relaxes, "silu"), made_layers((8,), relaxes)
    start, forcing, steps = torch.randn(5, N_LATENTS), torch.randn(5, 1, N_FORCING), torch.ones(5, 1)
    limits = torch.tensor([[-0.2, -torch.inf, 0.1], [0.3, torch.inf, 0.2]])
    free, inside = (
        compiled_rollout(form, start, forcing, steps, layers, range_) for range_ in (None, limits)
    )
    assert not torch.equal(free, inside)
    assert_close(inside, free.clamp(*limits))
    gradients = [torch.autograd.grad(latents.sum(), layers[0]) for latents in (free, inside)]
    assert_close(gradients[0], gradients[1])


def test_without_a_gradient_many_tracers_are_rolled_out_in_parts() -> None:
    layers = made_layers((8,), relaxes=True)
    start, forcing, steps = torch.randn(600, N_LATENTS), torch.randn(600, 3, N_FORCING), torch.rand(600, 3)
    given = (RolloutForm(True, "silu"), start, forcing, steps, layers)
    whole = compiled_rollout(*given)
    with torch.no_grad():
        assert_close(compiled_rollout(*given), whole)


def test_what_is_not_a_number_reaches_loss_and_gradient() -> None:
    layers = made_layers((8,), relaxes=False)
    start, forcing = torch.zeros(4, N_LATENTS), torch.zeros(4, 5, N_FORCING)
    start[2, 1] = torch.nan
    latents = compiled_rollout(RolloutForm(False, "gelu"), start, forcing, torch.ones(4, 5), layers)
    assert latents[2].isnan().all()
    assert latents[[0, 1, 3]].isfinite().all()
    latents.sum().backward()
    assert layers[0][0].grad is not None
    assert layers[0][0].grad.isnan().any()


def test_only_float32_on_a_cpu_with_a_given_forcing_is_compiled() -> None:
    forcing, steps, start = torch.zeros(2, 3, 4), torch.ones(2, 3), torch.zeros(2, 5)
    assert can_compile(forcing, steps, start)
    assert not can_compile(forcing.double(), steps, start)
    assert not can_compile(forcing.to("meta"), steps, start)
    assert not can_compile(forcing.clone().requires_grad_(), steps, start)
    assert not can_compile(forcing[:, :0], steps[:, :0], start)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not can_compile(forcing, steps, start)


def test_many_threads_take_compiled_loops_only_where_each_has_tracers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 32)
    for n_tracers, fits in ((20, False), (256, True)):
        assert can_compile(torch.zeros(n_tracers, 3, 4), torch.ones(n_tracers, 3)) is fits
