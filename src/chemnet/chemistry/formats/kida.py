"""The Kinetic Database for Astrochemistry, KIDA (Wakelam et al. 2012, 2015): rows of fixed width.

Columns (from 0): 0-33 three reactants of 11 characters and a blank; 34-89 five products and a blank; A, B, C
of 10 characters and a blank each, from 90; 123-148 uncertainties and reaction class; from 149 Tmin, Tmax,
formula and notes, apart by blanks (printed descriptions differ by a column there). Formulae that chemnet
knows, T in K, zeta in s^-1:

- 1: `A zeta` (kind CRP)
- 2: `A exp(-C Av)` (PHOTON)
- 3: `A (T/300)^B exp(-C/T)` (TWOBODY)
- 4: `A B (0.62 + 0.4767 C sqrt(300/T))` (IONPOL1)
- 5: `A B (1 + 0.0967 C sqrt(300/T) + C^2 300/(10.526 T))` (IONPOL2)

-9999 and 9999 stand for an unknown range, that is no limit.
"""

from __future__ import annotations

import math
from pathlib import Path

from chemnet.chemistry.formats.row_files import (
    COSMIC_RAY_UNIT,
    data_lines,
    decimal,
    network_species,
    read_rows,
    require_reactants,
    species_names,
    split_partner,
)
from chemnet.chemistry.network.network import NetworkSpecies, Reaction
from chemnet.errors import DataError

FORMULAE = {"1": "CRP", "2": "PHOTON", "3": "TWOBODY", "4": "IONPOL1", "5": "IONPOL2"}
"""KIDA's formula number and chemnet's kind."""

PARTNERS = {"CR": "1", "CRP": "1", "Photon": "2"}
"""Words in a reactant's place that are no species, and the formula that goes with them."""

_COMMENTS = ("!", "#")
_NAME = 11
_REACTANTS = range(0, 33, _NAME)
_PRODUCTS = range(34, 89, _NAME)
_NUMBERS = {"A": slice(90, 101), "B": slice(101, 112), "C": slice(112, 123)}
_TAIL = 149
_UNKNOWN_TEMPERATURE = 9999.0
_EXAMINED = 20


def matches(path: Path) -> bool:
    """Whether one of the first rows of `path` has numbers where KIDA has A, B and C."""
    if not path.is_file():
        return False
    return any(_has_numbers(line) for _, line in data_lines(path, _COMMENTS)[:_EXAMINED])


def read(path: Path) -> tuple[list[NetworkSpecies], list[Reaction]]:
    """Read a file in KIDA's format.

    Parameters
    ----------
    path
        File such as kida.uva.2014.

    Returns
    -------
    tuple
        Species in order of appearance, and reactions. The A of formula 1, a multiple of the ionisation rate,
        becomes the rate [s^-1] at chemnet's unit of 1.3e-17 s^-1.

    Raises
    ------
    DataError
        Rows that are too short, with a bad number, a name that is no formula, or a formula other than 1 to 5
        (0, 10 and 11 are grain processes, 6 is a three-body fall-off); each is named by file and line.
    """
    reactions = read_rows(path, data_lines(path, _COMMENTS), _reactions)
    return network_species(reactions), reactions


def _has_numbers(line: str) -> bool:
    """Whether A, B and C of a row are numbers."""
    try:
        return all(math.isfinite(float(line[_NUMBERS[name]])) for name in "ABC")
    except ValueError:
        return False


def _reactions(line: str, where: str) -> list[Reaction]:
    """Make the reaction of one row, in a list."""
    number = {name: decimal(line[place], name, where) for name, place in _NUMBERS.items()}
    tail = line[_TAIL:].split()
    if len(tail) < 3:
        raise DataError(
            f"{where}: {len(line.rstrip())} characters end before Tmin, Tmax and formula",
            hint="the columns have fixed widths: do not let an editor shrink the blanks",
        )
    kind, reactants, products = _participants(line, tail[2], where)
    t_min, t_max = _limits(decimal(tail[0], "Tmin", where), decimal(tail[1], "Tmax", where), where)
    return [
        Reaction(
            reactants=reactants,
            products=products,
            kind=kind,
            alpha=number["A"] * (COSMIC_RAY_UNIT if kind == "CRP" else 1.0),
            beta=number["B"],
            gamma=number["C"],
            t_min=t_min,
            t_max=t_max,
            reference="KIDA",
            source=where,
        )
    ]


def _participants(line: str, formula: str, where: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return chemnet's kind, the reactants and the products of a row."""
    if formula not in FORMULAE:
        raise DataError(
            f"{where}: formula {formula} is not supported ({line[:34].strip()} ...)",
            hint=f"chemnet knows formulae {', '.join(FORMULAE)}: take this row out or convert it",
        )
    names, partner = split_partner([line[start : start + _NAME] for start in _REACTANTS], PARTNERS)
    if PARTNERS.get(partner, "") != (formula if formula in PARTNERS.values() else ""):
        raise DataError(
            f"{where}: formula {formula} does not fit the reactants {line[:34].split()}",
            hint="formula 1 goes with CR or CRP, 2 with Photon, 3 to 5 with two species",
        )
    require_reactants(names, FORMULAE[formula], 1 if partner else 2, where)
    left_over, _ = split_partner([line[start : start + _NAME] for start in _PRODUCTS], PARTNERS)
    return FORMULAE[formula], species_names(names, where), species_names(left_over, where)


def _limits(lowest: float, highest: float, where: str) -> tuple[float, float]:
    """Return the temperature range [K], with KIDA's words for unknown limits replaced."""
    if highest < lowest:
        raise DataError(
            f"{where}: Tmin = {lowest:g} K is above Tmax = {highest:g} K", hint="correct the two columns"
        )
    return max(lowest, 0.0), math.inf if highest >= _UNKNOWN_TEMPERATURE else highest
