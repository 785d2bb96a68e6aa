"""BatchNorm and GELU of a training step in one pass each way, where compiled kernels can do it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from chemnet.models.gelu import activated

# the kernels use one thread: with more than these, PyTorch's own operations are faster
_MOST_THREADS = 4


def normalised(hidden: Tensor, norm: nn.Module, activation: nn.Module) -> Tensor:
    """Return ``activation(norm(hidden))`` of `(B, W)`.

    In training on a CPU, BatchNorm and the exact GELU are computed together; the result is the same to a few
    units in the last place of float32.
    """
    if type(norm) is nn.Identity:
        return activated(hidden, activation)
    if not _fits(hidden, norm, activation):
        return activation(norm(hidden))
    assert isinstance(norm, nn.BatchNorm1d)
    out, mean, variance = BatchNormGelu.apply(hidden, norm.weight, norm.bias, norm.eps)
    _learn_statistics(norm, mean, variance, len(hidden))
    return out


class BatchNormGelu(torch.autograd.Function):
    """GELU of BatchNorm with the batch's own statistics.

    ``apply(values, weight, bias, eps)`` takes `(B, W)` and twice `(W,)`; it returns `(B, W)`, and mean and
    biased variance of the batch `(W,)`.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        """Return activations, mean and variance."""
        from chemnet.models.kernels import normalisation

        mean, variance = np.empty(values.shape[1]), np.empty(values.shape[1])
        normalisation.column_moments(values.numpy(), mean, variance)
        inverse = 1.0 / np.sqrt(variance + eps)
        gain = weight.numpy() * inverse
        out, slope = torch.empty_like(values), torch.empty_like(values)
        normalisation.gelu_of_affine(
            values.numpy(), _single(gain), _single(bias.numpy() - gain * mean), out.numpy(), slope.numpy()
        )
        ctx.save_for_backward(values, slope)
        ctx.mean, ctx.inverse, ctx.gain = mean, inverse, gain
        statistics = torch.from_numpy(_single(mean)), torch.from_numpy(_single(variance))
        ctx.mark_non_differentiable(*statistics)
        ctx.set_materialize_grads(False)
        return out, *statistics

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *rest: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of values, weight and bias (Ioffe & Szegedy 2015)."""
        from chemnet.models.kernels import normalisation

        values, slope = (tensor.numpy() for tensor in ctx.saved_tensors)
        incoming, n_rows = gradient.contiguous().numpy(), len(values)
        total, moment = np.empty_like(ctx.mean), np.empty_like(ctx.mean)
        normalisation.product_sums(incoming, slope, values, _single(ctx.mean), total, moment)
        # of the mean and the variance, through which every row acts on every other
        factor = -ctx.gain * ctx.inverse**2 * moment / n_rows
        constant = -ctx.gain * total / n_rows - factor * ctx.mean
        out = torch.empty_like(ctx.saved_tensors[0])
        normalisation.normalised_gradient(
            incoming, slope, values, _single(ctx.gain), _single(constant), _single(factor), out.numpy()
        )
        weight, bias = (torch.from_numpy(_single(each)) for each in (moment * ctx.inverse, total))
        return out, weight, bias, None


def _fits(hidden: Tensor, norm: nn.Module, activation: nn.Module) -> bool:
    """Return whether the kernels compute this norm and activation, and nobody watches them."""
    return (
        type(norm) is nn.BatchNorm1d  # no other: one over several processes has statistics of its own
        and isinstance(activation, nn.GELU)
        and activation.approximate == "none"
        and norm.training
        and norm.affine
        and norm.momentum is not None
        and norm.running_mean is not None
        and hidden.ndim == 2
        and len(hidden) > 1
        and hidden.dtype == torch.float32
        and hidden.device.type == "cpu"
        and hidden.is_contiguous()
        and torch.get_num_threads() <= _MOST_THREADS
        and not (norm._forward_hooks or activation._forward_hooks)
    )


def _learn_statistics(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor, n_rows: int) -> None:
    """Move the running statistics towards those of a batch, as BatchNorm does itself."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * (n_rows / (n_rows - 1)), norm.momentum)


def _single(values: np.ndarray) -> np.ndarray:
    """Return values in float32."""
    return values.astype(np.float32)
