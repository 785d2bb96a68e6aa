"""Photodissociation of H2 and CO and photoionisation of C, which shield themselves."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.rates.constants import HABING_PER_DRAINE, NUCLEI_PER_MAGNITUDE
from chemnet.compiling import compiled, inner

# extinction relative to V by wavelength [Angstrom]: Savage & Mathis 1979, ARA&A 17, 73
# fmt: off
_WAVELENGTH = np.array(
    [910, 950, 1000, 1050, 1110, 1180, 1250, 1390, 1490, 1600, 1700, 1800, 1900, 2000, 2100,
     2190, 2300, 2400, 2500, 2740, 3440, 4000, 4400, 5500, 7000, 9000, 12500, 22000, 34000, 1e9],
    dtype=np.float64,
)
_EXTINCTION = np.array(
    [5.76, 5.18, 4.65, 4.16, 3.73, 3.40, 3.11, 2.74, 2.63, 2.62, 2.54, 2.50, 2.58, 2.78, 3.01,
     3.12, 2.86, 2.58, 2.35, 2.00, 1.58, 1.42, 1.32, 1.00, 0.75, 0.48, 0.28, 0.12, 0.05, 0.0]
)
# fmt: on

CO_COLUMN_GRID = np.arange(12.0, 20.0)
"""log10 of the CO columns [cm^-2] of the shielding table."""
H2_COLUMN_GRID = np.arange(18.0, 24.0)
"""log10 of the H2 columns [cm^-2] of the shielding table."""
CO_SHIELDING = np.array(
    [
        [0.0, -0.01408, -0.1099, -0.44, -1.154, -1.888, -2.760, -4.001],
        [-0.08539, -0.1015, -0.2104, -0.5608, -1.272, -1.973, -2.818, -4.055],
        [-0.1451, -0.1612, -0.2708, -0.6273, -1.355, -2.057, -2.902, -4.122],
        [-0.4559, -0.4666, -0.5432, -0.8665, -1.602, -2.303, -3.146, -4.421],
        [-1.303, -1.312, -1.367, -1.676, -2.305, -3.034, -3.758, -5.077],
        [-3.883, -3.888, -3.936, -4.197, -4.739, -5.165, -5.441, -6.446],
    ]
)
"""log10 of the CO line shielding by (N_H2, N_CO): van Dishoeck & Black 1988, ApJ 334, 771, table 5."""

_H2_RATE = 5.18e-11  # unshielded [s^-1], Draine field
_H2_WAVELENGTH = 1000.0  # Angstrom
_H2_DOPPLER_WIDTH = 1e10  # s^-1: 1 km/s at 1000 Angstrom
_H2_RADIATIVE_WIDTH = 8e7  # s^-1
_CO_RATE = 2e-10  # unshielded [s^-1], Draine field
_CO_WAVELENGTHS = (913.6, 1076.1)  # Angstrom, the outermost dissociating bands
C_CROSS_SECTION = 1.1e-17
"""Photoionisation of C [cm^2]."""


def spline_curvature(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return second derivatives at the knots of the natural cubic spline through (x, y), shape of x."""
    n = len(x)
    system = np.eye(n)
    right = np.zeros(n)
    for i in range(1, n - 1):
        below, above = x[i] - x[i - 1], x[i + 1] - x[i]
        system[i, i - 1 : i + 2] = below / 6, (below + above) / 3, above / 6
        right[i] = (y[i + 1] - y[i]) / above - (y[i] - y[i - 1]) / below
    return np.linalg.solve(system, right).astype(np.float64)


_EXTINCTION_CURVATURE = spline_curvature(_WAVELENGTH, _EXTINCTION)


def co_shielding_tables(
    as_uclchem_reads_it: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the CO grid, the table (n_CO, n_H2) and its curvature along N_H2.

    Parameters
    ----------
    as_uclchem_reads_it
        UCLCHEM hands the 8 x 6 table to a routine that expects 7 x 6, so that the figures shift and six are
        lost.
    """
    table = CO_SHIELDING.ravel()[:42].reshape(6, 7) if as_uclchem_reads_it else CO_SHIELDING
    by_co = np.ascontiguousarray(table.T)
    curvature = np.array([spline_curvature(H2_COLUMN_GRID, row) for row in by_co])
    return CO_COLUMN_GRID[: len(by_co)].copy(), by_co, curvature


@inner
def _spline(x: float, knots: NDArray, values: NDArray, curvature: NDArray) -> float:  # type: ignore[type-arg]
    """Evaluate a cubic spline at `x`, held constant outside its knots."""
    last = knots.size - 1
    x = min(max(x, knots[0]), knots[last])
    i = 1
    while i < last and knots[i] < x:
        i += 1
    step = knots[i] - knots[i - 1]
    a = (knots[i] - x) / step
    b = (x - knots[i - 1]) / step
    bend = (a**3 - a) * curvature[i - 1] + (b**3 - b) * curvature[i]
    return a * values[i - 1] + b * values[i] + bend * step * step / 6


@inner
def _natural_curvature(knots: NDArray, values: NDArray) -> NDArray:  # type: ignore[type-arg]
    """Return the curvature of the natural spline on equally spaced knots one apart (Thomas algorithm)."""
    n = knots.size
    curvature, ratio = np.zeros(n), np.zeros(n)
    for i in range(1, n - 1):
        pivot = 4.0 - ratio[i - 1]
        ratio[i] = 1.0 / pivot
        second = 6.0 * (values[i + 1] - 2.0 * values[i] + values[i - 1])
        curvature[i] = (second - curvature[i - 1]) / pivot
    for i in range(n - 2, 0, -1):
        curvature[i] -= ratio[i] * curvature[i + 1]
    return curvature


@compiled
def scattering(wavelength: float, av: float) -> float:
    """Return the share of light at `wavelength` [Angstrom] behind `av` magnitudes of dust.

    Wagenblast & Hartquist 1989, MNRAS 237, 1019.
    """
    relative = max(_spline(wavelength, _WAVELENGTH, _EXTINCTION, _EXTINCTION_CURVATURE), 0.0)
    tau = av / 1.086 * relative
    if tau < 1.0:
        return math.exp(-0.7514 * tau)
    return (
        2.006 * math.exp(-0.849 * tau)
        - 1.438 * math.exp(-1.013 * tau)
        + 0.7364 * math.exp(-1.282 * tau)
        - 0.5076 * math.exp(-2.005 * tau)
        - 0.0592 * math.exp(-5.832 * tau)
    )


@compiled
def columns(av: float) -> tuple[float, float, float]:
    """Return the columns of H nuclei, H2 and CO [cm^-2] that stand before `av` magnitudes."""
    nuclei = av * NUCLEI_PER_MAGNITUDE
    h2 = 0.5 * (1.0 - 0.5 * math.exp(-av / 0.5)) * nuclei
    co = nuclei * (1e-4 * (1.0 - math.exp(-((av / 2.0) ** 2))) + 1e-9)
    return nuclei, h2, co


@compiled
def h2_self_shielding(h2_column: float) -> float:
    """Return the shielding factor of the H2 lines: Federman, Glassgold & Kwan 1979, ApJ 227, 466."""
    tau = 0.5 * h2_column * 1.5e-2 * 1e-2 / _H2_DOPPLER_WIDTH
    if tau < 2.0:
        core = math.exp(-2.0 / 3.0 * tau)
    elif tau < 10.0:
        core = 0.638 * tau**-1.25
    elif tau < 100.0:
        core = 0.505 * tau**-1.15
    else:
        core = 0.344 * tau**-1.0667
    r = _H2_RADIATIVE_WIDTH / (math.sqrt(math.pi) * _H2_DOPPLER_WIDTH)
    t = 3.02 * (1e3 * r) ** -0.064
    u = math.sqrt(tau * r) / t
    return core + r / (t * math.sqrt(math.pi / 4.0 + u * u))


@compiled
def h2_dissociation(h2_column: float, radfield: float, av: float) -> float:
    """Return the photodissociation rate of H2 [s^-1]."""
    dust = scattering(_H2_WAVELENGTH, av)
    return _H2_RATE * radfield / HABING_PER_DRAINE * dust * h2_self_shielding(h2_column)


@compiled
def co_line_shielding(
    h2_column: float,
    co_column: float,
    grid: NDArray,  # type: ignore[type-arg]
    table: NDArray,  # type: ignore[type-arg]
    curvature: NDArray,  # type: ignore[type-arg]
) -> float:
    """Return the shielding factor of the CO lines by a spline in both columns."""
    x_h2 = math.log10(h2_column + 1.0)
    along_co = np.empty(grid.size)
    for i in range(grid.size):
        along_co[i] = _spline(x_h2, H2_COLUMN_GRID, table[i], curvature[i])
    bend = _natural_curvature(grid, along_co)
    return 10.0 ** _spline(math.log10(co_column + 1.0), grid, along_co, bend)


@compiled
def co_dissociation(
    h2_column: float,
    co_column: float,
    radfield: float,
    av: float,
    grid: NDArray,  # type: ignore[type-arg]
    table: NDArray,  # type: ignore[type-arg]
    curvature: NDArray,  # type: ignore[type-arg]
) -> float:
    """Return the photodissociation rate of CO [s^-1]: van Dishoeck & Black 1988."""
    u = math.log10(co_column + 1.0)
    w = math.log10(h2_column + 1.0)
    mean = (5675.0 - 200.6 * w) - (571.6 - 24.09 * w) * u + (18.22 - 0.7664 * w) * u * u
    mean = min(max(mean, _CO_WAVELENGTHS[0]), _CO_WAVELENGTHS[1])
    shielding = co_line_shielding(h2_column, co_column, grid, table, curvature)
    return _CO_RATE * radfield / HABING_PER_DRAINE * shielding * scattering(mean, av)


@compiled
def c_ionisation(
    alpha: float, gamma: float, t_gas: float, c_column: float, h2_column: float, av: float, radfield: float
) -> float:
    """Return the photoionisation rate of C [s^-1], shielded by dust, C itself and the lines of H2."""
    lines = 0.9 * t_gas**0.27 * (h2_column / 1.59e21) ** 0.45
    tau = gamma * av + C_CROSS_SECTION * c_column + lines
    return alpha * radfield / HABING_PER_DRAINE * math.exp(-tau)
