from __future__ import annotations

import pytest
import torch
from torch import nn

from chemnet.models.fast import gelu
from chemnet.models.fast.norm_gelu import normalised


def values() -> torch.Tensor:
    return torch.linspace(-9.0, 9.0, 999).reshape(333, 3).requires_grad_()


def test_values_and_slopes_are_those_of_double_precision() -> None:
    single = values()
    double = single.detach().double().requires_grad_()
    out, exact = gelu.activated(single, nn.GELU()), nn.GELU()(double)
    weights = torch.linspace(-1.0, 2.0, 999).reshape(333, 3)
    (slope,) = torch.autograd.grad((weights * out).sum(), single)
    (exact_slope,) = torch.autograd.grad((weights.double() * exact).sum(), double)
    torch.testing.assert_close(out.double(), exact, rtol=2e-5, atol=2e-6)
    torch.testing.assert_close(slope.double(), exact_slope, rtol=2e-5, atol=1e-6)


def test_it_is_what_training_without_normalisation_computes_with() -> None:
    out = normalised(values(), nn.Identity(), nn.GELU())
    assert type(out.grad_fn).__name__ == "GeluWithSlopeBackward"


def test_a_gradient_can_be_taken_again_from_a_kept_graph() -> None:
    single = values()
    out = gelu.activated(single, nn.GELU()).sum()
    first, second = (torch.autograd.grad(out, single, retain_graph=True)[0] for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0.0, atol=0.0)


def test_what_is_not_a_number_stays_so() -> None:
    assert gelu.activated(torch.tensor([torch.nan, 1.0], requires_grad=True), nn.GELU()).isnan().tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("hidden", "activation"),
    [
        (values().detach(), nn.GELU()),
        (values().double(), nn.GELU()),
        (values(), nn.GELU().eval()),
        (values(), nn.GELU(approximate="tanh")),
        (values(), nn.SiLU()),
        (values().T, nn.GELU()),
    ],
)
def test_everything_else_is_computed_by_the_activation_itself(
    hidden: torch.Tensor, activation: nn.Module
) -> None:
    out = gelu.activated(hidden, activation)
    assert type(out.grad_fn).__name__ != "GeluWithSlopeBackward"
    torch.testing.assert_close(out, activation(hidden), rtol=0.0, atol=0.0)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.GELU(), nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 2), nn.GELU()).eval()


def test_overwriting_in_inference_mode_changes_no_bit() -> None:
    layers, inputs = network(), values().detach()
    before = inputs.clone()
    with torch.inference_mode():
        found = gelu.through(layers, inputs)
        wanted = layers(inputs)
    torch.testing.assert_close(found, wanted, rtol=0.0, atol=0.0)
    torch.testing.assert_close(inputs, before, rtol=0.0, atol=0.0)


def test_outside_inference_mode_gradients_go_through() -> None:
    layers, inputs = network(), values()
    found = torch.autograd.grad(gelu.through(layers, inputs).sum(), inputs)
    torch.testing.assert_close(found, torch.autograd.grad(layers(inputs).sum(), inputs), rtol=0.0, atol=0.0)
