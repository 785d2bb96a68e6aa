"""The mean squared error of a linear layer, block by block, without holding what the layer predicts.

As `row_loss` does it for the errors of this field, for `torch.nn.MSELoss`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from chemnet.models.fast.kernels.choice import fits_kernels
from chemnet.models.fast.per_member import apply_each
from chemnet.models.fast.row_loss import times

# values of a block: they and what they are compared with stay in the cache
_BLOCK_VALUES = 200_000


class LinearMeanSquare(torch.autograd.Function):
    """Mean of ``(hidden weight^T + bias - target)^2`` over all values, and its gradients.

    ``apply(hidden, weight, bias, target)`` takes `(B, H)`, `(S, H)`, `(S,)` and `(B, S)`. It returns the
    mean, and three gradients for the backward pass only.
    """

    @staticmethod
    def forward(hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        """Return the mean, and the gradients of `hidden`, `weight` and `bias`."""
        gradients = (torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias))
        n_blocks, share = math.ceil(target.numel() / _BLOCK_VALUES), 2.0 / target.numel()
        size = math.ceil(len(target) / n_blocks)
        difference, total = target.new_empty(size, target.shape[1]), 0.0
        for first in range(0, len(target), size):
            rows = slice(first, first + size)
            part, truth = hidden[rows], target[rows]
            block = difference[: len(truth)]
            torch.addmm(bias, part, weight.T, out=block).sub_(truth)
            total += float(torch.dot(block.view(-1), block.view(-1)))
            torch.mm(block.mul_(share), weight, out=gradients[0][rows])
            gradients[1].addmm_(block.T, part)
            gradients[2].add_(block.sum(0))
        return target.new_tensor(total / target.numel()), *gradients

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        """Keep the gradients."""
        ctx.mark_non_differentiable(*output[1:])
        # or the backward pass would begin by filling gradients of the other outputs with zeros
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*output[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor, *rest: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of hidden values, weight and bias."""
        return *(times(gradient, factor) for gradient in ctx.saved_tensors), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        """Return the means of the members of an ensemble, one after another."""
        return apply_each(LinearMeanSquare, info, in_dims, inputs)


def computes(criterion: nn.Module, hidden: Tensor, weight: Tensor, target: Tensor) -> bool:
    """Return whether `LinearMeanSquare` is what a criterion asks for of a layer in training."""
    return (
        type(criterion) is nn.MSELoss
        and criterion.reduction == "mean"
        and torch.is_grad_enabled()
        and hidden.ndim == 2
        and len(target) > 0
        and not (target.requires_grad or torch.is_autocast_enabled(hidden.device.type))
        and not (criterion._forward_hooks or criterion._forward_pre_hooks)
        and weight.dtype == torch.float32
        and fits_kernels(hidden, target)
    )
