"""Networks of Ohio State University, such as osu_01_2009 (Harada & Herbst 2008): rows of fixed width.

Columns (from 0): 0-23 three reactants of 8 characters, 24-63 five products, 64-72, 73-81, 82-90 alpha, beta,
gamma, 91-92 the type, then number and uncertainty. Types: 1 cosmic rays and their photons, `alpha zeta` (kind
CRP); 13 photons, `alpha exp(-gamma Av)` (PHOTON); 2 to 12 `alpha (T/300)^beta exp(-gamma/T)` (TWOBODY); 0
processes on grains, whose rate the file does not give. There are no temperature ranges. Older files begin
with a list of species.
"""

from __future__ import annotations

import functools
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

KINDS = {"1": "CRP", "13": "PHOTON"} | {str(code): "TWOBODY" for code in range(2, 13)}
"""Type number and chemnet's kind."""

PARTNERS = {"CRP": "CRP", "CR": "CRP", "CRPHOT": "CRP", "PHOTON": "PHOTON"}
"""Words that some files have in a reactant's place, and chemnet's kind of such a reaction."""

_COMMENTS = ("!", "#")
_NAME = 8
_REACTANTS = range(0, 24, _NAME)
_PRODUCTS = range(24, 64, _NAME)
_NUMBERS = {"alpha": slice(64, 73), "beta": slice(73, 82), "gamma": slice(82, 91)}
_TYPE = slice(91, 93)


def matches(path: Path) -> bool:
    """Whether one of the first rows of `path` has numbers and a type where OSU's networks have them."""
    if not path.is_file():
        return False
    return any(_is_row(line) for _, line in _rows(path))


def read(path: Path, reading: Reading | None = None) -> tuple[list[NetworkSpecies], list[Reaction]]:
    """Read a network of OSU.

    Parameters
    ----------
    path
        File such as osu_01_2009.
    reading
        How names and unreadable rows are taken.

    Returns
    -------
    tuple
        Species in order of appearance, and reactions. The alpha of cosmic rays, a multiple of the ionisation
        rate, becomes the rate [s^-1] at chemnet's unit of 1.3e-17 s^-1.

    Raises
    ------
    DataError
        Rows with a bad number, a name that is no formula or a type without a rate; each is named by file and
        line.
    """
    reading = reading or Reading()
    rows = functools.partial(_reactions, reading)
    reactions = reading.read_rows(path, _rows(path), rows)
    return network_species(reactions), reactions


def _rows(path: Path) -> list[tuple[int, str]]:
    """Return the lines that have something where the numbers of a reaction stand."""
    return [(line, text) for line, text in data_lines(path, _COMMENTS) if text[64:93].strip()]


def _is_row(line: str) -> bool:
    return line[_TYPE].strip().isdigit() and all(is_number(line[place]) for place in _NUMBERS.values())


def _reactions(reading: Reading, line: str, where: str) -> list[Reaction]:
    code = line[_TYPE].strip()
    if code not in KINDS:
        raise DataError(
            f"{where}: type {code or 'missing'} is not supported ({line[:24].strip()} ...)"
            + ": a process on grains, whose rate the file does not give" * (code == "0"),
            hint="take such rows out, or leave them out with network.skip_unreadable=true",
        )
    kind = KINDS[code]
    alpha, beta, gamma = (number(line[place], name, where) for name, place in _NUMBERS.items())
    names, partner = split_partner([line[start : start + _NAME] for start in _REACTANTS], PARTNERS)
    if partner and PARTNERS[partner] != kind:
        raise DataError(
            f"{where}: type {code} does not fit {partner}", hint="1 goes with CRP, 13 with PHOTON"
        )
    reactants = reading.names(names, where)
    require_reactants(reactants, code, 2 if kind == "TWOBODY" else 1, where)
    products, _ = split_partner([line[start : start + _NAME] for start in _PRODUCTS], PARTNERS)
    return [
        Reaction(
            reactants=reactants,
            products=reading.names(products, where),
            partner="CRPHOT" if partner == "CRPHOT" else "",
            kind=kind,
            alpha=alpha * (COSMIC_RAY_UNIT if kind == "CRP" else 1.0),
            beta=beta,
            gamma=gamma,
            reference="OSU",
            source=where,
        )
    ]
