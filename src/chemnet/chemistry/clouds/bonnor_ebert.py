"""Bonnor-Ebert spheres that collapse, as UCLCHEM has them: Priestley, Viti & Williams 2018, AJ 156, 51.

Analytic fits to the hydrodynamics of Aikawa et al. 2005, ApJ 620, 330: gravity exceeds pressure by a factor
of 1.1 or 4 at the beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.clouds.c_shock import PARSEC

Array = NDArray[np.float64]

HIGHEST_DENSITY = 1e8
"""Central density at which a collapse ends [H nuclei cm^-3]: beyond it the gas would warm up."""
_AU_PER_PARSEC = 2.063e5
_POWER = -0.01
_GRID = 1500  # radii at which the profile is integrated
_INNERMOST = 1e-6  # [pc], far within the flat core


@dataclass(frozen=True)
class BonnorEbertSphere:
    """One of the collapses, ``n(r, t) = n0(t) / (1 + (r/r0(t))^a(t))``.

    Attributes
    ----------
    lifetime
        When the centre would become infinitely dense [yr].
    density_fit
        ``log10 n0 = density_fit[0] (lifetime - t)^-0.01 - density_fit[1]``, H nuclei cm^-3.
    radius_fit
        ``log10 r0 = radius_fit[1] - radius_fit[0] (lifetime - t)^-0.01``, au.
    slope_fit
        ``a = slope_fit[0] + slope_fit[1] exp(-t / 1e5 yr)``.
    """

    lifetime: float
    density_fit: tuple[float, float]
    radius_fit: tuple[float, float]
    slope_fit: tuple[float, float]

    @property
    def end(self) -> float:
        """When the centre reaches `HIGHEST_DENSITY` [yr]."""
        left = (np.log10(HIGHEST_DENSITY) + self.density_fit[1]) / self.density_fit[0]
        return self.lifetime - float(left ** (1.0 / _POWER))

    def density(self, radius: Array, time: ArrayLike) -> Array:
        """Return the density [H nuclei cm^-3], shape of `radius` [pc] and `time` [yr] broadcast."""
        passed = np.asarray(time, np.float64)
        left = (self.lifetime - passed) ** _POWER
        centre = 10.0 ** (self.density_fit[0] * left - self.density_fit[1])
        core = 10.0 ** (self.radius_fit[1] - self.radius_fit[0] * left) / _AU_PER_PARSEC
        slope = self.slope_fit[0] + self.slope_fit[1] * np.exp(-passed / 1e5)
        return centre / (1.0 + (radius / core) ** slope)

    def follow(self, shells: Array, time: Array) -> tuple[Array, Array]:
        """Follow shells that keep the mass inside them.

        Parameters
        ----------
        shells
            Their radii at time 0, increasing, shape ``(n,)`` [pc].
        time
            Shape ``(rows,)`` [yr], up to `end`.

        Returns
        -------
        tuple
            Radii [pc], and columns of H nuclei from the centre to each shell [cm^-2], ``(n, rows)`` both.
        """
        radius = np.concatenate([[0.0], np.geomspace(_INNERMOST, shells[-1], _GRID)])
        inside = np.interp(shells, radius, self._mass(radius, 0.0))
        radii, columns = np.empty((2, len(shells), len(time)))
        for row, now in enumerate(time):
            radii[:, row] = np.interp(inside, self._mass(radius, now), radius)
            through = _integral(self.density(radius, now), radius) * PARSEC
            columns[:, row] = np.interp(radii[:, row], radius, through)
        return radii, columns

    def _mass(self, radius: Array, time: float) -> Array:
        """Return the mass within each radius, over 4 pi [H nuclei cm^-3 pc^3]."""
        return _integral(self.density(radius, time) * radius**2, radius)


def _integral(values: Array, over: Array) -> Array:
    """Return the running integral by trapezia, from 0 on."""
    return np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]) * np.diff(over))])


COLLAPSES = {
    "BE1.1": BonnorEbertSphere(1.175e6, (61.8, 49.4), (28.5, 28.93), (2.4, 0.0)),
    "BE4": BonnorEbertSphere(1.855e5, (68.4, 55.7), (39.0, 38.7), (1.9, 0.5)),
}
"""Collapses by UCLCHEM's names."""
