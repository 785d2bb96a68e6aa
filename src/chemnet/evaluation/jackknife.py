"""Standard errors of figures over tracers, by leaving groups of tracers out one at a time (the jackknife).

The states of a tracer resemble one another, so tracers are what is drawn at random, not states. With K groups
the squared standard error of a figure is (K - 1)/K times the sum of the squared deviations of its K values,
each without one group, from their mean (Efron & Stein 1981, Ann. Statist. 9, 586).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chemnet.data import abundance_errors

Array = NDArray[np.float64]
#: groups that tracers are dealt into, by their number in the split
GROUPS = 16
# fewer groups tell no standard error
_FEWEST = 3
# bins of an error's histogram here, in bins of `abundance_errors`, and places that share one histogram
_WIDER, _TOGETHER = 4, 9


@dataclass(frozen=True)
class PlacedErrors:
    """Errors of the values at P places, which are in order.

    Attributes
    ----------
    total, count
        Sum of the errors [dex] and number of values at each place, `(P,)`.
    histogram
        Values by error, for several neighbouring places together, `(C, H)`.
    """

    total: Array
    count: NDArray[np.int64]
    histogram: NDArray[np.int64]

    def lae99(self) -> tuple[Array, Array]:
        """Return the share of the values up to each filled histogram, and their 99th percentile [dex]."""
        up_to = self.histogram[self.histogram.any(axis=1)].cumsum(axis=0)
        share = up_to.sum(axis=1) / self.histogram.sum()
        return share, _WIDER * abundance_errors.histogram_quantile(up_to, 0.99)


class TracerGroups:
    """Sums of errors at places, by group of tracers.

    Parameters
    ----------
    n_places
        Number of places.
    """

    def __init__(self, n_places: int) -> None:
        self._total = np.zeros((GROUPS, n_places))
        self._count = np.zeros((GROUPS, n_places), dtype=np.int64)
        shape = (GROUPS, -(-n_places // _TOGETHER), abundance_errors.BINS // _WIDER)
        self._histogram = np.zeros(shape, dtype=np.int64)

    def add(self, dex: Array, places: NDArray[np.int64], tracers: NDArray[np.int64]) -> None:
        """Add errors `(n,)` [dex], each with its place and the number of its tracer `(n,)`."""
        group = tracers % GROUPS
        n_places = self._total.shape[1]
        flat = group * n_places + places
        self._total += np.bincount(flat, dex, self._total.size).reshape(self._total.shape)
        self._count += np.bincount(flat, minlength=self._count.size).reshape(self._count.shape)
        _, together, width = self._histogram.shape
        error = np.minimum((dex / (_WIDER * abundance_errors.DEX_BIN) + 1e-9).astype(np.int64), width - 1)
        flat = (group * together + places // _TOGETHER) * width + error
        counts = np.bincount(flat, minlength=self._histogram.size)
        self._histogram += counts.reshape(self._histogram.shape)

    def take(self, other: TracerGroups) -> None:
        """Add the sums of further tracers."""
        self._total += other._total
        self._count += other._count
        self._histogram += other._histogram

    def standard_errors(self, figures: Callable[[PlacedErrors], Mapping[str, Array]]) -> dict[str, Array]:
        """Return the standard error of each figure; nothing where there are fewer than three groups.

        Parameters
        ----------
        figures
            Returns figures by name, arrays of any shape, of errors at places.
        """
        filled = np.flatnonzero(self._count.any(axis=1))
        if len(filled) < _FEWEST:
            return {}
        found = [figures(self._without(int(group))) for group in filled]
        return {name: jackknife([one[name] for one in found]) for name in found[0]}

    def _without(self, group: int) -> PlacedErrors:
        parts = (self._total, self._count, self._histogram)
        return PlacedErrors(*(part.sum(axis=0) - part[group] for part in parts))


def jackknife(without_each: list[Array]) -> Array:
    """Return the standard error of a figure from its values without each of K groups.

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 3.0, 6.0])  # of a mean it is that of textbooks
    >>> left = [(values.sum() - value) / 3.0 for value in values]
    >>> bool(np.isclose(jackknife(left), values.std(ddof=1) / 2.0))
    True
    """
    values = np.array(without_each)
    factor = (len(values) - 1) / len(values)
    error: Array = np.sqrt(factor * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
    return error
