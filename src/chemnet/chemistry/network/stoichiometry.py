"""Element and charge matrices of a list of species."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chemnet.chemistry.network.elements import WEIGHTS_IN_CAPITALS
from chemnet.chemistry.network.species import parse_species
from chemnet.chemistry.network.species_names import refuse_accidents
from chemnet.errors import DataError, suggest


def element_names(species: Iterable[str]) -> tuple[str, ...]:
    """Return the elements that occur in some species, in capitals and by increasing atomic weight.

    Parameters
    ----------
    species
        Species names.

    Raises
    ------
    DataError
        A name is no formula, or reads as one by accident (`naming.accidental_elements`).

    Examples
    --------
    >>> element_names(["CO", "H2O", "SIO", "E-"])
    ('H', 'C', 'O', 'SI')
    """
    names = list(species)
    refuse_accidents(names)
    return _by_weight(parse_species(name).elements for name in names)


def stoichiometric_matrix(
    species: Sequence[str], elements: Sequence[str] | None = None
) -> npt.NDArray[np.float64]:
    """Return the number of atoms of each element in each species.

    Abundances times this matrix are the element totals, which chemistry conserves.

    Parameters
    ----------
    species
        Species names, `n_species` of them.
    elements
        Columns of the matrix, as symbols in either spelling; None: `element_names(species)`. An element
        that is left out has no column.

    Returns
    -------
    ndarray
        Shape `(n_species, n_elements)`, float64.

    Raises
    ------
    DataError
        A name is no formula, or reads as one by accident; or an element is unknown.

    Examples
    --------
    >>> stoichiometric_matrix(["H2O", "#CO", "E-"], ["H", "C", "O"])
    array([[2., 0., 1.],
           [0., 1., 1.],
           [0., 0., 0.]])
    """
    atoms = [parse_species(name).elements for name in species]
    columns = element_names(species) if elements is None else tuple(element.upper() for element in elements)
    for element in columns:
        if element not in WEIGHTS_IN_CAPITALS:
            raise DataError(f"unknown element {element!r}", hint=suggest(element, WEIGHTS_IN_CAPITALS))
    counts = [[elements.get(element, 0) for element in columns] for elements in atoms]
    return np.array(counts, dtype=np.float64).reshape(len(species), len(columns))


def charges(species: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the charge of each species [elementary charges], shape `(n_species,)`.

    Raises
    ------
    DataError
        A name is not a formula.

    Examples
    --------
    >>> charges(["H3O+", "E-", "He++", "#CO"])
    array([ 1., -1.,  2.,  0.])
    """
    return np.array([parse_species(name).charge for name in species], dtype=np.float64)


def masses(species: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the mass of each species [amu], shape `(n_species,)`.

    Raises
    ------
    DataError
        A name is not a formula.

    Examples
    --------
    >>> masses(["H2O", "#H2O"]).round(3)
    array([18.015, 18.015])
    """
    return np.array([parse_species(name).mass for name in species], dtype=np.float64)


def _by_weight(atoms: Iterable[Mapping[str, int]]) -> tuple[str, ...]:
    found = {element for elements in atoms for element in elements}
    return tuple(sorted(found, key=lambda element: WEIGHTS_IN_CAPITALS[element]))
