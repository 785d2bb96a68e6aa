"""Building blocks that models share: activations, normalisation, perceptrons, folding of BatchNorm."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from chemnet.errors import ConfigError, suggest

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "none": nn.Identity,
}
# latents are scaled so that this share of the training split lies outside [0, 1] on either side
LATENT_TAIL = 0.005
# rows that robust statistics are taken from, spread evenly over the training split
_STATISTICS_ROWS = 200_000


def activation(name: str) -> nn.Module:
    """Return the activation called `name`, one of `ACTIVATIONS`.

    Raises
    ------
    ConfigError
        For an unknown name.
    """
    if name not in ACTIVATIONS:
        raise ConfigError(f"no activation is called '{name}'", hint=suggest(name, ACTIVATIONS))
    return ACTIVATIONS[name]()


def activation_name(module: nn.Module) -> str | None:
    """Return which of `ACTIVATIONS` a module is; None for any other, and for approximations."""
    if isinstance(module, nn.GELU) and module.approximate != "none":
        return None
    return next((name for name, kind in ACTIVATIONS.items() if type(module) is kind), None)


def normalisation(name: str, width: int) -> nn.Module:
    """Return the normalisation called `name`: ``"batch"``, ``"layer"`` or ``"none"``, for `(..., width)`.

    Raises
    ------
    ConfigError
        For an unknown name.
    """
    kinds: dict[str, Callable[[], nn.Module]] = {
        "batch": lambda: nn.BatchNorm1d(width),
        "layer": lambda: nn.LayerNorm(width),
        "none": nn.Identity,
    }
    if name not in kinds:
        raise ConfigError(f"no normalisation is called '{name}'", hint=suggest(name, kinds))
    return kinds[name]()


def perceptron(widths: Sequence[int], activation_name: str, dropout: float) -> nn.Sequential:
    """Return linear layers of `widths` with an activation and dropout between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), activation(activation_name), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2])


def start_at_zero(layer: nn.Module) -> None:
    """Set a linear layer to 0, so that a network whose last layer it is begins as no change."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def remaining_distance(rate: Tensor, relative_dt: Tensor) -> Tensor:
    """Return ``exp(-r softplus(k))``: what a relaxation at rate k leaves of the distance to its target.

    Parameters
    ----------
    rate, relative_dt
        k, any real number, and r, the time in units of the usual step; shapes that broadcast.
    """
    return torch.exp(-relative_dt * functional.softplus(rate))


def folded(weight: Tensor, bias: Tensor | None, norm: nn.Module) -> list[nn.Module]:
    """Return the layers of ``norm(x weight^T + bias)`` in evaluation mode, with `norm` folded in.

    Parameters
    ----------
    weight, bias
        Of the linear map, `(n_out, n_in)` and `(n_out,)`.
    norm
        What follows it: BatchNorm and the identity disappear, LayerNorm stays.
    """
    weight = weight.detach().double()
    shift = torch.zeros_like(weight[:, 0]) if bias is None else bias.detach().double()
    rest: list[nn.Module] = []
    if isinstance(norm, nn.BatchNorm1d):
        gain, offset = batch_norm_map(norm)
        weight, shift = weight * gain[:, None], shift * gain + offset
    elif not isinstance(norm, nn.Identity):
        rest = [norm]
    return [linear(weight, shift), *rest]


def batch_norm_map(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Return (gain, offset) of BatchNorm in evaluation mode, ``gain x + offset``, each `(width,)` float64."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("BatchNorm without running statistics has no evaluation map")
    gain = (norm.running_var.double() + norm.eps).rsqrt()
    offset = -norm.running_mean.double() * gain
    if norm.affine:
        weight, bias = norm.weight.detach().double(), norm.bias.detach().double()
        gain, offset = gain * weight, offset * weight + bias
    return gain, offset


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """Return a frozen float32 `Linear` of `weight` `(n_out, n_in)` and `bias` `(n_out,)`."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], device=weight.device)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer.requires_grad_(False)


def without_autocast(device_type: str) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which autocast is off on a kind of device; a no-op where it is off already."""
    if not torch.is_autocast_enabled(device_type):
        return contextlib.nullcontext()
    return torch.autocast(device_type, enabled=False)


def full_precision_linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``inputs weight^T + bias`` in float32 even under autocast.

    The product that gives the scaled abundances needs it: near 1, bfloat16 has steps of 0.004, or 0.08 dex.
    """
    if not torch.is_autocast_enabled(inputs.device.type):
        return functional.linear(inputs, weight, bias)
    with without_autocast(inputs.device.type):
        return functional.linear(inputs.float(), weight.float(), bias.float())


class FullPrecisionLinear(nn.Module):
    """A linear layer that computes in float32 even under autocast; see `full_precision_linear`."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer: Any = layer

    def forward(self, inputs: Tensor) -> Tensor:
        """Return `(..., n_out)` of `(..., n_in)`."""
        return full_precision_linear(inputs, self.layer.weight, self.layer.bias)


def robust_range(values: Tensor, tail: float) -> tuple[Tensor, Tensor]:
    """Return the `tail` and ``1 - tail`` quantiles `(width,)` of the columns of `values` `(rows, width)`.

    The range of a column that hardly varies is widened to 1e-3, so that dividing by it stays harmless.
    """
    ordered = spread(values).double().sort(dim=0).values
    last = len(ordered) - 1
    low, high = ordered[round(tail * last)], ordered[round((1.0 - tail) * last)]
    narrow = (high - low) < 1e-3
    return torch.where(narrow, low - 5e-4, low), torch.where(narrow, high + 5e-4, high)


def spread(values: Tensor) -> Tensor:
    """Return at most `_STATISTICS_ROWS` rows of `values`, evenly spaced: enough for quantiles."""
    return values[:: max(1, -(-len(values) // _STATISTICS_ROWS))]


def concatenated(parts: Iterable[Tensor]) -> Tensor:
    """Return the parts, at least one, one after another along the first axis."""
    return _gathered(parts, largest=None)


def thinned(parts: Iterable[Tensor]) -> Tensor:
    """Return the rows of the parts: all or, of very many, some at even spacing, enough for quantiles."""
    return _gathered(parts, largest=2 * _STATISTICS_ROWS)


def moments(parts: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation over the rows of all parts, at least one; float64, none is kept."""
    rows, total, squares = 0, torch.zeros(()), torch.zeros(())
    for part in parts:
        values = part.double()
        rows, total, squares = rows + len(values), total + values.sum(0), squares + values.square().sum(0)
    mean = total / rows
    return mean, (squares / rows - mean.square()).clamp_min(0.0).sqrt()


def _gathered(parts: Iterable[Tensor], largest: int | None) -> Tensor:
    """Return every row of the parts, or every second, fourth, ... as long as these exceed `largest`.

    Each part is copied as it comes into memory that grows by doubling: were many small parts kept until the
    end, what large tensors leave free between them would be too short for the next large ones.
    """
    kept, filled, seen, stride = None, 0, 0, 1
    for part in parts:
        kept = part.new_empty(part.shape) if kept is None else kept
        chosen = part[-seen % stride :: stride]
        while largest and filled + len(chosen) > largest:
            thinner = kept[:filled:2].clone()
            kept[: len(thinner)] = thinner
            filled, stride = len(thinner), 2 * stride
            chosen = part[-seen % stride :: stride]
        if filled + len(chosen) > len(kept):
            roomier = kept.new_empty(2 * (filled + len(chosen)), *kept.shape[1:])
            roomier[:filled] = kept[:filled]
            kept = roomier
        kept[filled : filled + len(chosen)] = chosen
        filled, seen = filled + len(chosen), seen + len(part)
    if kept is None:
        raise ValueError("there are no parts")
    return kept[:filled]
