"""Kernel of validation on a CPU: errors in dex, relative errors and their histogram, in one pass."""

from __future__ import annotations

import numpy as np

from chemnet.compiling import kernel
from chemnet.models.fast.training_kernels.elementary import LOG2_10, F, exp2


@kernel
def dex_metrics(predicted, target, decades, bins_per_dex, n_bins):
    """Return the sums of errors in dex and of relative errors, and how many errors fall into each bin.

    Parameters
    ----------
    predicted, target
        Scaled abundances, `(B, S)` float32; predictions are clipped to [0, 1].
    decades
        Decades between the abundance floor and 1, float32.
    bins_per_dex
        Bins of the histogram per dex, float32.
    n_bins
        Bins of the histogram, which is int64; errors beyond its end count into the last bin.
    """
    n_rows, n_species = predicted.shape
    counts = np.zeros(n_bins, np.int64)
    last = n_bins - 1
    places = np.empty(n_species, np.int32)
    total, total_relative = 0.0, 0.0
    for i in range(n_rows):
        x, truth = predicted[i], target[i]
        row, row_relative = F(0.0), F(0.0)
        for j in range(n_species):
            d = decades * (min(max(x[j], F(0.0)), F(1.0)) - truth[j])
            distance = abs(d)
            row += distance
            row_relative += abs(exp2(LOG2_10 * d) - F(1.0))
            # false for NaN, which is counted in the last bin and shows in the sums
            place = distance * bins_per_dex
            places[j] = np.int32(place) if place < last else last
        for j in range(n_species):
            counts[places[j]] += 1
        total += row
        total_relative += row_relative
    return total, total_relative, counts
