"""The loss computed block by block is the plain one, in value and in gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import vmap

from chemnet.models import losses
from chemnet.models.fast import kernel_choice, row_loss

STOICHIOMETRY = torch.ones(7, 2)


def criterion(error: str, **changes: Any) -> losses.ChemistryLoss:
    options = {"power": 20.0, "worst_weight": 2.0, "conservation_weight": 0.0, "scale": 1e-3, **changes}
    return losses.ChemistryLoss(STOICHIOMETRY, 20.0, error=error, **options)


def states(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Predictions beyond the scale on both sides, and targets of which a third are at the floor."""
    generator = torch.Generator().manual_seed(3)
    target = torch.rand(*shape, 7, generator=generator, dtype=torch.float64)
    target = (1.5 * target - 0.5).clamp_min(0.0)
    predicted = target + 0.5 * torch.randn(target.shape, generator=generator, dtype=torch.float64)
    return predicted.to(dtype).requires_grad_(), target.to(dtype)


def value_and_gradients(loss: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return loss.detach(), *torch.autograd.grad(loss, inputs)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    # several blocks, the last one shorter
    monkeypatch.setattr(row_loss, "_BLOCK_VALUES", 7 * 6)


@pytest.mark.parametrize("error", sorted(losses.ERRORS))
@pytest.mark.parametrize("shape", [(20,), (5, 4)])
def test_value_and_gradient_are_those_of_the_plain_form(error: str, shape: tuple[int, ...]) -> None:
    predicted, target = states(*shape)
    one = criterion(error, power=3.0)
    found = value_and_gradients(one(predicted, target)[0], predicted)
    wanted = value_and_gradients(one.plain(predicted, target)[0], predicted)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("error", sorted(losses.ERRORS))
def test_in_single_precision_they_agree_with_double_precision(error: str) -> None:
    predicted, target = states(20, dtype=torch.float32)
    one, exact = criterion(error, power=3.0), predicted.detach().double().requires_grad_()
    found = value_and_gradients(one(predicted, target)[0], predicted)
    wanted = value_and_gradients(one.plain(exact, target.double())[0], exact)
    torch.testing.assert_close(tuple(each.double() for each in found), wanted, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("error", ["absolute", "smooth", "squared"])
@pytest.mark.parametrize("shape", [(20,), (5, 4)])
def test_the_compiled_kernel_agrees_with_plain_operations(
    error: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted, target = states(*shape, dtype=torch.float32)
    one = criterion(error)
    found = value_and_gradients(one(predicted, target)[0], predicted)
    monkeypatch.setenv(kernel_choice.SWITCH, "0")
    wanted = value_and_gradients(one(predicted, target)[0], predicted)
    torch.testing.assert_close(found, wanted, rtol=2e-6, atol=1e-9)


def test_terms_are_those_of_the_plain_form() -> None:
    predicted, target = states(20)
    one = criterion("smooth")
    found, wanted = one(predicted, target)[1], one.plain(predicted, target)[1]
    assert list(found) == list(wanted)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0.0)


def test_a_loss_of_which_a_share_counts_has_that_share_of_the_gradient() -> None:
    predicted, target = states(20)
    one = criterion("smooth")
    (whole,) = torch.autograd.grad(one(predicted, target)[0], predicted)
    (half,) = torch.autograd.grad(0.5 * one(predicted, target)[0], predicted)
    torch.testing.assert_close(half, 0.5 * whole)


def test_one_of_several_equally_wrong_species_counts_as_the_worst() -> None:
    predicted = torch.full((1, 7), 0.5, requires_grad=True)
    loss, _ = criterion("absolute", worst_weight=3.0, scale=1.0)(predicted, torch.zeros(1, 7))
    (gradient,) = torch.autograd.grad(loss, predicted)
    # 20 for each, and 3 times 20 more for one of them
    assert gradient.sum().item() == pytest.approx(7 * 20 + 60)


def test_without_gradients_the_value_is_the_same() -> None:
    predicted, target = states(20)
    one = criterion("smooth")
    with torch.no_grad():
        assert one(predicted, target)[0].item() == pytest.approx(one(predicted, target)[0].item(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("error", sorted(losses.ERRORS))
def test_what_is_not_a_number_makes_the_loss_none(error: str, dtype: torch.dtype) -> None:
    predicted, target = states(20, dtype=dtype)
    broken = predicted.detach().clone()
    # where the truth is at the floor, too
    broken.view(-1)[int(target.argmin())] = torch.nan
    assert criterion(error)(broken, target)[0].isnan()


def test_conservation_adds_to_value_and_gradient() -> None:
    predicted, target = states(20)
    predicted = (0.1 * predicted.detach() + 0.5).requires_grad_()
    one = criterion("smooth", conservation_weight=100.0)
    drift = losses.conservation_error(predicted, target, STOICHIOMETRY, 20.0)
    found = value_and_gradients(one(predicted, target)[0], predicted)
    plain = one.plain(predicted, target)[0] + 1e-3 * 100.0 * drift
    torch.testing.assert_close(found, value_and_gradients(plain, predicted), rtol=1e-6, atol=1e-9)


def test_half_precision_takes_the_plain_form() -> None:
    predicted, target = states(20, dtype=torch.bfloat16)
    one = criterion("smooth")
    assert one(predicted, target)[0].dtype == torch.bfloat16


def test_members_of_an_ensemble_have_their_own_losses_and_gradients() -> None:
    predicted, target = states(3, 20)
    one = criterion("smooth")
    together = vmap(lambda p, t: one(p, t)[0])(predicted, target)
    alone = torch.stack([one(p, t)[0] for p, t in zip(predicted, target, strict=True)])
    found = value_and_gradients(together.sum(), predicted)
    torch.testing.assert_close(found, value_and_gradients(alone.sum(), predicted))


@pytest.mark.parametrize("error", sorted(losses.ERRORS))
def test_of_a_linear_layer_it_needs_no_prediction(error: str) -> None:
    generator = torch.Generator().manual_seed(5)
    shapes = ((20, 4), (4, 7), (7,))
    hidden, transposed, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes
    )
    target, one = states(20)[1], criterion(error, power=1.0)
    inputs = (hidden, transposed, bias)
    fused, terms = one.of_linear(hidden, transposed.T, bias, target)
    plain, plain_terms = one.plain(hidden @ transposed + bias, target)
    torch.testing.assert_close(
        value_and_gradients(fused, *inputs), value_and_gradients(plain, *inputs), rtol=1e-10, atol=1e-13
    )
    torch.testing.assert_close(terms, plain_terms, rtol=1e-12, atol=0.0)


def test_a_criterion_of_torch_is_given_the_prediction() -> None:
    hidden, weight, bias = torch.rand(5, 3), torch.rand(7, 3), torch.rand(7)
    target = torch.rand(5, 7)
    loss, _ = losses.apply_to_linear(torch.nn.MSELoss(), hidden, weight, bias, target)
    torch.testing.assert_close(loss, torch.nn.functional.mse_loss(hidden @ weight.T + bias, target))
