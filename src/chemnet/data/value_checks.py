"""Values that no tracer can have, refused with the file, tracer, row and column that hold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chemnet.errors import DataError

# Solvers overshoot zero by less than the abundances that anybody trusts; such values count as zero.
NEGATIVE_TOLERANCE = 1e-20
# Relative to H nuclei nothing exceeds the electrons of fully ionised H and HE, 1.2; more means other units.
LARGEST_ABUNDANCE = 2.0

Place = Callable[[int], str]


def check_time(time: np.ndarray, offsets: np.ndarray, place: Place) -> None:
    """Refuse times that are not finite or do not increase from row to row of a tracer.

    Parameters
    ----------
    time
        Time [yr] `(rows,)`.
    offsets
        Tracer t owns rows ``offsets[t]:offsets[t + 1]``.
    place
        Says where a row is: file, tracer and row.

    Raises
    ------
    DataError
        Naming the first such row.
    """
    _check_finite(time[:, None], ["Time"], place)
    stuck = np.diff(time, prepend=-np.inf) <= 0
    stuck[offsets[:-1][np.diff(offsets) > 0]] = False
    if stuck.any():
        row = int(np.argmax(stuck))
        raise DataError(
            f"{place(row)}: column 'Time' does not increase: {time[row]:.10g} follows {time[row - 1]:.10g}",
            hint="sort the table by tracer and time, and let each tracer have its own id",
        )


def check_physical(physical: np.ndarray, names: Sequence[str], place: Place) -> None:
    """Refuse physical parameters `(rows, n_physical)` that are not finite or not positive.

    Raises
    ------
    DataError
        Naming the first such value.
    """
    _check_finite(physical, names, place)
    if physical.size and physical.min() <= 0:
        row, column = _first(physical <= 0)
        raise DataError(
            f"{place(row)}: column '{names[column]}' is {physical[row, column]:.6g}; physical parameters are "
            "scaled by their logarithm and must be positive",
            hint="replace zeros by the smallest meaningful value, or drop it from data_set.physical"
            if physical[row, column] == 0
            else f'if it holds logarithms set data_set.log_columns = ["{names[column]}"]',
        )


def clip_abundance(abundance: np.ndarray, names: Sequence[str], place: Place) -> int:
    """Refuse abundances that are not finite, negative or far above 1; set tiny negative ones to 0 in place.

    Parameters
    ----------
    abundance
        Abundances relative to H nuclei `(rows, n_species)`.
    names
        Species names.
    place
        Says where a row is.

    Returns
    -------
    int
        How many values above -1e-20 were set to 0.

    Raises
    ------
    DataError
        Naming the first such value.
    """
    _check_finite(abundance, names, place)
    if not abundance.size:
        return 0
    if abundance.max() > LARGEST_ABUNDANCE:
        row, column = _first(abundance > LARGEST_ABUNDANCE)
        raise DataError(
            f"{place(row)}: abundance of '{names[column]}' is {abundance[row, column]:.6g} "
            f"(allowed: up to {LARGEST_ABUNDANCE:g})",
            hint="abundances are relative to H nuclei; number densities become such with "
            'data_set.abundance_per = "particle", which divides by the H nuclei in all species',
        )
    if abundance.min() >= 0:
        return 0
    if abundance.min() < -NEGATIVE_TOLERANCE:
        row, column = _first(abundance < -NEGATIVE_TOLERANCE)
        raise DataError(
            f"{place(row)}: abundance of '{names[column]}' is negative: {abundance[row, column]:.6g} "
            f"(allowed from a solver's noise: above -{NEGATIVE_TOLERANCE:g})",
            hint="check the run that made this tracer; if these are logarithms set "
            'data_set.log_columns = ["abundances"]',
        )
    negative = abundance < 0
    abundance[negative] = 0.0
    return int(negative.sum())


def _check_finite(values: np.ndarray, names: Sequence[str], place: Place) -> None:
    # NaN and infinity show in the extremes: no mask for the many good blocks
    if values.size and not np.isfinite([values.min(), values.max()]).all():
        finite = np.isfinite(values)
        row, column = _first(~finite)
        word = "NaN" if np.isnan(values[row, column]) else f"{values[row, column]}"
        raise DataError(
            f"{place(row)}: column '{names[column]}' is {word}",
            hint='mend the value, or leave such tracers out with data_set.nan_mode = "drop_tracer"',
        )


def _first(mask: np.ndarray) -> tuple[int, int]:
    """Return row and column of the first true value, in row order."""
    row, column = np.unravel_index(int(np.argmax(mask)), mask.shape)
    return int(row), int(column)
