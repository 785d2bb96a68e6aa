"""The UMIST database for astrochemistry: RATE12 (McElroy et al. 2013) and RATE22 (Millar et al. 2024).

One reaction a line, fields separated by colons, text in double quotes:

    number : type : R1 : R2 : P1 : P2 : P3 : P4 : NTR :  then NTR times
    alpha : beta : gamma : Tl : Tu : ST : accuracy : "DOI" : "reference"

Types CP (cosmic-ray protons), CR (cosmic-ray photons) and PH (UV photons) name their partner as second
reactant; all others are Kooij-Arrhenius reactions of two species. A row with two to four temperature ranges
becomes that many reactions. As in the code that UMIST publishes with RATE22 (circumstellar envelopes, 2024),
the range nearest to the temperature counts, and its fit goes on beyond the last limit. UMIST normalises its
cosmic-ray rates to 1.36e-17 s^-1; they are taken as they are, as UCLCHEM does.
"""

from __future__ import annotations

import csv
import functools
from pathlib import Path

from chemnet.chemistry.formats.row_files import (
    Reading,
    network_species,
    require_reactants,
    split_partner,
)
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.errors import DataError, suggest
from chemnet.text_files import data_lines, number

PARTNER_TYPES = {"CP": "CRP", "CR": "CRPHOT", "PH": "PHOTON"}
"""Types with a partner that is no species; the partner's name is also chemnet's kind."""

TWO_BODY_TYPES = frozenset({"AD", "CD", "CE", "DR", "IN", "MN", "NN", "RA", "REA", "RR"})
"""Types of reactions between two species."""

_COMMENTS = ("#", "!")
_FIXED = 9
_BLOCK = 9
_MOST_RANGES = 4
_EXAMINED = 20


def matches(path: Path) -> bool:
    """Whether the first rows of `path` look like those of UMIST: number, short type, 14 colons or more."""
    if not path.is_file():
        return False
    rows = [line.split(":") for _, line in data_lines(path, _COMMENTS)[:_EXAMINED]]
    return any(
        len(row) >= _FIXED + 5 and row[0].strip().isdigit() and row[1].strip().isalpha() for row in rows
    )


def read(path: Path, reading: Reading | None = None) -> tuple[list[NetworkSpecies], list[Reaction]]:
    """Read a file of the UMIST database.

    Parameters
    ----------
    path
        File in the format of RATE12 or RATE22.
    reading
        How names, ranges and unreadable rows are taken.

    Returns
    -------
    tuple
        Species in order of appearance, and reactions.

    Raises
    ------
    DataError
        Rows with an unknown type, a wrong number of columns, a bad number or a name that is not a formula;
        each is named by file and line.
    """
    reading = reading or Reading()
    rows = functools.partial(_reactions, reading)
    reactions = reading.read_rows(path, data_lines(path, _COMMENTS), rows)
    return network_species(reactions), reactions


def _reactions(reading: Reading, line: str, where: str) -> list[Reaction]:
    """Make the reactions of one row: one for each temperature range."""
    fields = next(csv.reader([line.strip()], delimiter=":", quotechar='"'))
    if fields[-1].strip().startswith(_COMMENTS):
        fields.pop()
    while len(fields) > _FIXED and not fields[-1].strip():
        fields.pop()  # empty fields at the end of a line mean nothing
    if len(fields) < _FIXED + 5:
        raise DataError(
            f"{where}: {len(fields)} columns, but a UMIST row has at least {_FIXED + 5}",
            hint="columns: "
            "number:type:R1:R2:P1:P2:P3:P4:NTR:alpha:beta:gamma:Tl:Tu:ST:accuracy:DOI:reference",
        )
    kind, reactants, products = _participants(reading, fields, where)
    return [
        _one_range(reading, fields, block, kind, reactants, products, where)
        for block in range(_n_ranges(fields, where))
    ]


def _participants(
    reading: Reading, fields: list[str], where: str
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return chemnet's kind, the reactants and the products of a row."""
    code = fields[1].strip()
    if code not in TWO_BODY_TYPES and code not in PARTNER_TYPES:
        raise DataError(
            f"{where}: unknown reaction type {code!r}", hint=suggest(code, {*TWO_BODY_TYPES, *PARTNER_TYPES})
        )
    kind = PARTNER_TYPES.get(code, "TWOBODY")
    names, partner = split_partner(fields[2:4], PARTNER_TYPES.values())
    if partner != PARTNER_TYPES.get(code, ""):
        raise DataError(
            f"{where}: type {code} has {PARTNER_TYPES.get(code, 'a species')} as second reactant, "
            f"found {fields[3].strip()!r}",
            hint="correct the type or the reactants",
        )
    require_reactants(names, code, 2 if kind == "TWOBODY" else 1, where)
    left_over, _ = split_partner(fields[4:8], ["PHOTON"])
    return kind, reading.names(names, where), reading.names(left_over, where)


def _n_ranges(fields: list[str], where: str) -> int:
    """Return the number of temperature ranges after checking that their columns are there."""
    text = fields[8].strip()
    if not text.isdigit() or not 1 <= int(text) <= _MOST_RANGES:
        raise DataError(
            f"{where}: the number of temperature ranges, column 9, is {text!r}; it is 1 to {_MOST_RANGES}",
            hint="a row begins number:type:2 reactants:4 products:ranges:alpha:...; count its colons",
        )
    # the last block may end after Tu: hand-made files often leave the notes out
    needed = _FIXED + _BLOCK * (int(text) - 1) + 5
    if len(fields) < needed or len(fields) > _FIXED + _BLOCK * int(text):
        raise DataError(
            f"{where}: {len(fields)} columns do not fit {text} temperature range(s)",
            hint=f"each range has {_BLOCK} columns: alpha:beta:gamma:Tl:Tu:ST:accuracy:DOI:reference",
        )
    return int(text)


def _one_range(
    reading: Reading,
    fields: list[str],
    block: int,
    kind: str,
    reactants: tuple[str, ...],
    products: tuple[str, ...],
    where: str,
) -> Reaction:
    columns = fields[_FIXED + _BLOCK * block : _FIXED + _BLOCK * (block + 1)]
    titles = ("alpha", "beta", "gamma", "Tl", "Tu")
    values = [number(text, title, where) for text, title in zip(columns, titles, strict=False)]
    alpha, beta, gamma, t_min, t_max = values
    if t_max < t_min:
        raise DataError(f"{where}: Tl = {t_min:g} K is above Tu = {t_max:g} K", hint="swap the two")
    notes = [text.strip() for text in columns[7:9] if text.strip()]
    return Reaction(
        reactants=reactants,
        products=products,
        kind=kind,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        t_min=t_min,
        t_max=t_max,
        outside=reading.outside("extrapolate"),
        reference="; ".join(["UMIST", *notes]),
        source=where,
    )
