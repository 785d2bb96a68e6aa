"""Rate coefficients of all reactions for given physical conditions, compiled once for any network."""

from __future__ import annotations

import math

from numpy.typing import NDArray

from chemnet.chemistry.rates import constants as const
from chemnet.chemistry.rates.arrhenius import (
    exponential,
    fill_arrhenius,
    fill_diffusion,
    fill_evaporation,
    fill_photon,
    finish,
)
from chemnet.chemistry.rates.constants import NUCLEI_PER_MAGNITUDE
from chemnet.chemistry.rates.grain import h2_formation, sticking_coefficient
from chemnet.chemistry.rates.photo import c_ionisation, co_dissociation, columns, h2_dissociation
from chemnet.chemistry.rates.table import (
    ALPHA,
    BETA,
    COLUMN_C,
    COLUMN_CO,
    COLUMN_H2,
    COLUMN_NUCLEI,
    DENSITY,
    DUST_TEMPERATURE,
    ENERGY_1,
    EXPRESSION,
    EXTINCTION,
    FIT_MAX,
    FIT_MIN,
    FORMULA,
    GAMMA,
    GAS_TEMPERATURE,
    LOG_FIT_MAX,
    LOG_FIT_MIN,
    RADIATION,
    SHARE,
    SPEED,
    ZETA,
    Formula,
    RateTable,
)
from chemnet.compiling import UNCOUNTED, compiled, inner

_ION_POLAR_1 = Formula.ION_POLAR_1.value
_EXPRESSION = Formula.EXPRESSION.value
_CRP = Formula.CRP.value
_CRPHOT = Formula.CRPHOT.value
_H2_PHOTON = Formula.H2_PHOTON.value
_CO_PHOTON = Formula.CO_PHOTON.value
_C_PHOTON = Formula.C_PHOTON.value
_FREEZE_H = Formula.FREEZE_H.value
_FREEZE_H2 = Formula.FREEZE_H2.value
_SURFACE_SWAP = Formula.SURFACE_SWAP.value
_H2_DESORPTION = Formula.H2_DESORPTION.value
_CR_DESORPTION = Formula.CR_DESORPTION.value
_UV_DESORPTION = Formula.UV_DESORPTION.value
_H2_FORMATION = Formula.H2_FORMATION.value


@compiled
def rate_coefficients(
    table: RateTable,
    conditions: NDArray,  # type: ignore[type-arg]
    c_abundance: float,
    cr_yield: float,
    expressions: NDArray,  # type: ignore[type-arg]
    k: NDArray,  # type: ignore[type-arg]
) -> None:
    """Fill `k` with the coefficients [s^-1]: flux = k x abundances x factor, powers of the density folded in.

    Parameters
    ----------
    table
        The compiled reactions.
    conditions
        Density [cm^-3], radiation field [Habing], Av [mag], gas and dust temperature [K], zeta [1.3e-17
        s^-1]; where there are ten, columns of H nuclei, H2, CO and C [cm^-2] that shield, or NaN.
    c_abundance
        Abundance of C, which shields its own ionisation.
    cr_yield
        Molecules desorbed per cosmic-ray hit.
    expressions
        Values of the `EXPRESSION` rates, shape (n_expressions,).
    k
        Output, shape (n_reactions,).
    """
    density, t_gas, t_dust = conditions[DENSITY], conditions[GAS_TEMPERATURE], conditions[DUST_TEMPERATURE]
    swap, arrhenius, photon = table.runs[0], table.runs[1], table.runs[2]
    evaporation, diffusion, rest = table.runs[3], table.runs[4], table.runs[5]
    log_t = math.log(t_gas / 300.0)
    fill_evaporation(table, swap, arrhenius, t_dust, k)
    fill_arrhenius(table, arrhenius, photon, t_gas, log_t, k)
    fill_photon(table, photon, evaporation, conditions[EXTINCTION], conditions[RADIATION], k)
    fill_evaporation(table, evaporation, diffusion, t_dust, k)
    fill_diffusion(table, diffusion, rest, t_dust, k)
    if t_dust > const.MAX_GRAIN_TEMPERATURE:
        for r in range(swap, arrhenius):
            k[r] = 0.0
        for r in range(diffusion, rest):
            k[r] = 0.0
    h2_on_gas, h2_on_dust = h2_formation(t_gas, t_dust), h2_formation(t_dust, t_dust)
    uv_field = conditions[RADIATION] / const.CR_PHOTON_FIELD * exponential(-1.8 * conditions[EXTINCTION])
    for r in range(rest, k.size):
        formula = table.integers[FORMULA, r]
        if formula <= _EXPRESSION:
            t_fit = min(max(t_gas, table.parameters[FIT_MIN, r]), table.parameters[FIT_MAX, r])
            value = _gas_coefficient(table, r, formula, t_fit, expressions)
        elif formula <= _CRPHOT:
            value = _cosmic_ray_coefficient(table, r, formula, conditions[ZETA], log_t)
        elif formula <= _C_PHOTON:
            value = _photon_coefficient(table, r, formula, conditions, c_abundance)
        elif formula <= _SURFACE_SWAP:
            value = _exchange_coefficient(table, r, formula, conditions)
        elif formula == _H2_DESORPTION:
            value = const.H2_YIELD * h2_on_gas * (table.parameters[ENERGY_1, r] <= const.H2_DESORPTION_LIMIT)
        elif formula == _H2_FORMATION:
            value = h2_on_dust
        else:
            value = _surface_coefficient(table, r, formula, conditions, cr_yield, uv_field)
        k[r] = value
    finish(table, t_gas, density, k)


@inner(**UNCOUNTED)
def _gas_coefficient(table: RateTable, r: int, formula: int, t_gas: float, expressions: NDArray) -> float:  # type: ignore[type-arg]
    """Return KIDA's ion-polar formulae and KROME's expressions."""
    if formula == _EXPRESSION:
        return expressions[table.integers[EXPRESSION, r]]
    strength = table.parameters[GAMMA, r] * math.sqrt(300.0 / t_gas)
    scale = table.parameters[ALPHA, r] * table.parameters[BETA, r]
    if formula == _ION_POLAR_1:
        return scale * (0.62 + 0.4767 * strength)
    return scale * (1.0 + 0.0967 * strength + strength * strength / 10.526)


@inner(**UNCOUNTED)
def _cosmic_ray_coefficient(table: RateTable, r: int, formula: int, zeta: float, log_t: float) -> float:
    """Return what cosmic rays and their photons do."""
    if formula == _CRP:
        return table.parameters[ALPHA, r] * zeta
    log_fit = min(max(log_t, table.parameters[LOG_FIT_MIN, r]), table.parameters[LOG_FIT_MAX, r])
    yield_ = table.parameters[ALPHA, r] * table.parameters[GAMMA, r] / (1.0 - const.ALBEDO)
    return yield_ * zeta * exponential(table.parameters[BETA, r] * log_fit)


@inner
def _photon_coefficient(
    table: RateTable,
    r: int,
    formula: int,
    conditions: NDArray,  # type: ignore[type-arg]
    c_abundance: float,
) -> float:
    """Return what the UV field does to H2, CO and C, which shield themselves."""
    av, radfield = conditions[EXTINCTION], conditions[RADIATION]
    h2, co, c = shielding_columns(conditions, c_abundance)
    if formula == _H2_PHOTON:
        return h2_dissociation(h2, radfield, av)
    if formula == _CO_PHOTON:
        return co_dissociation(h2, co, radfield, av, table.co_grid, table.co_shielding, table.co_curvature)
    t_gas = conditions[GAS_TEMPERATURE]
    return c_ionisation(table.parameters[ALPHA, r], table.parameters[GAMMA, r], t_gas, c, h2, av, radfield)


@inner
def shielding_columns(conditions: NDArray, c_abundance: float) -> tuple[float, float, float]:  # type: ignore[type-arg]
    """Return the columns of H2, CO and C [cm^-2] as they are given, or as they follow from H nuclei or Av."""
    av = conditions[EXTINCTION]
    if conditions.size <= COLUMN_C:
        nuclei, h2, co = columns(av)
        return h2, co, nuclei * c_abundance
    if conditions[COLUMN_NUCLEI] >= 0.0:
        av = conditions[COLUMN_NUCLEI] / NUCLEI_PER_MAGNITUDE
    nuclei, h2, co = columns(av)
    c = nuclei * c_abundance
    # a column that is not given is NaN, which no comparison finds
    if conditions[COLUMN_H2] >= 0.0:
        h2 = conditions[COLUMN_H2]
    if conditions[COLUMN_CO] >= 0.0:
        co = conditions[COLUMN_CO]
    if conditions[COLUMN_C] >= 0.0:
        c = conditions[COLUMN_C]
    return h2, co, c


@inner(**UNCOUNTED)
def _exchange_coefficient(table: RateTable, r: int, formula: int, conditions: NDArray) -> float:  # type: ignore[type-arg]
    """Return what moves between gas, surface and bulk without a reaction."""
    t_gas, t_dust = conditions[GAS_TEMPERATURE], conditions[DUST_TEMPERATURE]
    if t_dust > const.MAX_GRAIN_TEMPERATURE:
        return 0.0
    if formula == _SURFACE_SWAP:
        return table.parameters[ALPHA, r]
    rate = _collision_coefficient(table, r, t_gas)
    if formula == _FREEZE_H:
        return rate * sticking_coefficient(1.0, 52.0, t_gas)
    if formula == _FREEZE_H2:
        return rate * sticking_coefficient(0.87, 87.0, t_gas)
    return rate


@inner(**UNCOUNTED)
def _collision_coefficient(table: RateTable, r: int, t_gas: float) -> float:
    """Return how often a molecule hits a grain, with the pull of the grain's charge on ions."""
    focus = 1.0 + table.parameters[BETA, r] * 16.71e-4 / (const.GRAIN_RADIUS * t_gas)
    return (
        table.parameters[ALPHA, r]
        * focus
        * table.parameters[SPEED, r]
        * math.sqrt(t_gas)
        * const.GRAIN_SECTION
    )


@inner(**UNCOUNTED)
def _surface_coefficient(
    table: RateTable,
    r: int,
    formula: int,
    conditions: NDArray,  # type: ignore[type-arg]
    cr_yield: float,
    uv_field: float,
) -> float:
    """Return non-thermal desorption and the reactions on the surface."""
    zeta, t_dust = conditions[ZETA], conditions[DUST_TEMPERATURE]
    if formula == _CR_DESORPTION:
        flux = 4.0 * math.pi * zeta * const.IRON_FRACTION * const.GRAIN_AREA * cr_yield
        return flux * (table.parameters[ENERGY_1, r] <= const.CR_DESORPTION_LIMIT)
    if formula == _UV_DESORPTION:
        flux = const.GRAIN_SECTION * const.UV_YIELD * const.CR_PHOTON_FLUX * (zeta + uv_field)
        return flux * (table.parameters[ENERGY_1, r] <= const.UV_DESORPTION_LIMIT)
    if t_dust > const.MAX_GRAIN_TEMPERATURE:
        return 0.0
    rate = _collision_coefficient(table, r, conditions[GAS_TEMPERATURE])
    return table.parameters[SHARE, r] * rate * math.exp(-table.parameters[GAMMA, r] / t_dust)
