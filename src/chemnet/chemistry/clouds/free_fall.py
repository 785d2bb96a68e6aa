"""A uniform, pressureless sphere that collapses: the density of UCLCHEM's clouds with `freefall`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.tracers.density import collapse_profile
from chemnet.chemistry.units import SECONDS_PER_YEAR

Array = NDArray[np.float64]

GRAVITY = 6.674e-8
"""Gravitational constant [cm^3 g^-1 s^-2]."""
HYDROGEN_MASS = 1.6726e-24
"""Mass of a hydrogen nucleus [g]; UCLCHEM's dynamics count no helium."""


def free_fall_time(density: float, factor: float = 1.0) -> float:
    """Return how long a sphere at rest takes to collapse to a point [yr].

    ``sqrt(3 pi / (32 G m_H n)) / factor`` (Spitzer 1978, section 13.3).

    Parameters
    ----------
    density
        At rest [H nuclei cm^-3].
    factor
        How much faster the collapse is (UCLCHEM's `freefallFactor`).
    """
    seconds = math.sqrt(3.0 * math.pi / (32.0 * GRAVITY * HYDROGEN_MASS * density))
    return seconds / SECONDS_PER_YEAR / factor


def free_fall_density(time: Array, initial: float, final: float, factor: float = 1.0) -> Array:
    """Return the density [H nuclei cm^-3] at some times [yr]: from rest at `initial` up to `final`.

    The closed form of the equation that UCLCHEM integrates (Rawlings et al. 1992, MNRAS 255, 471):
    ``dn/dt = f (n^4/n0)^(1/3) (24 pi G m_H n0 ((n/n0)^(1/3) - 1))^(1/2)``. UCLCHEM writes 0.33 for 1/3 and
    begins at 1.001 n0: its collapse from 100 cm^-3 is the same within 0.5 % for 2.4 Myr and takes 3 % longer.
    """
    return np.minimum(initial * 10.0 ** collapse_profile(time / free_fall_time(initial, factor)), final)


def time_to_density(initial: float, final: float, factor: float = 1.0) -> float:
    """Return when a collapse from rest at `initial` reaches the density `final` [yr]."""
    angle = math.acos((initial / final) ** (1.0 / 6.0))
    return free_fall_time(initial, factor) * (2.0 / math.pi) * (angle + 0.5 * math.sin(2.0 * angle))
