"""UCLCHEM's format: a folder that holds `species.csv` and `reactions.csv` (written by MakeRates)."""

from __future__ import annotations

import csv
from pathlib import Path

from chemnet.chemistry.network.network import REACTION_KINDS, NetworkSpecies, Reaction
from chemnet.errors import DataError, suggest

SUMS = frozenset({"BULK", "SURFACE"})
"""Names that UCLCHEM lists as species but that are totals over phases."""

_EMPTY = frozenset({"", "NAN"})
_PHOTON = "PHOTON"  # a product of radiative association
_KEYWORDS = frozenset(REACTION_KINDS) - {"TWOBODY", "IONPOL1", "IONPOL2", "EXPRESSION"}
_REACTANTS = ("Reactant 1", "Reactant 2", "Reactant 3")
_PRODUCTS = ("Product 1", "Product 2", "Product 3", "Product 4")
_NUMBERS = ("Alpha", "Beta", "Gamma", "T_min", "T_max")


def matches(path: Path) -> bool:
    """Whether `path` is a folder in UCLCHEM's format."""
    files = (path / "species.csv", path / "reactions.csv")
    if not all(file.is_file() for file in files):
        return False
    heads = [_first_line(file) for file in files]
    return heads[0].upper().startswith("NAME,") and heads[1].startswith("Reactant 1,")


def _first_line(file: Path) -> str:
    """Return the header of a table."""
    with file.open(encoding="utf-8") as stream:
        return stream.readline()


def read(path: Path) -> tuple[list[NetworkSpecies], list[Reaction]]:
    """Read the folder `path`.

    Parameters
    ----------
    path
        Folder with `species.csv` and `reactions.csv`.

    Returns
    -------
    tuple
        Species without the sums BULK and SURFACE, and reactions.

    Raises
    ------
    DataError
        If a column is missing, a figure is no number or a reaction type is unknown; names file and line.
    """
    species = [
        _species(row, where)
        for row, where in _rows(path / "species.csv", ("NAME", "MASS", "BINDING ENERGY"))
        if row["NAME"] not in SUMS
    ]
    needed = (*_REACTANTS, *_PRODUCTS, *_NUMBERS)
    reactions = [_reaction(row, where) for row, where in _rows(path / "reactions.csv", needed)]
    return species, reactions


def _rows(file: Path, needed: tuple[str, ...]) -> list[tuple[dict[str, str], str]]:
    """Return each row as a mapping, with its `file:line`."""
    with file.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError(
                f"{file}: column {missing[0]!r} is missing (found: {', '.join(reader.fieldnames or ())})",
                hint="write the file with UCLCHEM's MakeRates, or add the column",
            )
        return [
            (
                {key: (value or "").strip() for key, value in row.items() if key},
                f"{file.name}:{reader.line_num}",
            )
            for row in reader
        ]


def _species(row: dict[str, str], where: str) -> NetworkSpecies:
    """Make a species of one row."""
    return NetworkSpecies(
        name=row["NAME"],
        mass=_number(row, "MASS", where),
        binding_energy=_number(row, "BINDING ENERGY", where),
        enthalpy=_number(row, "ENTHALPY", where),
        solid_fraction=_number(row, "SOLID FRACTION", where),
        mono_fraction=_number(row, "MONO FRACTION", where),
        volcano_fraction=_number(row, "VOLCANO FRACTION", where),
        reference="UCLCHEM",
    )


def _reaction(row: dict[str, str], where: str) -> Reaction:
    """Make a reaction of one row."""
    reactants = [row[name] for name in _REACTANTS if row[name].upper() not in _EMPTY]
    kind = _take_kind(reactants, where)
    alpha, beta, gamma, t_min, t_max = (_number(row, name, where) for name in _NUMBERS)
    return Reaction(
        reactants=tuple(reactants),
        products=tuple(row[name] for name in _PRODUCTS if row[name].upper() not in _EMPTY | {_PHOTON}),
        kind=kind,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        t_min=t_min,
        t_max=t_max,
        extrapolate=row.get("extrapolate", "").lower() == "true",
        reduced_mass=_number(row, "reduced_mass", where),
        reference="UCLCHEM",
        source=where,
    )


def _take_kind(reactants: list[str], where: str) -> str:
    """Remove the keyword from the reactants and return it; a row without one is a two-body reaction."""
    for name in reactants[1:]:
        if name in _KEYWORDS:
            reactants.remove(name)
            return name
    if len(reactants) > 2:
        raise DataError(
            f"{where}: unknown reaction type {reactants[2]!r}", hint=suggest(reactants[2], sorted(_KEYWORDS))
        )
    return "TWOBODY"


def _number(row: dict[str, str], column: str, where: str) -> float:
    """Return a figure; an absent or empty optional one is 0."""
    text = row.get(column, "")
    if text.upper() in _EMPTY:
        return 0.0
    try:
        return float(text)
    except ValueError:
        raise DataError(
            f"{where}: column {column!r} holds {text!r}, which is no number", hint="write a decimal number"
        ) from None
