"""The errors of `losses.ERRORS` with their slopes, block by block: value and gradient in one pass.

Written as a graph of operations, a loss of `(rows, species)` makes a dozen arrays as large as the prediction,
forward and backward, and each of them goes through main memory. Here a block of rows stays in the cache while
error and slope are computed together, and one gradient is what remains; where the prediction is the output of
a linear layer, not even that (`LinearRowLoss`). `losses` holds the plain form, with which the tests compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from chemnet.models.fast.kernel_choice import fits_kernels
from chemnet.models.fast.per_member import each_member
from chemnet.models.fast.training_kernels.blocks import each_part

LN10 = math.log(10.0)
# d = 1 is the whole scaled range: above it exponentials continue as straight lines, or float32 would overflow
LARGEST_EXPONENTIATED = 1.0
# values of a block on a CPU and one of its threads: its four float32 arrays, 2.7 MB, stay in the cache
_BLOCK_VALUES = 170_000
# a scaled abundance above 0 times this is no bound, 0 times this is a bound at 0
_NO_BOUND = -1e30
# errors that are a polynomial of D = power |d|, by its coefficients: what the compiled kernel computes
_POLYNOMIALS = {"absolute": (1.0, 0.0), "smooth": (1.0, 0.5), "squared": (0.0, 1.0)}

# fills `error` with e(|d|) and `slope` with de/dd for differences d, which it may overwrite
ErrorAndSlope = Callable[[Tensor, float, Tensor, Tensor], None]


@dataclass(frozen=True)
class RowForm:
    """The loss ``scale (mean over rows of (sum of errors + worst_weight largest error))``.

    Attributes
    ----------
    error
        One of `ERRORS_AND_SLOPES`.
    power
        Its steepness.
    worst_weight, scale
        Weights of the largest error of a row and of the whole loss.
    """

    error: str
    power: float
    worst_weight: float
    scale: float


class _LossWithGradients(torch.autograd.Function):
    """A function that returns the loss, two terms of it, and the gradients of its first inputs."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep the gradients."""
        ctx.mark_non_differentiable(*output[1:])
        # or the backward pass would begin by filling gradients of the other outputs with zeros
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*output[3:])
        ctx.n_others = len(inputs) - len(output[3:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor, *rest: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the first inputs."""
        return *(times(gradient, factor) for gradient in ctx.saved_tensors), *(ctx.n_others * (None,))


@each_member
class RowLoss(_LossWithGradients):
    """`RowForm` of predictions `(..., S)`.

    ``apply(predicted, target, form, with_gradient)`` returns the loss, its mean and worst terms and the
    gradient, which is for the backward pass only and empty unless asked for.
    """

    @staticmethod
    def forward(
        predicted: Tensor, target: Tensor, form: RowForm, with_gradient: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return loss, mean term, worst term and gradient."""
        gradient = torch.empty_like(predicted, memory_format=torch.contiguous_format)
        gradient = gradient if with_gradient else gradient.new_empty(0)
        blocks = _Blocks(form, predicted)
        for rows in blocks.parts(len(predicted)):
            blocks.take(predicted[rows], target[rows], gradient[rows] if with_gradient else None)
        return *blocks.totals(), gradient


@each_member
class LinearRowLoss(_LossWithGradients):
    """`RowForm` of the linear layer ``hidden weight^T + bias``, whose output is never held as a whole.

    ``apply(hidden, weight, bias, target, form)`` takes `(B, H)`, `(S, H)`, `(S,)` and `(B, S)`. It returns
    the loss, its mean and worst terms, and three gradients for the backward pass only.
    """

    @staticmethod
    def forward(
        hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, form: RowForm
    ) -> tuple[Tensor, ...]:
        """Return loss, mean term, worst term and the gradients of `hidden`, `weight` and `bias`."""
        gradients = (torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias))
        blocks = _Blocks(form, target)
        output, slope = torch.empty_like(blocks.error), torch.empty_like(blocks.error)
        for rows in blocks.parts(len(target)):
            part, n_rows = hidden[rows], len(target[rows])
            predicted, gradient = output[:n_rows], slope[:n_rows]
            torch.addmm(bias, part, weight.T, out=predicted)
            blocks.take(predicted, target[rows], gradient)
            torch.mm(gradient, weight, out=gradients[0][rows])
            gradients[1].addmm_(gradient.T, part)
            gradients[2].add_(gradient.sum(0))
        return *blocks.totals(), *gradients


class _Blocks:
    """Takes in predictions block by block; a block is some entries of the first axis.

    Parameters
    ----------
    form
        The loss.
    like
        Has shape, type and device of all predictions together, `(..., S)`.
    """

    def __init__(self, form: RowForm, like: Tensor) -> None:
        self.form = form
        self.n_rows = max(1, like.numel() // like.shape[-1])
        # on a GPU many small kernels would cost more than the traffic that they save
        at_once = _BLOCK_VALUES * torch.get_num_threads()
        n_blocks = math.ceil(like.numel() / at_once) if like.device.type == "cpu" else 1
        self.size = math.ceil(len(like) / max(1, n_blocks))
        shape = (self.size, *like.shape[1:])
        self.difference, self.error, self._slope = (like.new_empty(shape) for _ in range(3))
        self._sum, self._worst = like.new_zeros(()), like.new_zeros(())
        # a block that lies scattered is gathered first
        self._has_kernel = form.error in _POLYNOMIALS and fits_kernels(self.difference)

    def parts(self, length: int) -> list[slice]:
        """Return the blocks of a first axis of some length."""
        return [slice(start, start + self.size) for start in range(0, length, max(1, self.size))]

    def take(self, predicted: Tensor, target: Tensor, gradient: Tensor | None) -> None:
        """Add the errors of a block, and write its share of the loss's gradient into `gradient`."""
        if gradient is None:
            _, error = self._errors_and_slopes(predicted, target)
            self._add(error.sum(), error.amax(-1).sum())
        elif self._has_kernel:
            self._take_compiled(predicted, target, gradient)
        else:
            slope, error = self._errors_and_slopes(predicted, target)
            place = error.argmax(-1, keepdim=True)
            self._add(error.sum(), error.gather(-1, place).sum())
            torch.mul(slope, self.form.scale / self.n_rows, out=gradient)
            gradient.scatter_add_(-1, place, self.form.worst_weight * gradient.gather(-1, place))

    def _errors_and_slopes(self, predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return slopes and errors of a block, in memory that the next block uses again."""
        parts = (self.difference, self.error, self._slope)
        difference, error, slope = (part[: len(predicted)] for part in parts)
        _floor_difference(predicted, target, difference, bound=error)
        ERRORS_AND_SLOPES[self.form.error](difference, self.form.power, error, slope)
        return slope, error

    def _take_compiled(self, predicted: Tensor, target: Tensor, gradient: Tensor) -> None:
        """As `take`, by one compiled pass over the block."""
        from chemnet.models.fast.training_kernels.elementary import F
        from chemnet.models.fast.training_kernels.row_errors import polynomial_errors

        rows = (each.reshape(-1, each.shape[-1]).contiguous() for each in (predicted, target))
        form, slope = self.form, gradient.view(-1, gradient.shape[-1])
        numbers = (form.power, *_POLYNOMIALS[form.error], form.scale / self.n_rows, form.worst_weight)
        options, arrays = tuple(map(F, numbers)), [each.numpy() for each in (*rows, slope)]
        for sums in each_part(
            slope.shape, lambda part: polynomial_errors(*(each[part] for each in arrays), *options)
        ):
            self._add(*sums)

    def _add(self, errors: Tensor | float, worst: Tensor | float) -> None:
        """Add a block's sum of errors and of the largest ones."""
        self._sum += errors
        self._worst += worst

    def totals(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss and its mean and worst terms, each times the scale."""
        share = self.form.scale / self.n_rows
        mean, worst = share * self._sum, share * self._worst
        return mean + self.form.worst_weight * worst, mean, worst


def _floor_difference(predicted: Tensor, target: Tensor, out: Tensor, bound: Tensor) -> None:
    """Write ``predicted - target`` into `out`, 0 where both are at the floor or below (`floor_distance`)."""
    # the bound is 0 where the target is, and far below all predictions elsewhere: no masks
    torch.mul(target, _NO_BOUND, out=bound)
    torch.maximum(predicted, bound, out=out).sub_(target)


def _absolute(difference: Tensor, power: float, error: Tensor, slope: Tensor) -> None:
    """``power |d|``."""
    torch.sgn(difference, out=slope).mul_(power)
    torch.abs(difference, out=error).mul_(power)


def _smooth(difference: Tensor, power: float, error: Tensor, slope: Tensor) -> None:
    """``D + D^2 / 2``, ``D = power |d|``."""
    torch.sgn(difference, out=slope)
    difference.mul_(power)
    slope.add_(difference).mul_(power)
    torch.abs(difference, out=error).addcmul_(difference, difference, value=0.5)


def _squared(difference: Tensor, power: float, error: Tensor, slope: Tensor) -> None:
    """``(power d)^2``."""
    torch.mul(difference, 2.0 * power**2, out=slope)
    torch.mul(difference, power, out=error).square_()


def _exponential(difference: Tensor, power: float, error: Tensor, slope: Tensor) -> None:
    """``10^(power |d|) - 1``, linear above the largest exponent."""
    rate = power * LN10
    torch.sgn(difference, out=slope)
    distance = difference.abs_()
    torch.clamp(distance, max=LARGEST_EXPONENTIATED, out=error)
    error.mul_(rate).expm1_()
    slope.mul_(error.add(1.0).mul_(rate))
    _continue_straight(distance, error, rate * math.exp(rate * LARGEST_EXPONENTIATED))


def _squared_exponential(difference: Tensor, power: float, error: Tensor, slope: Tensor) -> None:
    """``10^(power d^2) - 1``, linear above the largest exponent."""
    rate = power * LN10
    torch.clamp(difference, -LARGEST_EXPONENTIATED, LARGEST_EXPONENTIATED, out=slope)
    torch.square(slope, out=error).mul_(rate).expm1_()
    slope.mul_(error.add(1.0).mul_(2.0 * rate))
    steepest = 2.0 * rate * LARGEST_EXPONENTIATED * math.exp(rate * LARGEST_EXPONENTIATED**2)
    _continue_straight(difference.abs_(), error, steepest)


def _continue_straight(distance: Tensor, error: Tensor, steepness: float) -> None:
    """Add to `error` what a straight line gains beyond the largest exponent; overwrites `distance`."""
    error.add_(distance.sub_(LARGEST_EXPONENTIATED).clamp_(min=0.0), alpha=steepness)


ERRORS_AND_SLOPES: Mapping[str, ErrorAndSlope] = {
    "exponential": _exponential,
    "squared_exponential": _squared_exponential,
    "absolute": _absolute,
    "smooth": _smooth,
    "squared": _squared,
}


def times(gradient: Tensor, factor: Tensor) -> Tensor:
    """Return ``factor gradient``; on a CPU a factor of 1 costs nothing."""
    if factor.device.type == "cpu" and factor.item() == 1.0:
        return gradient
    return gradient * factor
