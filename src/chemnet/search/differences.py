"""Which species set two chemical states apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: abundances below this count as this, on both sides: what lies under it is the solver's noise
ABUNDANCE_FLOOR = 1e-20


@dataclass(frozen=True)
class Difference:
    """One species in two states.

    Attributes
    ----------
    species
        Its name.
    dex
        log10(other / query): +1 where the other state holds ten times more.
    query, other
        Both abundances, relative to H nuclei.
    """

    species: str
    dex: float
    query: float
    other: float

    def __str__(self) -> str:
        return f"{self.species} {self.dex:+.2f}"


def largest_differences(
    query: np.ndarray, others: np.ndarray, species: Sequence[str], count: int
) -> list[list[Difference]]:
    """Return, for each other state, the `count` species that differ most from the query, largest first.

    Species that do not differ at all are left out, so a state compared with itself has none; so are
    those whose abundance the query does not know.

    Parameters
    ----------
    query
        Abundances ``(S,)``, relative to H nuclei; NaN where not known.
    others
        Abundances of the other states ``(n, S)``.
    species
        Names of the S species.
    count
        Species per state.
    """
    query = np.clip(query, ABUNDANCE_FLOOR, None)
    others = np.clip(others, ABUNDANCE_FLOOR, None)
    dex = np.where(np.isnan(query), 0.0, np.log10(others) - np.log10(query))
    order = np.argsort(-np.abs(dex), axis=1, kind="stable")[:, :count]
    return [
        [
            Difference(species[s], float(dex[n, s]), float(query[s]), float(others[n, s]))
            for s in row
            if dex[n, s] != 0.0
        ]
        for n, row in enumerate(order)
    ]
