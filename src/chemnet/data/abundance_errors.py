r"""Errors of abundances in dex: one definition for training, calibration and benchmark.

The pair of the CODES benchmark, mLAE and LAE99, are mean and 99th percentile of
:math:`|\log_{10} \hat x - \log_{10} x|` with both sides clipped to [floor, 1]. Percentiles come from
histograms, which may be added up over any number of batches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# width of a bin of the histograms [dex] and their last edge; what lies beyond counts into the last bin
DEX_BIN, DEX_LIMIT = 0.005, 20.0
BINS = round(DEX_LIMIT / DEX_BIN)


def log_abundance(abundance: Array, floor: float) -> Array:
    """Return ``log10`` of abundances clipped to [floor, 1], any shape; NaN stays NaN."""
    return np.log10(np.clip(abundance, floor, 1.0))


def dex_error(predicted: Array, truth: Array, floor: float) -> Array:
    """Return ``|log10 predicted - log10 truth|``, any shape; what is not finite counts as the largest error.

    Examples
    --------
    >>> dex_error(np.array([1e-5, 0.0, np.nan]), np.array([1e-4, 1e-30, 1e-4]), floor=1e-20)
    array([ 1.,  0., 20.])
    """
    dex = np.abs(log_abundance(predicted, floor) - log_abundance(truth, floor))
    return np.where(np.isfinite(dex), np.minimum(dex, DEX_LIMIT), DEX_LIMIT)


def histogram(dex: Array) -> NDArray[np.int64]:
    """Return how many errors `(n, groups)` of each group fall into each bin, `(groups, BINS)`.

    Examples
    --------
    >>> counts = histogram(np.array([[0.001, 0.3], [0.002, 0.3]]))
    >>> counts.shape, counts[0, 0], counts[1].argmax()
    ((2, 4000), np.int64(2), np.int64(60))
    """
    groups = np.broadcast_to(np.arange(dex.shape[1]), dex.shape)
    return histogram_by_group(dex.ravel(), groups.ravel(), dex.shape[1])


def histogram_by_group(dex: Array, groups: NDArray[np.int64], n_groups: int) -> NDArray[np.int64]:
    """Return how many errors `(n,)`, each of a group of its own `(n,)`, fall into each bin."""
    bins = np.minimum((dex / DEX_BIN + 1e-9).astype(np.int64), BINS - 1) + BINS * groups
    return np.bincount(bins, minlength=n_groups * BINS).reshape(n_groups, BINS)


def histogram_quantile(counts: NDArray[Any], quantile: float) -> Array:
    """Return the error [dex] below which a share `quantile` lies, `(...,)`, of counts `(..., BINS)`.

    Linear inside a bin; 0 where nothing was counted.

    Examples
    --------
    >>> histogram_quantile(histogram(np.linspace(0.0, 1.0, 1001)[:, None]), 0.99).round(2)
    array([0.99])
    """
    cumulated = counts.cumsum(axis=-1)
    wanted = quantile * cumulated[..., -1]
    reached = (cumulated < wanted[..., None]).sum(axis=-1).clip(max=BINS - 1)
    inside = np.take_along_axis(counts, reached[..., None], -1)[..., 0]
    before = np.take_along_axis(cumulated, reached[..., None], -1)[..., 0] - inside
    share = np.where(inside > 0, (wanted - before) / np.maximum(inside, 1), 0.0)
    return np.where(cumulated[..., -1] > 0, (reached + share) * DEX_BIN, 0.0)
