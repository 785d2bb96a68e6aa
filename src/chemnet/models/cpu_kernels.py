"""Compiled kernels of training on a CPU: what stands between the matrix products, in one pass each way.

PyTorch's own operations go through the memory once each, and its GELU takes the error function of the C
library forward and backward. Here loops run over contiguous float32 rows and the elementary functions are
polynomials, so the compiler makes vector instructions of both; they are good to a few units in the last place
of float32. All of it is one file, since Numba keeps compiled functions until their own file changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

F, _I = np.float32, np.int32
# rows whose sums are taken in float32 before they join those in float64
_ROWS_PER_SUM = 64
_LOG2_OF_NORMAL = F(-0.5 * np.log2(np.e))
_NORMAL_AT_0 = F(1.0 / np.sqrt(2.0 * np.pi))
# a scaled abundance above 0 times this is no bound, 0 times this is a bound at 0
_NO_BOUND = F(-1e30)


def _kernel(function: Callable[..., Any]) -> Any:
    """Compile to vector code that may reorder sums but passes on what is not a number; keep it on disk."""
    return njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")(
        function
    )


@_kernel
def _exp2(x):
    """2^x for |x| <= 126: a Taylor polynomial on [-1/2, 1/2] times a power of two made of its bits."""
    x = min(max(x, F(-126.0)), F(126.0))
    whole = np.floor(x + F(0.5))
    f = x - whole
    f2 = f * f
    low = (F(1.0) + F(0.6931471805599453) * f) + (F(0.2402265069591007) + F(0.0555041086648216) * f) * f2
    high = (F(0.009618129107628477) + F(0.0013333558146428443) * f) + F(0.00015403530393381608) * f2
    return (low + high * (f2 * f2)) * _I((_I(whole) + _I(127)) << _I(23)).view(F)


@_kernel
def _erf_half(x):
    """erf(x / sqrt 2) / 2, by the rational minimax approximation of Eigen's erf, factors drawn in."""
    x = min(max(x, F(-5.656854249492381)), F(5.656854249492381))
    q = x * x
    q2 = q * q
    low = (F(0.398942254539802) + F(0.03661506797952034) * q) + (
        F(0.004554209307118366) + F(0.00017636187818949488) * q
    ) * q2
    high = (F(3.254634397810506e-06) + F(-2.1459904745651184e-08) * q) + F(1.0557466595229366e-10) * q2
    below = (F(1.0) + F(0.2584459884133409) * q) + (
        F(0.029492775302725233) + F(0.001869768301664804) * q
    ) * q2
    return x * ((low + high * (q2 * q2)) / (below + F(6.38202694858039e-05) * (q2 * q2)))


@_kernel
def column_moments(values, mean, variance):
    """Fill `mean` and the biased `variance` `(W,)` float64 of the columns of `values` `(B, W)`."""
    n_rows, width = values.shape
    total, squares = np.zeros(width), np.zeros(width)
    part, part_squares = np.empty(width, F), np.empty(width, F)
    # sums about a row, since squares about 0 would cancel where the mean is large
    about = values[0].copy()
    for first in range(0, n_rows, _ROWS_PER_SUM):
        part[:] = F(0.0)
        part_squares[:] = F(0.0)
        for i in range(first, min(n_rows, first + _ROWS_PER_SUM)):
            for j in range(width):
                x = values[i, j] - about[j]
                part[j] += x
                part_squares[j] += x * x
        for j in range(width):
            total[j] += part[j]
            squares[j] += part_squares[j]
    for j in range(width):
        shift = total[j] / n_rows
        mean[j] = about[j] + shift
        variance[j] = max(squares[j] / n_rows - shift * shift, 0.0)


@_kernel
def gelu_of_affine(values, gain, offset, out, slope):
    """Fill `out` with GELU(y), ``y = gain values + offset``, and `slope` with its derivative, `(B, W)`."""
    n_rows, width = values.shape
    for i in range(n_rows):
        for j in range(width):
            y = gain[j] * values[i, j] + offset[j]
            below = F(0.5) + _erf_half(y)
            out[i, j] = y * below
            slope[i, j] = below + y * (_NORMAL_AT_0 * _exp2(_LOG2_OF_NORMAL * y * y))


@_kernel
def product_sums(gradient, slope, values, mean, total, moment):
    """Fill `total` with the column sums of ``g = gradient slope``, `moment` with ``g (values - mean)``'s.

    Both are `(W,)` float64.
    """
    n_rows, width = values.shape
    total[:] = 0.0
    moment[:] = 0.0
    part, part_moment = np.empty(width, F), np.empty(width, F)
    for first in range(0, n_rows, _ROWS_PER_SUM):
        part[:] = F(0.0)
        part_moment[:] = F(0.0)
        for i in range(first, min(n_rows, first + _ROWS_PER_SUM)):
            for j in range(width):
                g = gradient[i, j] * slope[i, j]
                part[j] += g
                part_moment[j] += g * (values[i, j] - mean[j])
        for j in range(width):
            total[j] += part[j]
            moment[j] += part_moment[j]


@_kernel
def normalised_gradient(gradient, slope, values, gain, constant, factor, out):
    """Fill `out` with ``gain gradient slope + constant + factor values``, `(B, W)`."""
    n_rows, width = values.shape
    for i in range(n_rows):
        for j in range(width):
            out[i, j] = gain[j] * (gradient[i, j] * slope[i, j]) + (constant[j] + factor[j] * values[i, j])


@_kernel
def polynomial_errors(predicted, target, gradient, power, linear, square, share, worst_weight):
    """Fill the gradient of errors that are a polynomial, and return their sum and that of the rows' largest.

    The error of one value is ``linear D + square D^2``, ``D = power |predicted - target|``, and 0 where both
    are at the floor or below. Its gradient counts `share` times, and that of a row's largest one
    ``1 + worst_weight`` times as much. All matrices are `(B, S)`.
    """
    n_rows, n_species = predicted.shape
    total, total_worst = 0.0, 0.0
    errors = np.empty(n_species, F)
    first_order, second_order = share * power * linear, F(2.0) * share * power * square
    # errors are positive, so their order is that of their bits, and what is not a number comes last
    bits = errors.view(np.int32)
    for i in range(n_rows):
        x, truth, slope = predicted[i], target[i], gradient[i]
        row = F(0.0)
        for j in range(n_species):
            bound = truth[j] * _NO_BOUND
            d = power * ((bound if bound > x[j] else x[j]) - truth[j])
            distance = abs(d)
            error = (linear + square * distance) * distance
            errors[j] = error
            row += error
            sign = F(1.0) if d > F(0.0) else (F(-1.0) if d < F(0.0) else F(0.0))
            slope[j] = first_order * sign + second_order * d
        worst = _I(0)
        for j in range(n_species):
            worst = max(worst, bits[j])
        j = 0
        while bits[j] != worst:
            j += 1
        slope[j] *= F(1.0) + worst_weight
        total += row
        total_worst += errors[j]
    return total, total_worst
