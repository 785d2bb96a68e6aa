"""A C-shock as a parcel of neutral gas sees it (Jimenez-Serra et al. 2008, A&A 482, 549), as in UCLCHEM."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.clouds.free_fall import HYDROGEN_MASS
from chemnet.chemistry.units import SECONDS_PER_YEAR

Array = NDArray[np.float64]

PARSEC = 3.086e18
"""Parsec [cm]."""
_KILOMETRE = 1e5
# shares of their change in velocity that the neutrals have behind them: 99 % at the dissipation length, and
# 85 % where they are hottest
_SLOWED, _HOTTEST = math.acosh(1.0 / 0.01), math.acosh(1.0 / 0.15)
# highest temperature [K] as a polynomial in the velocity [km/s], for 1e4 and 1e6 cm^-3: fits to Draine,
# Roberge & Dalgarno 1983, ApJ 264, 485, figure 9b; UCLCHEM takes their mean in between
_THIN = (0.47258, 40.44161, -128.635455216)
_DENSE = (2.91731, -23.78974, 225.204167337)
_THIN_LIMIT, _DENSE_LIMIT = 10.0**4.5, 10.0**5.5
# beyond so many lengths z2 the neutrals move with the final velocity
_LENGTHS, _PER_LENGTH = 60, 100


@dataclass(frozen=True)
class CShock:
    """A steady C-shock.

    Attributes
    ----------
    velocity
        Of the shock [km s^-1].
    density, temperature
        Of the gas before it [H nuclei cm^-3, K].
    magnetic
        UCLCHEM's `bm0`: the field is ``magnetic sqrt(density)`` microgauss.
    """

    velocity: float
    density: float
    temperature: float
    magnetic: float

    @property
    def alfven_velocity(self) -> float:
        """Alfven velocity before the shock [km s^-1]; slower waves are no shocks."""
        return self.magnetic * 1e-6 / math.sqrt(4.0 * math.pi * HYDROGEN_MASS) / _KILOMETRE

    @property
    def final_velocity(self) -> float:
        """Velocity of ions and neutrals behind the shock, in its frame [km s^-1].

        The root of ``v0^3 = (vA^2/2)(v0 + vs)``, which UCLCHEM finds by iterating
        ``v0^2 = (vA^2 vs^2/2) / (v0 vs + vA^2/2 - v0^2)``. It compresses less than a field that is frozen
        into the gas would let it, ``v0^2 vs = (vA^2/2)(v0 + vs)``: 8 times instead of 25 at 40 km/s.
        """
        pressure = 0.5 * self.alfven_velocity**2
        roots = np.roots([1.0, 0.0, -pressure, -pressure * self.velocity])
        return float(roots[np.isreal(roots)].real.max())

    @property
    def dissipation_length(self) -> float:
        """Distance over which ions and neutrals come to the same velocity [cm]."""
        return 12.0 * PARSEC * self.velocity / self.density

    @property
    def dissipation_time(self) -> float:
        """The time that the shock takes over its dissipation length [yr]."""
        return self.dissipation_length / (self.velocity * _KILOMETRE) / SECONDS_PER_YEAR

    @property
    def highest_temperature(self) -> float:
        """Temperature of the neutrals where they are hottest [K]."""
        thin, dense = np.polyval(_THIN, self.velocity), np.polyval(_DENSE, self.velocity)
        if self.density > _DENSE_LIMIT:
            return float(dense)
        return float(0.5 * (thin + dense)) if self.density > _THIN_LIMIT else float(thin)

    def density_at(self, time: Array) -> Array:
        """Return the density of a parcel [H nuclei cm^-3] at some times since it met the shock [yr]."""
        return self.density * self.velocity / self._neutral_velocity(self._distance(time))

    def temperature_at(self, time: Array) -> Array:
        """Return the temperature of the neutrals [K] at some times [yr].

        ``T0 + (a z)^6 / (exp(z/z3) - 1)``, with a such that the highest temperature is reached at 6 z3.
        """
        # where the exponential is beyond all numbers the gas has long cooled
        depth = np.clip(self._distance(time) / (self.dissipation_length / _HOTTEST), 1e-9, 100.0)
        shape = math.expm1(6.0) * depth**6 / np.expm1(6.0 * depth)
        return self.temperature + (self.highest_temperature - self.temperature) * shape

    def _neutral_velocity(self, distance: Array) -> Array:
        """Return the velocity in the frame of the shock [km s^-1] at some distances behind its front [cm]."""
        depth = np.minimum(distance / (self.dissipation_length / _SLOWED), _LENGTHS)
        final = self.final_velocity
        return final + (self.velocity - final) / np.cosh(depth)

    def _distance(self, time: Array) -> Array:
        """Return how far behind the front a parcel is [cm]: the inverse of ``t = integral of dz / v(z)``."""
        end = _LENGTHS * self.dissipation_length / _SLOWED
        distance = np.linspace(0.0, end, _LENGTHS * _PER_LENGTH + 1)
        slowness = 1.0 / (self._neutral_velocity(distance) * _KILOMETRE)
        passed = np.concatenate([[0.0], np.cumsum(0.5 * (slowness[1:] + slowness[:-1]))]) * distance[1]
        seconds = time * SECONDS_PER_YEAR
        beyond = np.maximum(seconds - passed[-1], 0.0) * self.final_velocity * _KILOMETRE
        return np.interp(seconds, passed, distance) + beyond
