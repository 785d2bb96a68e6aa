"""Telling a user, once for each kind, what leaves the ranges that a surrogate was trained in."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chemnet.progress import get_logger
from chemnet.surrogate.input_checks import Array
from chemnet.surrogate.trust.domain import Domain

_log = get_logger(__name__)


class DomainLog:
    """Logs what is outside: each kind once as a warning, then for debugging only.

    Parameters
    ----------
    domain
        The trained ranges.
    physical_names, elements
        Names of the columns.
    """

    def __init__(self, domain: Domain, physical_names: Sequence[str], elements: Sequence[str]) -> None:
        self.domain, self.physical_names, self.elements = domain, physical_names, elements
        self._told: set[str] = set()

    def tell(self, physical: Array, dt: Array, totals: Array | None = None) -> None:
        """Log what is outside of parameters `(B, T, P)`, steps `(B, T - 1)` and element totals `(B, E)`."""
        physical = physical[:, :-1]  # the last row drives no step
        domain, outside = self.domain, ~self.domain.physical_inside(physical)
        bounds = zip(self.physical_names, domain.physical_min, domain.physical_max, strict=True)
        for column, (name, low, high) in enumerate(bounds):
            self._tell(f"{name} outside {low:g} .. {high:g}", physical[..., column], outside[..., column])
        self._tell(f"dt outside {domain.dt_min:g} .. {domain.dt_max:g} yr", dt, ~domain.dt_inside(dt))
        if totals is not None:
            wrong = ~domain.totals_inside(totals)
            for column, name in enumerate(self.elements):
                self._tell(f"another total of {name} than trained on", totals[:, column], wrong[:, column])

    def _tell(self, what: str, values: Array, wrong: NDArray[np.bool_]) -> None:
        """Log how many values are wrong, and the first."""
        if not wrong.any():
            return
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        where = ", ".join(f"{axis} {index}" for axis, index in zip(("cell", "step"), place, strict=False))
        level = logging.DEBUG if what in self._told else logging.WARNING
        self._told.add(what)
        count, share = int(wrong.sum()), 100.0 * wrong.mean()
        _log.log(level, "%s: %d values (%.1f %%), first %s: %.4g", what, count, share, where, values[place])
