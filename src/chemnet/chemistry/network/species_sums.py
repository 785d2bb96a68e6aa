"""Names that a person asks for: a species in any spelling, or all its ice together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.species import is_species, standard_name
from chemnet.errors import DataError, suggest

TOTAL_ICE = "$"
"""Stands before a formula for the sum of its ice on the surface and in the bulk."""


def positions_of(name: str, species: Sequence[str]) -> tuple[int, ...]:
    """Return which of some species a name asks for.

    Parameters
    ----------
    name
        A species in any spelling, or ``$`` and a formula for the ice on the surface and in the bulk together.
    species
        Names, in the order of abundance arrays.

    Raises
    ------
    DataError
        None of the species is meant.

    Examples
    --------
    >>> positions_of("$H2O", ["CO", "#H2O", "@H2O"]), positions_of("co", ["CO", "#H2O", "@H2O"])
    ((1, 2), (0,))
    """
    if name in species:
        return (list(species).index(name),)
    total = name.startswith(TOTAL_ICE)
    formula = name.removeprefix(TOTAL_ICE)
    spellings = [spelling for spelling in (formula, formula.upper()) if is_species(spelling)]
    for spelling in spellings:
        standard = standard_name(spelling)
        wanted = {f"#{standard}", f"@{standard}"} if total else {standard}
        found = tuple(i for i, one in enumerate(species) if is_species(one) and standard_name(one) in wanted)
        if found:
            return found
    what = f"no ice of {formula!r}" if total else f"no species {name!r}"
    raise DataError(f"there is {what} here", hint=suggest(f"#{formula}" if total else name, species))


def summed_abundances(
    abundances: NDArray[np.floating], names: Sequence[str], species: Sequence[str]
) -> NDArray[np.floating]:
    """Return the abundances that some names ask for, ice in one sum where a name begins with ``$``.

    Parameters
    ----------
    abundances
        `(..., n_species)`, relative to H nuclei.
    names
        As for `positions_of`.
    species
        Names of the columns.

    Returns
    -------
    ndarray
        `(..., n_names)`.

    Raises
    ------
    DataError
        A name asks for none of the species.

    Examples
    --------
    >>> summed_abundances(np.array([1e-5, 2e-6, 3e-6]), ["$CO", "CO"], ["CO", "#CO", "@CO"])
    array([5.e-06, 1.e-05])
    """
    columns = [abundances[..., list(positions_of(name, species))].sum(axis=-1) for name in names]
    return np.stack(columns, axis=-1) if columns else np.empty((*abundances.shape[:-1], 0))
