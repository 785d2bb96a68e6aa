"""What UCLCHEM does between two rows of a tracer, reproduced on demand for truth that it has made."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.rates.constants import CR_YIELD, QUIRK_FLOOR
from chemnet.chemistry.rates.table import DENSITY, EXTINCTION, GAS_TEMPERATURE, RADIATION
from chemnet.compiling import compiled, inner

Array = NDArray[np.float64]

FIRST_CALL = 1e7
"""From bare grains UCLCHEM looks at its switches once more after so many seconds."""
_LEAST_YIELD, _MOST_YIELD = 1e2, 1e6


class Switches(NamedTuple):
    """Rows that UCLCHEM switches off, and the species that decide.

    Parameters
    ----------
    compatible
        Whether the quirks are on.
    carbon, electron
        Positions of C and E-, or -1.
    surface
        Positions of the surface ices.
    evaporating
        Rows that evaporate ice.
    freezing, partners
        Rows that freeze a neutral molecule, and for each the row that evaporates it again.
    freezes
        What each of the freezing rows freezes: positions of species.
    """

    compatible: bool
    carbon: int
    electron: int
    surface: NDArray[np.int32]
    evaporating: NDArray[np.int64]
    freezing: NDArray[np.int64]
    partners: NDArray[np.int64]
    freezes: NDArray[np.int64]


@compiled
def is_bare(switches: Switches, y: Array) -> bool:
    """Whether the quirks are on and grains carry next to no ice."""
    ice = 0.0
    for i in switches.surface:
        ice += y[i]
    return switches.compatible and ice < QUIRK_FLOOR


@compiled
def switch_off(switches: Switches, y: Array, bare: bool, k: Array) -> None:
    """Stop what UCLCHEM stops: freeze-out that evaporation outruns, and evaporation from bare grains."""
    if not switches.compatible:
        return
    for pair in range(switches.freezing.size):
        row = switches.freezing[pair]
        if k[row] * y[switches.freezes[pair]] < QUIRK_FLOOR * k[switches.partners[pair]]:
            k[row] = 0.0
    if bare:
        for row in switches.evaporating:
            k[row] = 0.0


@compiled
def shielding_carbon(switches: Switches, y: Array, av: float, next_av: float) -> float:
    """Return the abundance of C that shields; UCLCHEM multiplies it with the column of the next row."""
    if switches.carbon < 0:
        return 0.0
    ahead = next_av / av if switches.compatible and av > 0.0 else 1.0
    return y[switches.carbon] * ahead


@compiled
def desorption_yield(switches: Switches, before: Array, y: Array) -> float:
    """Return the yield of cosmic-ray desorption; UCLCHEM stores the charging of grains over it.

    Parameters
    ----------
    switches
        The network's.
    before
        Conditions of the row that led to the state `y`; NaN where nothing did.
    y
        Abundances, shape (n,).
    """
    charging = _charging(switches, before, y)
    return CR_YIELD if math.isnan(charging) else min(max(charging, _LEAST_YIELD), _MOST_YIELD)


@compiled
def yield_slope(switches: Switches, before: Array, y: Array) -> float:
    """Return the logarithmic derivative of `desorption_yield` by the abundance of electrons."""
    return -1.0 if _LEAST_YIELD < _charging(switches, before, y) < _MOST_YIELD else 0.0


@inner
def _charging(switches: Switches, before: Array, y: Array) -> float:
    """Return the charging parameter of grains, or NaN where it overwrites nothing."""
    if not switches.compatible or switches.electron < 0:
        return math.nan
    field = before[RADIATION] * math.exp(-2.5 * before[EXTINCTION])
    return field * math.sqrt(before[GAS_TEMPERATURE]) / (before[DENSITY] * y[switches.electron])
