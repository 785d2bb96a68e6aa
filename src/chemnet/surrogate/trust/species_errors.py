"""Which species of a state to trust: its expected error, shared out by species and abundance.

Most of what is badly wrong are traces: some species are hard, and most are harder the less there is of them.

Shapes: n states, S species, K ranges of abundance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# log10 abundances at which the ranges meet; the lowest range holds what is at the floor, within this [dex]
_EDGES, _AT_FLOOR = (-18.0, -16.0, -14.0, -12.0, -10.0, -8.0), 0.1
# states that a factor is drawn with towards the product of what its species and its range have in the mean
_PRIOR_STATES = 200.0
# least factor: no species is above suspicion
_LEAST = 1e-3


@dataclass(frozen=True)
class SpeciesErrors:
    """Expected error of a species over that of its state, by range of its predicted abundance.

    Attributes
    ----------
    edges
        log10 abundances where the ranges meet, ascending, `(K - 1,)`.
    factors
        `(K, S)`.
    """

    edges: tuple[float, ...]
    factors: tuple[tuple[float, ...], ...]

    @classmethod
    def fitted(
        cls, expected: Array, dex: NDArray[np.floating], abundance: NDArray[np.floating], floor: float
    ) -> Self:
        """Return the factors that make expected errors true ones in the mean.

        Parameters
        ----------
        expected
            Expected errors of some states [dex], `(n,)`.
        dex
            True errors of their species [dex], `(n, S)`.
        abundance
            What was predicted, `(n, S)`.
        floor
            Abundance that the surrogate cuts off at.
        """
        lowest = float(np.log10(floor)) + _AT_FLOOR
        edges = (lowest, *(edge for edge in _EDGES if edge > lowest))
        places = _ranges(abundance, edges)
        ranges = [places == number for number in range(len(edges) + 1)]
        found = np.stack([np.where(inside, dex, 0.0).sum(axis=0, dtype=np.float64) for inside in ranges])
        wanted = np.stack([np.where(inside, expected[:, None], 0.0).sum(axis=0) for inside in ranges])
        least = 1e-30
        whole = found.sum() / max(wanted.sum(), least)
        by_species = found.sum(axis=0) / np.maximum(wanted.sum(axis=0), least)
        by_range = found.sum(axis=1) / np.maximum(wanted.sum(axis=1), least)
        prior = np.outer(by_range, by_species) / max(whole, least)
        weight = _PRIOR_STATES * float(expected.mean())
        factors = np.maximum((found + weight * prior) / np.maximum(wanted + weight, least), _LEAST)
        return cls(edges, tuple(tuple(float(f"{value:.3g}") for value in row) for row in factors))

    def expected(self, state_errors: ArrayLike, abundance: ArrayLike) -> NDArray[np.float32]:
        """Return the expected error of each species [dex], `(..., S)`.

        Parameters
        ----------
        state_errors
            Expected errors of states, `(...,)`.
        abundance
            What is predicted of them, `(..., S)`.
        """
        factors = np.array(self.factors, dtype=np.float32)
        places = _ranges(np.asarray(abundance, dtype=np.float64), self.edges)
        of_states = np.asarray(state_errors, dtype=np.float32)[..., None]
        expected: NDArray[np.float32] = of_states * factors[places, np.arange(factors.shape[1])]
        return expected

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild from plain values."""
        edges, factors = tuple(values["edges"]), tuple(tuple(row) for row in values["factors"])
        if len(factors) != len(edges) + 1 or any(one >= other for one, other in pairwise(edges)):
            raise ValueError(f"{len(factors)} rows of factors for {len(edges)} ascending edges")
        return cls(edges, factors)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"edges": list(self.edges), "factors": [list(row) for row in self.factors]}


def _ranges(abundance: NDArray[np.floating], edges: tuple[float, ...]) -> NDArray[np.int64]:
    return np.searchsorted(np.power(10.0, edges), abundance, side="right")
