"""What compiled kernels compute for a network, they compute for each member of an ensemble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from chemnet.models import losses
from chemnet.models.fast import gelu, norm_gelu, row_loss

N_MEMBERS = 3


class Network(nn.Module):
    """Two layers, GELU between them, and a loss of what the second one gives."""

    def __init__(self, norm: nn.Module, criterion: nn.Module) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(4, 5), norm, nn.Linear(5, 7)
        self.activation, self.criterion = nn.GELU(), criterion

    def forward(self, inputs: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        hidden = norm_gelu.normalised(self.first(inputs), self.norm, self.activation)
        return losses.apply_to_linear(self.criterion, hidden, self.last.weight, self.last.bias, target)[0]


def chemistry_loss() -> nn.Module:
    options = {"power": 20.0, "worst_weight": 2.0, "conservation_weight": 0.0, "scale": 1e-3}
    return losses.ChemistryLoss(torch.ones(7, 2), 20.0, error="smooth", **options)


def without_norm(criterion: nn.Module) -> Network:
    return Network(nn.Identity(), criterion)


def with_norm(criterion: nn.Module) -> Network:
    return Network(nn.BatchNorm1d(5), criterion)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the autograd functions that ran; each notes itself."""
    names: set[str] = set()

    def noting(name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *inputs: (names.add(name), forward(*inputs))[1]

    kernels: list[Any] = [
        gelu.GeluWithSlope,
        norm_gelu.BatchNormGelu,
        row_loss.LinearRowLoss,
    ]
    for function in kernels:
        noted = noting(function.__name__, function.forward)
        monkeypatch.setattr(function, "forward", staticmethod(noted))
    return names


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("build", "make_criterion", "kernels"),
    [
        # inside vmap no value says that it has a gradient, and GELU alone is left to PyTorch
        (without_norm, nn.MSELoss, set()),
        (without_norm, chemistry_loss, {"LinearRowLoss"}),
        (with_norm, nn.MSELoss, {"BatchNormGelu"}),
    ],
)
def test_members_have_the_losses_and_gradients_of_each_alone(
    build: Callable[[nn.Module], Network],
    make_criterion: Callable[[], nn.Module],
    kernels: set[str],
    axis: int,
    used: set[str],
) -> None:
    torch.manual_seed(0)
    members = [build(make_criterion()) for _ in range(N_MEMBERS)]
    inputs, target = torch.randn(N_MEMBERS, 20, 4), torch.rand(20, 7)
    state = {
        name: torch.stack(
            [{**dict(one.named_parameters()), **dict(one.named_buffers())}[name] for one in members]
        )
        for name in members[0].state_dict()
    }
    together = vmap(
        lambda weights, given: functional_call(members[0], weights, (given, target)), in_dims=(0, axis)
    )(state, inputs.movedim(0, axis))
    assert used == kernels
    alone = torch.stack([one(given, target) for one, given in zip(members, inputs, strict=True)])
    torch.testing.assert_close(together, alone)
    weights = [parameter for one in members for parameter in one.parameters()]
    found, wanted = (torch.autograd.grad(each.sum(), weights) for each in (together, alone))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_members_whose_gradients_are_asked_for_inside_have_them_from_the_kernel(
    axis: int, used: set[str]
) -> None:
    values, weights = torch.randn(N_MEMBERS, 20, 4), torch.randn(20, 4)

    def loss(part: Tensor) -> Tensor:
        return (weights * gelu.activated(part, nn.GELU())).sum()

    found = vmap(grad(loss), in_dims=axis)(values.movedim(0, axis))
    assert used == {"GeluWithSlope"}
    alone = values.clone().requires_grad_()
    (wanted,) = torch.autograd.grad((weights * nn.functional.gelu(alone)).sum(), alone)
    torch.testing.assert_close(found, wanted)
