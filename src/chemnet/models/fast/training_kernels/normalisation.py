"""Kernels of training on a CPU: BatchNorm and GELU, in one pass each way.

PyTorch's own operations go through the memory once each, and its GELU takes the error function of the C
library forward and backward. Here loops run over contiguous float32 rows and the elementary functions are
polynomials, so the compiler makes vector instructions of both.
"""

from __future__ import annotations

import numpy as np

from chemnet.compiling import kernel
from chemnet.models.fast.training_kernels.activations import gelu_and_slope
from chemnet.models.fast.training_kernels.elementary import F

# rows whose sums are taken in float32 before they join those in float64
_ROWS_PER_SUM = 64


@kernel
def column_moments(values):
    """Return mean and biased variance `(W,)` float64 of the columns of `values` `(B, W)`."""
    n_rows, width = values.shape
    mean, variance = np.empty(width), np.empty(width)
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
    return mean, variance


@kernel
def gelu_of_affine(values, gain, offset, out, slope):
    """Fill `out` with GELU(y), ``y = gain values + offset``, and `slope` with its derivative, `(B, W)`."""
    n_rows, width = values.shape
    for i in range(n_rows):
        for j in range(width):
            out[i, j], slope[i, j] = gelu_and_slope(gain[j] * values[i, j] + offset[j])


@kernel
def product_sums(gradient, slope, values, mean):
    """Return the column sums of ``g = gradient slope`` and of ``g (values - mean)``, `(2, W)` float64."""
    n_rows, width = values.shape
    sums = np.zeros((2, width))
    total, moment = sums
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
    return sums


@kernel
def normalised_gradient(gradient, slope, values, gain, constant, factor, out):
    """Fill `out` with ``gain gradient slope + constant + factor values``, `(B, W)`."""
    n_rows, width = values.shape
    for i in range(n_rows):
        for j in range(width):
            out[i, j] = gain[j] * (gradient[i, j] * slope[i, j]) + (constant[j] + factor[j] * values[i, j])
