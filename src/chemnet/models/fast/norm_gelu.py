"""BatchNorm and GELU of a training step in one pass each way, where compiled kernels can do it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from chemnet.models.fast.gelu import activated
from chemnet.models.fast.kernel_choice import fits_kernels
from chemnet.models.fast.per_member import each_member
from chemnet.models.fast.training_kernels.blocks import each_part


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
    out, mean, variance, _ = BatchNormGelu.apply(hidden, norm.weight, norm.bias, norm.eps)
    _learn_statistics(norm, mean, variance, len(hidden))
    return out


@each_member
class BatchNormGelu(torch.autograd.Function):
    """GELU of BatchNorm with the batch's own statistics.

    ``apply(values, weight, bias, eps)`` takes `(B, W)` and twice `(W,)`; it returns `(B, W)`, mean and biased
    variance of the batch, `(W,)` in float64, and the slopes for the backward pass `(B, W)`.
    """

    @staticmethod
    def forward(values: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        """Return activations, mean, variance and slopes."""
        from chemnet.models.fast.training_kernels import normalisation

        # one member's part of what an ensemble shares out may lie scattered
        rows = values.contiguous()
        mean, variance = _moments(rows.numpy())
        gain = weight.numpy() / np.sqrt(variance + eps)
        affine = _single(gain), _single(bias.numpy() - gain * mean)
        out, slope = torch.empty_like(rows), torch.empty_like(rows)
        x, y, dy = (each.numpy() for each in (rows, out, slope))
        each_part(rows.shape, lambda part: normalisation.gelu_of_affine(x[part], *affine, y[part], dy[part]))
        return out, torch.from_numpy(mean), torch.from_numpy(variance), slope

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the gradient needs; only the activations have one."""
        values, weight, _, eps = inputs
        _, mean, variance, slope = output
        ctx.mark_non_differentiable(mean, variance, slope)
        # nor are zeros made up for the others
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(values, slope, weight, mean, variance)
        ctx.eps = eps

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *rest: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of values, weight and bias (Ioffe & Szegedy 2015)."""
        from chemnet.models.fast.training_kernels import normalisation

        saved = (tensor.detach().contiguous().numpy() for tensor in ctx.saved_tensors)
        values, slope, weight, mean, variance = saved
        incoming, n_rows = gradient.contiguous().numpy(), len(values)
        inverse = 1.0 / np.sqrt(variance + ctx.eps)
        gain = weight * inverse
        centre = _single(mean)
        sums = each_part(
            values.shape,
            lambda part: normalisation.product_sums(incoming[part], slope[part], values[part], centre),
        )
        total, moment = sum(sums[1:], start=sums[0])
        # of the mean and the variance, through which every row acts on every other
        factor = -gain * inverse**2 * moment / n_rows
        constant = -gain * total / n_rows - factor * mean
        out = torch.empty_like(gradient, memory_format=torch.contiguous_format)
        factors, given = (_single(gain), _single(constant), _single(factor)), out.numpy()
        each_part(
            values.shape,
            lambda part: normalisation.normalised_gradient(
                incoming[part], slope[part], values[part], *factors, given[part]
            ),
        )
        by_weight, by_bias = (torch.from_numpy(_single(each)) for each in (moment * inverse, total))
        return out, by_weight, by_bias, None


def _fits(hidden: Tensor, norm: nn.Module, activation: nn.Module) -> bool:
    """Return whether the kernels compute this norm and activation, and neither has hooks."""
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
        and not (norm._forward_hooks or activation._forward_hooks)
        and fits_kernels(hidden)
    )


def _learn_statistics(norm: Any, mean: Tensor, variance: Tensor, n_rows: int) -> None:
    """Move the running statistics towards those of a batch, as BatchNorm does itself."""
    kept, unbiased = 1.0 - norm.momentum, variance * (n_rows / (n_rows - 1))
    with torch.no_grad():
        norm.num_batches_tracked += 1
        # no lerp_: the members of an ensemble cannot be at once in it
        norm.running_mean.mul_(kept).add_(mean.float(), alpha=norm.momentum)
        norm.running_var.mul_(kept).add_(unbiased.float(), alpha=norm.momentum)


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and biased variance `(W,)` float64 of the columns of `(B, W)` (parts: Chan et al. 1979)."""
    from chemnet.models.fast.training_kernels.normalisation import column_moments

    found = each_part(rows.shape, lambda part: (len(rows[part]), *column_moments(rows[part])))
    n, mean, variance = found[0]
    for more, other_mean, other_variance in found[1:]:
        apart, n = other_mean - mean, n + more
        share = more / n
        mean = mean + share * apart
        variance = (1.0 - share) * variance + share * other_variance + share * (1.0 - share) * apart**2
    return mean, variance


def _single(values: np.ndarray) -> np.ndarray:
    """Return values in float32."""
    return values.astype(np.float32)
