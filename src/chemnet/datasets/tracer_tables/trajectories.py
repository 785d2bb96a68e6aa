"""From a table's conventions to chemnet's: parameters at the start of each step, an initial row at time 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# UCLCHEM's default initial abundances relative to H nuclei; electrons balance the cations.
_NEUTRALS = {"H": 0.5, "H2": 0.25, "HE": 0.1, "N": 6.18e-5, "O": 3.34e-4, "MG": 2.256e-6}
_CATIONS = {"C+": 1.77e-4, "S+": 3.51e-6, "SI+": 1.78e-6, "CL+": 3.39e-8}
STANDARD_INITIAL = {**_NEUTRALS, **_CATIONS, "E-": sum(_CATIONS.values())}


def parameters_to_start(physical: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Turn parameters stored at the end of each step into parameters stored at its start.

    Parameters
    ----------
    physical
        Row i + 1 drives the step from row i to i + 1 `(rows, n_physical)`.
    offsets
        Tracer t owns rows ``offsets[t]:offsets[t + 1]``.

    Returns
    -------
    ndarray
        Row i drives the step from row i to i + 1, same shape. A tracer's last row drives nothing and keeps its own.

    Examples
    --------
    >>> parameters_to_start(np.array([[1.0], [2.0], [3.0], [8.0], [9.0]]), np.array([0, 3, 5])).ravel()
    array([2., 3., 3., 9., 9.])
    """
    rows = np.arange(len(physical)) + 1
    last = offsets[1:][np.diff(offsets) > 0] - 1
    rows[last] = last
    return physical[rows]


def standard_initial(species: Sequence[str]) -> np.ndarray:
    """Return UCLCHEM's default initial abundances in the order of `species`, 0 for the rest, `(n_species,)`."""
    return np.array([STANDARD_INITIAL.get(name, 0.0) for name in species])


def insert_rows(values: np.ndarray, offsets: np.ndarray, first_rows: np.ndarray | float) -> np.ndarray:
    """Return `values` with one more row in front of each tracer.

    Parameters
    ----------
    values
        `(rows,)` or `(rows, columns)`.
    offsets
        Tracer t owns rows ``offsets[t]:offsets[t + 1]``.
    first_rows
        The new rows: one for all tracers, or one each.
    """
    return np.insert(values, offsets[:-1], first_rows, axis=0)
