"""Abundances checked, clipped, scaled and cast in one pass: `AbundanceScaling.scale` for whole tables.

NumPy takes a pass over the memory for each of these steps. Here a value is read once and written once, and
the logarithm is a polynomial in float32 that the compiler vectorises. In scaled units it is within 2e-7 of
`AbundanceScaling.scale` in float64, as the rounding of NumPy's own float32 logarithm is.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from chemnet.data.scaling import AbundanceScaling
from chemnet.data.value_checks import LARGEST_ABUNDANCE

_F4, _I4 = np.float32, np.int32
_ZERO, _ONE = _F4(0), _F4(1)
_LN2 = _F4(math.log(2.0))
# bits of sqrt(1/2), and the bits of a float32's fraction
_SQRT_HALF, _FRACTION_BITS = _I4(0x3F3504F3), _I4(23)


def _polynomial(degree: int = 7, nodes: int = 400) -> tuple[np.float32, ...]:
    """Return p, lowest power first: ``ln(1 + t) = t p(t)`` within 6e-8 for 1 + t in [sqrt(1/2), sqrt(2)]."""
    low, high = math.sqrt(0.5) - 1.0, math.sqrt(2.0) - 1.0
    t = (high - low) / 2 * np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes) + (high + low) / 2
    fit = np.polynomial.Chebyshev.fit(t, np.log1p(t) / t, degree)
    return tuple(_F4(value) for value in fit.convert(kind=np.polynomial.Polynomial).coef)


_P0, _P1, _P2, _P3, _P4, _P5, _P6, _P7 = _polynomial()


def scale_abundances(
    values: np.ndarray, rows: np.ndarray, scaling: AbundanceScaling, out: np.ndarray
) -> bool:
    """Write some rows of `values`, scaled, into `out`.

    Parameters
    ----------
    values
        Abundances relative to H nuclei `(n_rows, n_species)`.
    rows
        The rows to take, int64 `(n,)`.
    scaling
        Gives the floor; values below it become 0, values above 1 become 1.
    out
        Is filled, float32 `(n, n_species)`, contiguous.

    Returns
    -------
    bool
        Whether all of them are abundances, from 0 to 2; where not, what was written for those that are holds.
    """
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    floor, slope = _F4(scaling.floor), _F4(-1.0 / math.log(scaling.floor))
    # handed over: what numba keeps on disk would go on with the constant that it was compiled with
    return bool(_scale(np.ascontiguousarray(values), rows, floor, slope, LARGEST_ABUNDANCE, out))


@numba.njit(cache=True, fastmath={"contract", "reassoc"})
def _scale(
    values: np.ndarray,
    rows: np.ndarray,
    floor: np.float32,
    slope: np.float32,
    largest: float,
    out: np.ndarray,
) -> bool:
    """Scale rows; return whether every value is finite and from 0 to `largest`."""
    sound = True
    for row in range(rows.size):
        source = rows[row]
        for column in range(values.shape[1]):
            value = values[source, column]
            # false for NaN
            sound &= (value >= 0.0) & (value <= largest)
            clipped = min(max(_F4(value), floor), _ONE)
            scaled = max(_log(clipped) * slope + _ONE, _ZERO)
            out[row, column] = scaled if clipped > floor else _ZERO
    return sound


@numba.njit(inline="always")
def _log(value: np.float32) -> np.float32:
    """Return the natural logarithm of a positive normal number, from its exponent and its mantissa."""
    bits = _F4(value).view(_I4)
    exponent = _I4((bits - _SQRT_HALF) >> _FRACTION_BITS)
    t = _I4(bits - (exponent << _FRACTION_BITS)).view(_F4) - _ONE
    p = _P7 * t + _P6
    p = p * t + _P5
    p = p * t + _P4
    p = p * t + _P3
    p = p * t + _P2
    p = p * t + _P1
    p = p * t + _P0
    return p * t + _F4(exponent) * _LN2
