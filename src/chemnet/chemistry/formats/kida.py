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

Exactly -9999 and 9999 stand for an unknown range, that is no limit. Where the formula contradicts the partner
(CRP rows labelled 2, photon rows labelled 1) the partner counts. Outside its range a reaction keeps the rate
of the nearest limit, as KIDA's authors run it (Wakelam et al. 2012 advise against extrapolation).
"""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path

from chemnet.chemistry.formats.row_files import (
    COSMIC_RAY_UNIT,
    Reading,
    network_species,
    require_reactants,
    split_partner,
)
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.errors import DataError
from chemnet.text_files import data_lines, is_number, number

FORMULAE = {"1": "CRP", "2": "PHOTON", "3": "TWOBODY", "4": "IONPOL1", "5": "IONPOL2"}
"""KIDA's formula number and chemnet's kind."""

PARTNERS = {"CR": "CRP", "CRP": "CRP", "Photon": "PHOTON"}
"""Words in a reactant's place that are no species, and chemnet's kind of such a reaction."""

RATES = {"CRP": "A zeta", "PHOTON": "A exp(-C Av)"}
"""Rate coefficients of the kinds with a partner."""

WITHOUT_RATE = {
    "0": "a process of charged grains, whose rate the file does not give",
    "6": "a three-body fall-off",
    "10": "formation of H2 on grains, whose rate the file does not give",
    "11": "formation of H2 on grains, whose rate the file does not give",
}
"""What formulae are that chemnet has no rate for."""

NAUTILUS_FILES = ("gas_reactions.in", "grain_reactions.in")
"""Files in KIDA's columns that a folder of Nautilus holds."""

_ON_GRAINS = re.compile(r"[JKbs][A-Zclo]")  # Nautilus marks ice by these letters
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
    lines = [line for file in _files(path)[:1] for _, line in data_lines(file, _COMMENTS)[:_EXAMINED]]
    return any(all(is_number(line[place]) for place in _NUMBERS.values()) for line in lines)


def read(path: Path, reading: Reading | None = None) -> tuple[list[NetworkSpecies], list[Reaction]]:
    """Read a file in KIDA's format.

    Parameters
    ----------
    path
        File such as kida.uva.2014.
    reading
        How names, ranges and unreadable rows are taken.

    Returns
    -------
    tuple
        Species in order of appearance, and reactions. The A of cosmic rays, a multiple of the ionisation
        rate, becomes the rate [s^-1] at chemnet's unit of 1.3e-17 s^-1.

    Raises
    ------
    DataError
        Rows that are too short, with a bad number, a name that is no formula, or a formula other than 1 to 5;
        each is named by file and line.
    """
    reading = reading or Reading()
    rows = functools.partial(_reactions, reading)
    reactions = [
        reaction
        for file in _files(path)
        for reaction in reading.read_rows(file, data_lines(file, _COMMENTS), rows)
    ]
    return network_species(reactions), reactions


def _files(path: Path) -> list[Path]:
    """Return the files of reactions that a path stands for: itself, or those of a folder of Nautilus."""
    if path.is_file():
        return [path]
    return [path / name for name in NAUTILUS_FILES if (path / name).is_file()]


def _reactions(reading: Reading, line: str, where: str) -> list[Reaction]:
    values = {name: number(line[place], name, where) for name, place in _NUMBERS.items()}
    tail = line[_TAIL:].split()
    if len(tail) < 3:
        raise DataError(
            f"{where}: {len(line.rstrip())} characters end before Tmin, Tmax and formula",
            hint="the columns have fixed widths: do not let an editor shrink the blanks",
        )
    kind, partner, reactants, products = _participants(reading, line, tail[2], where)
    t_min, t_max = _limits(number(tail[0], "Tmin", where), number(tail[1], "Tmax", where), where)
    return [
        Reaction(
            reactants=reactants,
            products=products,
            kind=kind,
            alpha=values["A"] * (COSMIC_RAY_UNIT if kind == "CRP" else 1.0),
            beta=values["B"],
            gamma=values["C"],
            t_min=t_min,
            t_max=t_max,
            outside=reading.outside("clamp"),
            partner="CRPHOT" if partner == "CRP" else "",
            reference="KIDA",
            source=where,
        )
    ]


def _participants(
    reading: Reading, line: str, formula: str, where: str
) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    """Return chemnet's kind, the partner that is no species, the reactants and the products of a row."""
    if formula == "0" and any(map(_ON_GRAINS.match, line[: _NUMBERS["A"].start].split())):
        raise DataError(
            f"{where}: {line[:34].split()} react on grains; Nautilus computes their rate from "
            f"surface_parameters.in and "
            "by formulas of its own",
            hint="give its gas_reactions.in alone, or leave the rows on grains out with "
            "network.skip_unreadable=true",
        )
    if formula not in FORMULAE:
        raise DataError(
            f"{where}: formula {formula} is not supported ({line[:34].strip()} ...)"
            f"{': ' * (formula in WITHOUT_RATE)}{WITHOUT_RATE.get(formula, '')}",
            hint=f"chemnet knows formulae {', '.join(FORMULAE)}: take this row out, convert it, or "
            f"leave all such rows "
            "out with network.skip_unreadable=true",
        )
    names, partner = split_partner([line[start : start + _NAME] for start in _REACTANTS], PARTNERS)
    kind = PARTNERS.get(partner, FORMULAE[formula])
    if not partner and formula in ("1", "2"):
        raise DataError(
            f"{where}: formula {formula} does not fit the reactants {line[:34].split()}",
            hint="formula 1 goes with CR or CRP, 2 with Photon, 3 to 5 with two species",
        )
    if kind != FORMULAE[formula]:
        reading.notice(
            f"{partner} rows with formula {formula} are read by their reactant: {RATES[kind]}", where
        )
    require_reactants(names, kind, 1 if partner else 2, where)
    left_over, _ = split_partner([line[start : start + _NAME] for start in _PRODUCTS], PARTNERS)
    return kind, partner, reading.names(names, where), reading.names(left_over, where)


def _limits(lowest: float, highest: float, where: str) -> tuple[float, float]:
    """Return the temperature range [K], with KIDA's words for unknown limits replaced."""
    if highest < lowest:
        raise DataError(
            f"{where}: Tmin = {lowest:g} K is above Tmax = {highest:g} K", hint="correct the two columns"
        )
    return max(lowest, 0.0), math.inf if highest == _UNKNOWN_TEMPERATURE else highest
