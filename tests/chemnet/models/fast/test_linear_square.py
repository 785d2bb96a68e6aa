from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from chemnet.models import losses
from chemnet.models.fast import linear_square
from chemnet.models.fast.kernels import choice


@pytest.fixture(autouse=True)
def _any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "MOST_THREADS", 10_000)


def layer(n_rows: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    shapes = ((n_rows, 4), (4, 7), (7,))
    hidden, transposed, bias = (torch.randn(*shape, generator=generator).requires_grad_() for shape in shapes)
    return hidden, transposed, bias, torch.rand(n_rows, 7, generator=generator)


@pytest.mark.parametrize("n_rows", [1, 9, 10, 100])
def test_the_loss_and_its_gradients_are_those_of_the_plain_form(
    n_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear_square, "_BLOCK_VALUES", 70)
    *inputs, target = layer(n_rows)
    hidden, transposed, bias = inputs
    blockwise, terms = losses.apply_to_linear(nn.MSELoss(), hidden, transposed.T, bias, target)
    assert type(blockwise.grad_fn).__name__ == "LinearMeanSquareBackward"
    assert terms == {}
    plain = functional.mse_loss(hidden @ transposed + bias, target)
    torch.testing.assert_close(blockwise, plain, rtol=1e-5, atol=0.0)
    torch.testing.assert_close(
        torch.autograd.grad(3.0 * blockwise, inputs),
        torch.autograd.grad(3.0 * plain, inputs),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "criterion", [nn.MSELoss(reduction="sum"), nn.L1Loss(), type("Own", (nn.MSELoss,), {})()]
)
def test_other_criteria_are_given_the_prediction(criterion: nn.Module) -> None:
    hidden, transposed, bias, target = layer(5)
    found, _ = losses.apply_to_linear(criterion, hidden, transposed.T, bias, target)
    assert type(found.grad_fn).__name__ != "LinearMeanSquareBackward"
    torch.testing.assert_close(found, criterion(hidden @ transposed + bias, target))


def test_a_loss_that_is_not_a_number_stays_so() -> None:
    hidden, transposed, bias, target = layer(5)
    target[2, 3] = torch.nan
    assert losses.apply_to_linear(nn.MSELoss(), hidden, transposed.T, bias, target)[0].isnan()
