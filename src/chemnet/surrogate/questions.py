"""What a surrogate is asked: checked histories, and where they are inside what it was trained on.

Shapes: B cells, T steps, S species, P physical parameters, E elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.data.description import DataDescription
from chemnet.surrogate import input_checks
from chemnet.surrogate.input_checks import Array
from chemnet.surrogate.trust.domain import Domain
from chemnet.surrogate.trust.domain_log import DomainLog


class Inputs:
    """Checks what comes from outside, and logs what leaves the trained ranges.

    Parameters
    ----------
    data
        Names the columns.
    domain
        The trained ranges.
    """

    def __init__(self, data: DataDescription, domain: Domain) -> None:
        self.data, self.domain = data, domain
        self._log = DomainLog(domain, data.physical_names, data.elements)

    def histories(self, physical: Any, dt: Any, **others: Array) -> tuple[Array, Array]:
        """Return parameters `(B, T, P)` and time steps `(B, T - 1)` for as many cells as `others` have.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        """
        driving, steps = self._driving(physical, dt)
        input_checks.check_same_cells(
            physical=len(driving), **{name: len(cells) for name, cells in others.items()}
        )
        self._log.tell(driving, steps)
        return driving, steps

    def from_abundances(self, physical: Any, abundances: Any, dt: Any) -> tuple[Array, Array, Array]:
        """Return abundances `(B, S)`, parameters `(B, T, P)` and time steps `(B, T - 1)`.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        """
        driving, steps = self._driving(physical, dt)
        start = self._start(abundances)
        input_checks.check_same_cells(physical=len(driving), abundances=len(start))
        self._log.tell(driving, steps, self._totals(start))
        return start, driving, steps

    def inside(self, start: Array, driving: Array, steps: Array) -> NDArray[np.bool_]:
        """Return whether each step `(B, T - 1)` of checked input is inside what was trained."""
        inside = self.domain.physical_inside(driving[:, :-1]).all(axis=-1) & self.domain.dt_inside(steps)
        return inside & self._composition_inside(start)

    def rows_inside(self, physical: Any, abundances: Any, dt: Any) -> NDArray[np.bool_]:
        """Return whether each row `(B, T)` is inside; abundances and time steps count where they are given.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        """
        driving, steps = self._driving(physical, self.domain.dt_usual or 1.0 if dt is None else dt)
        inside = self.domain.physical_inside(driving).all(axis=-1)
        if dt is not None:
            inside[:, :-1] &= self.domain.dt_inside(steps)
        if abundances is not None:
            inside &= self._composition_inside(self._start(abundances))
        return inside

    def _driving(self, physical: Any, dt: Any) -> tuple[Array, Array]:
        """Return checked parameters and time steps."""
        driving = input_checks.check_physical(physical, self.data.physical_names)
        shape = (driving.shape[0], driving.shape[1] - 1)
        return driving, input_checks.check_time_steps(dt, shape, self.domain.dt_usual)

    def _start(self, abundances: Any) -> Array:
        """Return checked abundances of step 0."""
        start = input_checks.check_abundances(abundances, self.data.species)
        input_checks.check_hydrogen(self._totals(start), self.data.elements)
        return start

    def _composition_inside(self, start: Array) -> NDArray[np.bool_]:
        """Return whether the element totals of each cell are those of training, `(B, 1)`."""
        return self.domain.totals_inside(self._totals(start)).all(axis=-1)[:, None]

    def _totals(self, abundances: Array) -> Array:
        """Return element totals per H nucleus `(B, E)`."""
        return abundances @ self.data.stoichiometry
