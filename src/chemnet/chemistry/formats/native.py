"""chemnet's own format, made to be edited: a folder with `network.toml`, `species.csv` and `reactions.csv`.

`network.toml` holds `format = "chemnet"`, `version = 1` and, all optional: `name`, `description`,
`generate_grain_rows` (true: freeze-out, desorption, ... follow from the species table, see `grain_rows`),
`extends` (a folder whose two tables are used, relative to this one), `bulk` (true: each ice species also
exists in the bulk of the ice) and the table `[initial_abundances]`. In both tables lines that begin with `!`
are comments, empty fields stand for the default, and columns may come in any order.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from chemnet.chemistry.formats.csv_tables import table_file
from chemnet.chemistry.formats.grain_rows import bulk_of, grain_rows, tunnelling_mass
from chemnet.chemistry.formats.native_tables import (
    FORMAT,
    HEADER,
    KINDS,
    REACTION_COLUMNS,
    SPECIES_COLUMNS,
    VERSION,
    read_table,
)
from chemnet.chemistry.formats.row_files import Reading
from chemnet.chemistry.network.species import parse_species
from chemnet.chemistry.network.species_and_reactions import OUTSIDE, NetworkSpecies, Reaction
from chemnet.config.toml_text import read_toml_text
from chemnet.errors import DataError, suggest
from chemnet.text_files import number, read_text

_HEADER_KEYS: Mapping[str, type] = {
    "format": str,
    "version": int,
    "name": str,
    "description": str,
    "generate_grain_rows": bool,
    "extends": str,
    "bulk": bool,
    "initial_abundances": dict,
}
_TRUTH = {"yes": True, "no": False, "": False}


def matches(path: Path) -> bool:
    """Whether `path` is a folder in chemnet's own format, or the `network.toml` of one."""
    file = _header_file(path)
    try:
        return file.name == HEADER and read_toml_text(read_text(file)).get("format") == FORMAT
    except (DataError, tomllib.TOMLDecodeError):
        return False


def read(path: Path, reading: Reading | None = None) -> tuple[list[NetworkSpecies], list[Reaction]]:
    """Read the network in the folder `path`.

    Parameters
    ----------
    path
        The folder, or its `network.toml`.
    reading
        How names, ranges and unreadable rows are taken.

    Returns
    -------
    tuple
        Species and reactions; with generated rows and the bulk of the ice if `network.toml` asks for them.

    Raises
    ------
    DataError
        A file is missing, a key or column is unknown, or a row cannot be read; names file and line.
    """
    reading = reading or Reading()
    header, folder = _read_header(path)
    species, freeze_as = _read_species(table_file(folder, "species.csv"), reading)
    reactions = _read_reactions(table_file(folder, "reactions.csv"), reading)
    if header.get("generate_grain_rows", False):
        reactions = [_with_tunnelling_mass(one) for one in reactions]
        reactions += grain_rows(species, freeze_as, reactions)
    if header.get("bulk", False):
        bulk_species, bulk_reactions = bulk_of(species, reactions)
        species, reactions = species + bulk_species, reactions + bulk_reactions
    return species, reactions


def initial_abundances(path: Path) -> dict[str, float]:
    """Return the standard initial abundances that come with a network.

    Parameters
    ----------
    path
        The folder, or its `network.toml`.

    Returns
    -------
    dict
        Abundance relative to H nuclei by species; empty if the network brings none.

    Raises
    ------
    DataError
        A value is no number or is negative.
    """
    header, _ = _read_header(path)
    given = header.get("initial_abundances", {})
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
            raise DataError(
                f"{_header_file(path)}: initial abundance of {name!r} is {value!r}",
                hint="give a finite number of 0 or more, relative to H nuclei",
            )
    return {Reading().names([name], HEADER)[0]: float(value) for name, value in given.items()}


def _header_file(path: Path) -> Path:
    return path / HEADER if path.is_dir() else path


def _read_header(path: Path) -> tuple[dict[str, Any], Path]:
    """Return the checked content of `network.toml` and the folder that holds the two tables."""
    file = _header_file(path)
    try:
        header = read_toml_text(read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{file}: cannot be read ({error})", hint="it must be TOML text in UTF-8") from error
    for key, value in header.items():
        if key not in _HEADER_KEYS:
            raise DataError(f"{file}: unknown key {key!r}", hint=suggest(key, _HEADER_KEYS))
        if not isinstance(value, _HEADER_KEYS[key]):
            raise DataError(
                f"{file}: {key!r} is {value!r}", hint=f"it must be of type {_HEADER_KEYS[key].__name__}"
            )
    if header.get("version") != VERSION:
        raise DataError(
            f"{file}: version {header.get('version')!r} of the format",
            hint=f"this chemnet reads version {VERSION}",
        )
    folder = file.parent / header.get("extends", ".")
    if not folder.is_dir():
        raise DataError(
            f"{file}: 'extends' names {folder}, which is no folder", hint="give it relative to the file"
        )
    return header, folder


def _read_species(file: Path, reading: Reading) -> tuple[list[NetworkSpecies], dict[str, tuple[str, ...]]]:
    """Return the species, and what each becomes when it freezes out."""
    species: list[NetworkSpecies] = []
    freeze_as: dict[str, tuple[str, ...]] = {}
    for line, row in read_table(file, SPECIES_COLUMNS, needed=("name",)):
        where = f"{file.name}:{line}"
        name = _one_name(row["name"], where, reading)
        species.append(
            NetworkSpecies(
                name=name,
                mass=_number(row, "mass", where, parse_species(name).mass),
                binding_energy=_number(row, "binding_energy", where, 0.0),
                enthalpy=_number(row, "enthalpy", where, 0.0),
                solid_fraction=_number(row, "solid_fraction", where, 0.0),
                mono_fraction=_number(row, "mono_fraction", where, 0.0),
                volcano_fraction=_number(row, "volcano_fraction", where, 0.0),
                reference=row.get("reference", ""),
                diffusion_barrier=_number(row, "diffusion_barrier", where, 0.0),
            )
        )
        if row.get("freeze_as"):
            freeze_as[name] = _side(row["freeze_as"], where, reading)
    return species, freeze_as


def _read_reactions(file: Path, reading: Reading) -> list[Reaction]:
    rows = dict(read_table(file, REACTION_COLUMNS, needed=("reaction", "kind", "alpha")))
    return reading.read_rows(
        file,
        ((line, str(line)) for line in rows),
        lambda at, where: [_reaction(rows[int(at)], where, reading)],
    )


def _reaction(row: Mapping[str, str], where: str, reading: Reading) -> Reaction:
    sides = row["reaction"].split("->")
    if len(sides) != 2:
        raise DataError(
            f"{where}: {row['reaction']!r} is no reaction", hint="write it as in 'C+ + H2O -> HCO+ + H'"
        )
    if row["kind"] not in KINDS:
        raise DataError(f"{where}: unknown reaction type {row['kind']!r}", hint=suggest(row["kind"], KINDS))
    if row.get("extrapolate", "") not in _TRUTH:
        raise DataError(f"{where}: extrapolate is {row['extrapolate']!r}", hint="write yes or no")
    if row.get("outside", "") not in ("", *OUTSIDE):
        raise DataError(f"{where}: outside is {row['outside']!r}", hint=suggest(row["outside"], OUTSIDE))
    return Reaction(
        reactants=_side(sides[0], where, reading),
        products=_side(sides[1], where, reading),
        kind=row["kind"],
        alpha=_number(row, "alpha", where, 0.0),
        beta=_number(row, "beta", where, 0.0),
        gamma=_number(row, "gamma", where, 0.0),
        t_min=_number(row, "t_min", where, 0.0),
        t_max=_number(row, "t_max", where, math.inf),
        extrapolate=_TRUTH[row.get("extrapolate", "")],
        outside=reading.outside(row.get("outside") or OUTSIDE[0]),
        partner=row.get("partner", ""),
        reduced_mass=_number(row, "reduced_mass", where, 0.0),
        reference=row.get("reference", ""),
        source=where,
    )


def _with_tunnelling_mass(reaction: Reaction) -> Reaction:
    """Return a surface reaction with the mass that tunnels; a mass in the table stays."""
    if reaction.kind != "LH" or reaction.reduced_mass > 0.0:
        return reaction
    if len(reaction.reactants) != 2:
        raise DataError(
            f"{reaction.source}: LH is a reaction of two surface species, not of {len(reaction.reactants)}",
            hint="write both, as in #H + #CO -> #HCO",
        )
    return replace(reaction, reduced_mass=tunnelling_mass(*reaction.reactants))


def _number(row: Mapping[str, str], column: str, where: str, default: float) -> float:
    """Return a figure, or the default where the field is empty or the table has no such column."""
    text = row.get(column, "")
    return number(text, column, where) if text else default


def _side(text: str, where: str, reading: Reading) -> tuple[str, ...]:
    """Return the species of one side of a reaction, separated by plus signs with blanks around them."""
    return reading.names(text.split(" + "), where)


def _one_name(text: str, where: str, reading: Reading) -> str:
    names = reading.names([text], where)
    if not names:
        raise DataError(f"{where}: a species without a name", hint="remove the row or name the species")
    return names[0]
