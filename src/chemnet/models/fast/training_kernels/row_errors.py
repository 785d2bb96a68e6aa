"""Kernel of training on a CPU: the errors of rows of abundances and their gradient, in one pass."""

from __future__ import annotations

import numpy as np

from chemnet.compiling import kernel
from chemnet.models.fast.training_kernels.elementary import F, I

# a scaled abundance above 0 times this is no bound, 0 times this is a bound at 0
_NO_BOUND = F(-1e30)


@kernel
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
        worst = I(0)
        for j in range(n_species):
            worst = max(worst, bits[j])
        j = 0
        while bits[j] != worst:
            j += 1
        slope[j] *= F(1.0) + worst_weight
        total += row
        total_worst += errors[j]
    return total, total_worst
