"""What reader and writer of chemnet's own format share: its names, and the two tables with their columns."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from chemnet.chemistry.formats import csv_tables
from chemnet.chemistry.network.species_and_reactions import REACTION_KINDS
from chemnet.errors import DataError, suggest

FORMAT = "chemnet"
VERSION = 1
HEADER = "network.toml"
KINDS = tuple(kind for kind in REACTION_KINDS if kind not in ("EXPRESSION", "GAR", "ED"))
"""Reaction types that the table can hold."""
SPECIES_COLUMNS = (
    "name", "mass", "binding_energy", "enthalpy", "freeze_as", "solid_fraction", "mono_fraction",
    "volcano_fraction", "reference", "diffusion_barrier",
)  # fmt: skip
REACTION_COLUMNS = (
    "reaction", "kind", "alpha", "beta", "gamma", "t_min", "t_max", "extrapolate", "reduced_mass",
    "reference", "outside", "partner",
)  # fmt: skip


def read_table(file: Path, known: Sequence[str], needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return line number and fields of each row.

    Parameters
    ----------
    file
        The table; see `csv_tables.read_table`.
    known, needed
        Columns that it may have, and those that it must have.

    Raises
    ------
    DataError
        The table is empty, a column is unknown or missing, or a row has too few or too many fields.
    """
    columns, rows = csv_tables.read_table(file)
    for name in columns:
        if name not in known:
            raise DataError(f"{file.name}: unknown column {name!r}", hint=suggest(name, known))
    missing = [name for name in needed if name not in columns]
    if missing:
        raise DataError(
            f"{file.name}: column {missing[0]!r} is missing", hint=f"columns are {', '.join(known)}"
        )
    return rows


def write_table(file: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table with its column names.

    Parameters
    ----------
    file
        Where to write.
    columns
        Names of the columns.
    rows
        Fields of each row, in that order.
    """
    with file.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
