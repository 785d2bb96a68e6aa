"""BatchNorm and GELU computed together are what PyTorch computes one after the other."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from chemnet.models.fast import norm_gelu


def layer(width: int = 5) -> nn.BatchNorm1d:
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(width)
    nn.init.normal_(norm.weight, 1.0, 0.3)
    nn.init.normal_(norm.bias)
    return norm


def rows(n_rows: int = 200, width: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    spread = torch.logspace(-2, 1, width)
    return (3.0 * spread + spread * torch.randn(n_rows, width, generator=generator)).requires_grad_()


def outcome(values: Tensor, norm: nn.BatchNorm1d, compute: Callable[..., Tensor]) -> dict[str, Tensor]:
    out = compute(values, norm, nn.GELU())
    weights = torch.linspace(-1.0, 2.0, out.numel(), dtype=out.dtype).reshape(out.shape)
    gradients = torch.autograd.grad((weights * out).sum(), (values, norm.weight, norm.bias))
    named = dict(zip(("values", "weight", "bias"), gradients, strict=True))
    return {"out": out.detach(), **named, **{k: v.double() for k, v in norm.named_buffers()}}


def one_after_the_other(values: Tensor, norm: nn.BatchNorm1d, activation: nn.Module) -> Tensor:
    return activation(norm(values))


@pytest.mark.parametrize("n_rows", [2, 63, 64, 200])
def test_outputs_gradients_and_statistics_are_those_of_double_precision(n_rows: int) -> None:
    values, norm = rows(n_rows), layer()
    exact_norm = copy.deepcopy(norm).double()
    exact_values = values.detach().double().requires_grad_()
    found = outcome(values, norm, norm_gelu.normalised)
    wanted = outcome(exact_values, exact_norm, one_after_the_other)
    for name, expected in wanted.items():
        scale = float(expected.abs().max())
        torch.testing.assert_close(
            found[name].double(), expected, rtol=2e-5, atol=2e-6 * scale, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_it_is_what_training_on_a_cpu_computes_with(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Any] = []
    monkeypatch.setattr(norm_gelu.BatchNormGelu, "apply", lambda *args: used.append(args) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        norm_gelu.normalised(rows(), layer(), nn.GELU())


def watched(norm: nn.Module) -> nn.Module:
    norm.register_forward_hook(lambda *args: None)
    return norm


@pytest.mark.parametrize(
    ("values", "norm", "activation"),
    [
        (rows(), layer().eval(), nn.GELU()),
        (rows(), layer(), nn.GELU(approximate="tanh")),
        (rows(), layer(), nn.SiLU()),
        (rows().double(), layer().double(), nn.GELU()),
        (rows(), nn.LayerNorm(5), nn.GELU()),
        (rows(), nn.BatchNorm1d(5, affine=False), nn.GELU()),
        (rows(), watched(layer()), nn.GELU()),
    ],
)
def test_everything_else_is_left_to_pytorch(values: Tensor, norm: nn.Module, activation: nn.Module) -> None:
    found = norm_gelu.normalised(values, copy.deepcopy(norm), activation)
    assert torch.equal(found, activation(norm(values)))


def test_what_is_not_a_number_stays_so() -> None:
    values = rows().detach().clone()
    values[3, 2] = torch.nan
    out = norm_gelu.normalised(values, layer(), nn.GELU())
    assert out[:, 2].isnan().all()
    assert out[:, :2].isfinite().all()
