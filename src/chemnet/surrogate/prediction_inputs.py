"""Histories as a surrogate takes them: checked, and compared with the ranges that it was trained in.

Shapes: B cells, T steps, S species, P physical parameters, E elements.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.data.description import DataDescription
from chemnet.errors import DataError
from chemnet.progress import get_logger
from chemnet.surrogate import array_checks
from chemnet.surrogate.array_checks import Array
from chemnet.surrogate.trust.trained_ranges import Domain

_log = get_logger(__name__)


class InputChecker:
    """Checks what comes from outside, and logs what leaves the trained ranges: each kind once as a warning.

    All methods raise `DataError` for input that cannot be used; see `chemnet.surrogate.array_checks`.

    Parameters
    ----------
    data
        Names the columns.
    domain
        The trained ranges.
    """

    def __init__(self, data: DataDescription, domain: Domain) -> None:
        self.data, self.domain = data, domain
        self._logged: set[str] = set()

    def histories(self, physical: Any, dt: Any, **others: Array) -> tuple[Array, Array]:
        """Return parameters `(B, T, P)` and time steps `(B, T - 1)` for as many cells as `others` have."""
        forcing, steps = self._checked_forcing(physical, dt)
        array_checks.check_same_cells(
            physical=len(forcing), **{name: len(cells) for name, cells in others.items()}
        )
        self._log_outside(forcing, steps)
        return forcing, steps

    def from_abundances(self, physical: Any, abundances: Any, dt: Any) -> tuple[Array, Array, Array]:
        """Return abundances `(B, S)`, parameters `(B, T, P)` and time steps `(B, T - 1)`."""
        forcing, steps = self._checked_forcing(physical, dt)
        start = self._start(abundances)
        array_checks.check_same_cells(physical=len(forcing), abundances=len(start))
        self._log_outside(forcing, steps, self._totals(start))
        return start, forcing, steps

    def of_one_step(self, physical: Any, dt: Any) -> tuple[Array, Array | None]:
        """Return parameters `(B, P)` and time steps `(B,)` of one step as histories of two rows."""
        rows = array_checks.as_array(
            array_checks.ordered_columns("physical", physical, self.data.physical_names)
        )
        if rows.ndim != 2:
            raise DataError(
                f"physical has the shape {rows.shape}; one step needs (cells, {self.data.n_physical})",
                hint="emulate takes whole histories (cells, steps, parameters)",
            )
        lengths = None if dt is None else array_checks.as_array(dt)
        lengths = lengths[:, None] if lengths is not None and lengths.ndim == 1 else lengths
        return np.repeat(rows[:, None], 2, axis=1), lengths

    def inside(self, start: Array, forcing: Array, steps: Array) -> NDArray[np.bool_]:
        """Return whether each step `(B, T - 1)` of checked input is inside what was trained."""
        inside = np.all(self.domain.physical_inside(forcing[:, :-1]), axis=-1) & self.domain.dt_inside(steps)
        return np.asarray(inside & self._composition_inside(start))

    def rows_inside(self, physical: Any, abundances: Any, dt: Any) -> NDArray[np.bool_]:
        """Return whether each row `(B, T)` is inside; abundances and time steps count where given."""
        forcing, steps = self._checked_forcing(physical, self.domain.dt_usual or 1.0 if dt is None else dt)
        inside = np.asarray(self.domain.physical_inside(forcing).all(axis=-1))
        if dt is not None:
            inside[:, :-1] &= self.domain.dt_inside(steps)
        if abundances is not None:
            inside &= self._composition_inside(self._start(abundances))
        return inside

    def _checked_forcing(self, physical: Any, dt: Any) -> tuple[Array, Array]:
        forcing = array_checks.check_physical(physical, self.data.physical_names)
        shape = (forcing.shape[0], forcing.shape[1] - 1)
        return forcing, array_checks.check_time_steps(dt, shape, self.domain.dt_usual)

    def _start(self, abundances: Any) -> Array:
        complete = array_checks.complete_abundances(abundances, self.data.species)
        start = array_checks.as_array(array_checks.ordered_columns("abundances", complete, self.data.species))
        start = array_checks.check_abundances(np.atleast_2d(start), self.data.species)
        array_checks.check_hydrogen(self._totals(start), self.data.elements)
        return start

    def _log_outside(self, forcing: Array, steps: Array, totals: Array | None = None) -> None:
        """Log what is outside of parameters, time steps and element totals `(B, E)`."""
        forcing = forcing[:, :-1]  # the last row drives no step
        domain, outside = self.domain, ~self.domain.physical_inside(forcing)
        bounds = zip(self.data.physical_names, domain.physical_min, domain.physical_max, strict=True)
        for column, (name, low, high) in enumerate(bounds):
            self._note(f"{name} outside {low:g} .. {high:g}", forcing[..., column], outside[..., column])
        self._note(f"dt outside {domain.dt_min:g} .. {domain.dt_max:g} yr", steps, ~domain.dt_inside(steps))
        if totals is not None:
            wrong = ~domain.totals_inside(totals)
            for column, name in enumerate(self.data.elements):
                self._note(f"another total of {name} than trained on", totals[:, column], wrong[:, column])

    def _note(self, what: str, values: Array, wrong: NDArray[np.bool_]) -> None:
        if not wrong.any():
            return
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        where = ", ".join(f"{axis} {index}" for axis, index in zip(("cell", "step"), place, strict=False))
        level = logging.DEBUG if what in self._logged else logging.WARNING
        self._logged.add(what)
        count, share = int(wrong.sum()), 100.0 * wrong.mean()
        _log.log(level, "%s: %d values (%.1f %%), first %s: %.4g", what, count, share, where, values[place])

    def _composition_inside(self, start: Array) -> NDArray[np.bool_]:
        """Return whether the element totals of each cell are those of training, `(B, 1)`."""
        return np.asarray(self.domain.totals_inside(self._totals(start)).all(axis=-1, keepdims=True))

    def _totals(self, abundances: Array) -> Array:
        """Return element totals per H nucleus `(B, E)`."""
        return abundances @ self.data.stoichiometry
