"""GELU with its slope in one pass, for training; and in place, where no gradient is taken."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from chemnet.models.fast.kernel_choice import fits_kernels
from chemnet.models.fast.per_member import each_member
from chemnet.models.fast.training_kernels.blocks import each_part


@each_member
class GeluWithSlope(torch.autograd.Function):
    """The exact GELU of float32 values of any shape; the backward pass is one product with the slope."""

    @staticmethod
    def forward(values: Tensor) -> tuple[Tensor, Tensor]:
        """Return activations and slopes."""
        from chemnet.models.fast.training_kernels.activations import gelu_with_slope

        # one member's part of what an ensemble shares out may lie scattered
        whole = values.detach().contiguous()
        out, slope = torch.empty_like(whole), torch.empty_like(whole)
        flat = [each.view(-1).numpy() for each in (whole, out, slope)]
        each_part(flat[0].shape, lambda part: gelu_with_slope(*(each[part] for each in flat)))
        return out, slope

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        """Keep the slopes, which have no gradient."""
        ctx.mark_non_differentiable(output[1])
        # nor are zeros made up for it
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(output[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *rest: Tensor) -> Tensor:
        """Return the gradient of the values."""
        return gradient * ctx.saved_tensors[0]


def activated(hidden: Tensor, activation: nn.Module) -> Tensor:
    """Return ``activation(hidden)``, to a few units in the last place of float32."""
    if not _fits(hidden, activation):
        return activation(hidden)
    out: Tensor = GeluWithSlope.apply(hidden)[0]
    return out


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
    """Return whether the kernel computes this activation, its slope is wanted, and it has no hooks."""
    return (
        isinstance(activation, nn.GELU)
        and activation.approximate == "none"
        # outside training somebody may want second derivatives
        and activation.training
        and hidden.requires_grad
        and not activation._forward_hooks
        and fits_kernels(hidden)
    )
