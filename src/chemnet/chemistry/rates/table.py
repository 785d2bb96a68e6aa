"""The layout of the table that rate coefficients are computed from: formulae, columns, factors of a flux."""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DENSITY, RADIATION, EXTINCTION, GAS_TEMPERATURE, DUST_TEMPERATURE, ZETA = range(6)
"""Columns of an array of physical conditions."""
COLUMN_NUCLEI, COLUMN_H2, COLUMN_CO, COLUMN_C = range(6, 10)
"""Further ones, of arrays that have them: column densities [cm^-2] that shield; NaN: that from Av."""


class Formula(enum.IntEnum):
    """Rate formulae; the order groups them for `rate_coefficients`."""

    ARRHENIUS = 0
    ION_POLAR_1 = 1
    ION_POLAR_2 = 2
    EXPRESSION = 3
    CRP = 4
    CRPHOT = 5
    PHOTON = 6
    H2_PHOTON = 7
    CO_PHOTON = 8
    C_PHOTON = 9
    FREEZE = 10
    FREEZE_H = 11
    FREEZE_H2 = 12
    EVAPORATION = 13
    BULK_SWAP = 14
    SURFACE_SWAP = 15
    H2_DESORPTION = 16
    CR_DESORPTION = 17
    UV_DESORPTION = 18
    H2_FORMATION = 19
    DIFFUSION = 20
    ELEY_RIDEAL = 21


VECTORISED = (
    Formula.BULK_SWAP,
    Formula.ARRHENIUS,
    Formula.PHOTON,
    Formula.EVAPORATION,
    Formula.DIFFUSION,
)
"""Formulae whose rows come first, in this order: most rows follow them, and they are computed in runs."""


class Factor(enum.IntEnum):
    """What a flux is multiplied by, beside coefficient and abundances; a function of the ice as a whole."""

    ONE = 0
    PER_SURFACE = 1
    """Over the surface ice, so that one ice's share of the surface remains."""
    BULK_EXPOSED = 2
    """min(1, monolayer / bulk): the share of the bulk next to the surface."""
    SWAP = 3
    """What the bulk pushes up, over the surface ice."""
    BULK_PHOTON = 4
    """Attenuation of light by the layers of ice."""
    TOP_LAYERS = 5
    """Two-phase networks: share of the ice in its two top layers."""
    TOP_LAYERS_SQUARED = 6


N_FACTORS = len(Factor)


(
    ALPHA, BETA, GAMMA, T_MIN, T_MAX, FREQUENCY_1, FREQUENCY_2, ENERGY_1, ENERGY_2, TUNNELLING, SHARE,
    SPEED, FIT_MIN, FIT_MAX, BARRIER_1, BARRIER_2, SCALE, LOG_FIT_MIN, LOG_FIT_MAX,
) = range(19)  # fmt: skip
"""Rows of a rate table's parameters: a row counts at T_MIN <= T < T_MAX, T held in FIT_MIN to FIT_MAX.

BARRIER_1 and BARRIER_2 are the barriers against diffusion [K], SCALE what other grains than the standard ones
and `RateOptions.scale` multiply the coefficient by. LOG_FIT_MIN and LOG_FIT_MAX are ln(T / 300 K) at FIT_MIN
and FIT_MAX.
"""
FORMULA, DENSITY_POWER, EXPRESSION = range(3)
"""Rows of a rate table's integers."""


class RateTable(NamedTuple):
    """What rate coefficients depend on, for m reactions; few arrays keep Numba's compilation short.

    `parameters` (19, m) and `integers` (3, m) have the rows named above. Reactions of one formula follow one
    another; `runs` is where those of `VECTORISED` begin, one after another, and where the rest begins. The
    others are the CO shielding table.
    """

    parameters: NDArray[np.float64]
    integers: NDArray[np.int32]
    runs: NDArray[np.int64]
    co_grid: NDArray[np.float64]
    co_shielding: NDArray[np.float64]
    co_curvature: NDArray[np.float64]
