"""What cells live through during one implicit step: parameters, time step, and the rows around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.rates.table import DUST_TEMPERATURE, EXTINCTION, GAS_TEMPERATURE, ZETA
from chemnet.chemistry.solver.solve import with_dust
from chemnet.errors import ModelError

Array = NDArray[np.float64]
N_CONDITIONS = 6


@dataclass(frozen=True)
class StepConditions:
    """What each cell of a batch lives through during one step.

    Attributes
    ----------
    physical
        Shape (cells, 4): Density [H nuclei cm^-3], Radfield [Habing], Av [mag], gasTemp [K] of the step.
    dt
        Length of the step [yr], shape (cells,) or one for all.
    zeta, dust_temperature
        Cosmic-ray ionisation rate [1.3e-17 s^-1] and dust temperature [K] (that of the gas unless given),
        shape (cells,) or one for all.
    physical_before, physical_next
        As `physical`, for the rows of the history before and after this step; unless given, conditions
        have been and stay the same. NaN marks the ends of a history: nothing before, nothing after. Both
        matter only with UCLCHEM's quirks, where C is shielded by the next row's column and grain charge
        comes from the row before.
    """

    physical: ArrayLike
    dt: ArrayLike
    zeta: ArrayLike = 1.0
    dust_temperature: ArrayLike | None = None
    physical_before: ArrayLike | None = None
    physical_next: ArrayLike | None = None

    def rows(self, count: int, dust_to_gas: float) -> tuple[Array, Array, Array]:
        """Return the conditions of so many cells, those of the row before, and Av [mag] of the next row.

        Shapes (cells, 6 or 10), columns as in `rates.table`, twice, and (cells,).

        Raises
        ------
        ModelError
            If physical parameters have the wrong shape.
        """
        now = self._row(self.physical, count, dust_to_gas)
        before = now
        if self.physical_before is not None:
            before = self._row(self.physical_before, count, dust_to_gas)
        next_av = now[:, EXTINCTION].copy()
        if self.physical_next is not None:
            following = self._row(self.physical_next, count, dust_to_gas)[:, EXTINCTION]
            next_av = np.where(np.isnan(following), next_av, following)
        return now, before, next_av

    def _row(self, physical: ArrayLike, count: int, dust_to_gas: float) -> Array:
        given = np.asarray(physical, dtype=np.float64)
        if given.shape != (count, 4):
            raise ModelError(
                f"physical parameters have shape {given.shape} for {count} cells",
                hint="give shape (cells, 4): Density, Radfield, Av, gasTemp",
            )
        conditions = np.empty((count, N_CONDITIONS))
        conditions[:, :4] = given
        conditions[:, DUST_TEMPERATURE] = (
            given[:, GAS_TEMPERATURE] if self.dust_temperature is None else self.dust_temperature
        )
        conditions[:, ZETA] = self.zeta
        return with_dust(conditions, dust_to_gas)
