"""The formulae that most rows follow, over runs of rows: the compiler makes vector instructions of them.

The exponential is written out, for that of the mathematical library comes one at a time; it is good to 2e-15.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.rates import constants as const
from chemnet.chemistry.rates.table import (
    ALPHA,
    BARRIER_1,
    BARRIER_2,
    BETA,
    DENSITY_POWER,
    ENERGY_1,
    ENERGY_2,
    FIT_MAX,
    FIT_MIN,
    FREQUENCY_1,
    FREQUENCY_2,
    GAMMA,
    LOG_FIT_MAX,
    LOG_FIT_MIN,
    SCALE,
    SHARE,
    T_MAX,
    T_MIN,
    TUNNELLING,
    RateTable,
)
from chemnet.compiling import UNCOUNTED, inner

Array = NDArray[np.float64]

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10
_ROUNDING = 6755399441055744.0  # 1.5 x 2^52: what is added to it is rounded to a whole number
_BIAS = 1023
_SMALLEST, _LARGEST = -650.0, 700.0
_VECTORS = {"contract"}


@inner(**UNCOUNTED, fastmath=_VECTORS)
def exponential(x: float) -> float:
    """Return e^x; 0 below -650, and e^700 above 700."""
    bounded = min(max(x, _SMALLEST), _LARGEST)
    shifted = bounded * _LOG2_E + _ROUNDING
    whole = shifted - _ROUNDING
    r = bounded - whole * _LN2_HIGH - whole * _LN2_LOW
    series = 1.0 / 6227020800.0
    series = series * r + 1.0 / 479001600.0
    series = series * r + 1.0 / 39916800.0
    series = series * r + 1.0 / 3628800.0
    series = series * r + 1.0 / 362880.0
    series = series * r + 1.0 / 40320.0
    series = series * r + 1.0 / 5040.0
    series = series * r + 1.0 / 720.0
    series = series * r + 1.0 / 120.0
    series = series * r + 1.0 / 24.0
    series = series * r + 1.0 / 6.0
    series = series * r + 0.5
    series = (series * r + 1.0) * r + 1.0
    # the last bits of the shifted number are the whole one
    power = np.int64((np.float64(shifted).view(np.int64) + np.int64(_BIAS)) << np.int64(52)).view(np.float64)
    return series * power if x >= _SMALLEST else 0.0


@inner(**UNCOUNTED, fastmath=_VECTORS)
def fill_arrhenius(table: RateTable, first: int, last: int, t_gas: float, log_t: float, k: Array) -> None:
    """Fill the coefficients of the rows `first` to `last` that follow alpha (T/300)^beta exp(-gamma/T)."""
    parameters = table.parameters
    for r in range(first, last):
        log_fit = min(max(log_t, parameters[LOG_FIT_MIN, r]), parameters[LOG_FIT_MAX, r])
        t_fit = min(max(t_gas, parameters[FIT_MIN, r]), parameters[FIT_MAX, r])
        exponent = parameters[BETA, r] * log_fit - parameters[GAMMA, r] / t_fit
        k[r] = parameters[ALPHA, r] * exponential(exponent)


@inner(**UNCOUNTED, fastmath=_VECTORS)
def fill_photon(table: RateTable, first: int, last: int, av: float, radfield: float, k: Array) -> None:
    """Fill the photoreactions by the UV field behind dust."""
    parameters, field = table.parameters, radfield / const.HABING_PER_DRAINE
    for r in range(first, last):
        k[r] = parameters[ALPHA, r] * exponential(-parameters[GAMMA, r] * av) * field


@inner(**UNCOUNTED, fastmath=_VECTORS)
def fill_evaporation(table: RateTable, first: int, last: int, t_dust: float, k: Array) -> None:
    """Fill the rates at which molecules evaporate thermally from their binding sites."""
    parameters = table.parameters
    for r in range(first, last):
        leaves = exponential(-parameters[ENERGY_1, r] / t_dust)
        k[r] = parameters[ALPHA, r] * parameters[FREQUENCY_1, r] * leaves


@inner(**UNCOUNTED, fastmath=_VECTORS)
def fill_diffusion(table: RateTable, first: int, last: int, t_dust: float, k: Array) -> None:
    """Fill the Langmuir-Hinshelwood coefficients (Hasegawa 1992; competition: Garrod & Pauly 2011)."""
    parameters = table.parameters
    for r in range(first, last):
        nu1, nu2 = parameters[FREQUENCY_1, r], parameters[FREQUENCY_2, r]
        cold1, cold2 = -parameters[ENERGY_1, r] / t_dust, -parameters[ENERGY_2, r] / t_dust
        hop = nu1 * exponential(-parameters[BARRIER_1, r] / t_dust)
        hop += nu2 * exponential(-parameters[BARRIER_2, r] / t_dust)
        leave = nu1 * exponential(cold1) + nu2 * exponential(cold2)
        barrier = min(parameters[GAMMA, r] / t_dust, parameters[TUNNELLING, r])
        react = max(nu1, nu2) * exponential(-barrier)
        chance = react / (react + leave + hop)
        k[r] = parameters[SHARE, r] * parameters[ALPHA, r] * chance * hop / const.MONOLAYER


@inner(**UNCOUNTED)
def finish(table: RateTable, t_gas: float, density: float, k: Array) -> None:
    """Multiply by scale and powers of the density, and leave nothing where a row does not count."""
    powers, parameters = table.integers[DENSITY_POWER], table.parameters
    for r in range(k.size):
        scale = 1.0
        scale = density if powers[r] == 1 else scale
        scale = density * density if powers[r] == 2 else scale
        inside = (t_gas >= parameters[T_MIN, r]) & (t_gas < parameters[T_MAX, r])
        k[r] = k[r] * scale * parameters[SCALE, r] if inside else 0.0
