"""From a table's conventions to chemnet's: parameters at the start of each step, an initial row at time 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chemnet.chemistry.network.initial_abundances import ELECTRON, STANDARD_ABUNDANCES
from chemnet.chemistry.network.species import parse_species, standard_name


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
        Row i drives the step from row i to i + 1, same shape. A tracer's last row drives nothing and keeps
        its own.

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
    """Return UCLCHEM's default initial abundances, those of the electrons balancing the cations.

    Parameters
    ----------
    species
        Species names in either spelling; those without a standard abundance get 0.

    Returns
    -------
    ndarray
        Relative to H nuclei, `(n_species,)`.

    Examples
    --------
    >>> standard_initial(["H2", "CO", "C+", "E-"])
    array([2.50e-01, 0.00e+00, 1.77e-04, 1.77e-04])
    """
    names = [standard_name(name) for name in species]
    abundance = np.array([STANDARD_ABUNDANCES.get(name, 0.0) for name in names])
    if ELECTRON in names:
        abundance[names.index(ELECTRON)] = sum(
            value * parse_species(name).charge for name, value in zip(names, abundance, strict=True)
        )
    return abundance


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
