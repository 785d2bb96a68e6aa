"""GELU with its slope in one pass, for training; and in place, where no gradient is taken."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from chemnet.models.kernels.choice import fits_kernels


class GeluWithSlope(torch.autograd.Function):
    """The exact GELU of float32 values of any shape; the backward pass is one product with the slope."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """Return the activations."""
        from chemnet.models.kernels.activations import gelu_with_slope

        out, slope = torch.empty_like(values), torch.empty_like(values)
        gelu_with_slope(*(each.view(-1).numpy() for each in (values.detach(), out, slope)))
        ctx.save_for_backward(slope)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Return the gradient of the values."""
        return gradient * ctx.saved_tensors[0]


def activated(hidden: Tensor, activation: nn.Module) -> Tensor:
    """Return ``activation(hidden)``, to a few units in the last place of float32."""
    return GeluWithSlope.apply(hidden) if _fits(hidden, activation) else activation(hidden)


def through(layers: nn.Sequential, inputs: Tensor) -> Tensor:
    """Return ``layers(inputs)``; in inference mode a GELU overwrites what the layer before it gave.

    What is overwritten is in the cache, and new memory is not.
    """
    if not torch.is_inference_mode_enabled():
        return layers(inputs)
    values = inputs
    for layer in layers:
        if type(layer) is nn.GELU and values is not inputs and not layer._forward_hooks:
            torch.ops.aten.gelu_(values, approximate=layer.approximate)
        else:
            values = layer(values)
    return values


def _fits(hidden: Tensor, activation: nn.Module) -> bool:
    """Return whether the kernel computes this activation, its slope is wanted, and nobody watches it."""
    return (
        isinstance(activation, nn.GELU)
        and activation.approximate == "none"
        # outside training somebody may want second derivatives
        and activation.training
        and hidden.requires_grad
        and not activation._forward_hooks
        and fits_kernels(hidden)
    )
