"""What the columns of a tracer table mean: ids, physical parameters, species, by their many names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chemnet.chemistry.network.species import is_species
from chemnet.errors import DataError, nearest

TRACER, TIME = "Tracer", "Time"
# Spellings met in UCLCHEM, AstroChemNet and Carbox tables, in lower case, and the name that chemnet uses.
ALIASES = {
    "model": TRACER,
    "tracer": TRACER,
    "tracer_id": TRACER,
    "time": TIME,
    "density": "Density",
    "radfield": "Radfield",
    "rad_field": "Radfield",
    "av": "Av",
    "gastemp": "gasTemp",
    "temperature": "gasTemp",
    "dusttemp": "dustTemp",
    "index": "Index",
    "dstep": "dstep",
    "zeta": "zeta",
    "point": "point",
    "parcel": "point",
    "surface": "SURFACE",
    "bulk": "BULK",
}
# names that a message lists at most
_LISTED = 20
# A row number: never data.
BOOKKEEPING = frozenset({"Index", "", "level_0"})


@dataclass(frozen=True)
class ColumnPlan:
    """Where a table keeps what chemnet needs, as column indices.

    Attributes
    ----------
    tracer
        Column of the tracer id; None: the table is one tracer.
    time
        Column of the time.
    physical
        Columns of the physical parameters, in the order asked for.
    species
        Columns of the species.
    species_names
        Their names.
    """

    tracer: int | None
    time: int
    physical: tuple[int, ...]
    species: tuple[int, ...]
    species_names: tuple[str, ...]

    def unread(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return which of a table's columns hold data that chemnet does not read."""
        read = {self.tracer, self.time, *self.physical, *self.species}
        named = ((place, column) for place, column in enumerate(columns) if place not in read)
        return tuple(column for _, column in named if canonical_name(column) not in BOOKKEEPING)


def canonical_name(column: str) -> str:
    """Return chemnet's name of a column.

    Examples
    --------
    >>> canonical_name("radfield"), canonical_name(" temperature "), canonical_name("H2O")
    ('Radfield', 'gasTemp', 'H2O')
    """
    stripped = column.strip()
    return ALIASES.get(stripped.lower(), stripped)


def plan_columns(
    columns: Sequence[str],
    where: str,
    physical: Sequence[str],
    species: Sequence[str],
    dropped: Sequence[str],
) -> ColumnPlan:
    """Find tracer id, time, physical parameters and species among the columns of a table.

    Parameters
    ----------
    columns
        The table's column names.
    where
        File (and group), for messages.
    physical
        Names of the physical parameters wanted.
    species
        Species wanted; empty: every column that is a species.
    dropped
        Columns to leave out.

    Raises
    ------
    DataError
        When a column is missing, stands twice, or is neither known nor a species.
    """
    wanted = [canonical_name(name) for name in physical]
    left_out = {canonical_name(name) for name in dropped} - set(wanted)
    index = _index_by_name(columns, where, left_out)
    # a misspelt parameter would leave its column among the species, where the complaint would mislead
    places = tuple(_find(name, index, columns, where) for name in wanted)
    names = tuple(species) or _species_among(index, where, {TRACER, TIME, *wanted, *left_out, *BOOKKEEPING})
    return ColumnPlan(
        tracer=index.get(TRACER),
        time=_find(TIME, index, columns, where),
        physical=places,
        species=tuple(_find(name, index, columns, where) for name in names),
        species_names=names,
    )


def _index_by_name(columns: Sequence[str], where: str, left_out: set[str]) -> dict[str, int]:
    """Return the position of each column under chemnet's name."""
    index: dict[str, int] = {}
    for position, column in enumerate(columns):
        name = canonical_name(column)
        if name in left_out or name in BOOKKEEPING:
            continue
        if name in index:
            raise DataError(
                f"{where}: columns {index[name]} ('{columns[index[name]]}') and {position} ('{column}') "
                f"both mean '{name}'",
                hint="remove one of them from the table",
            )
        index[name] = position
    return index


def _species_among(index: dict[str, int], where: str, known: set[str]) -> tuple[str, ...]:
    """Return the columns that are species; refuse one that is nothing known."""
    names = tuple(name for name in index if name not in known)
    for name in names:
        if not is_species(name):
            near = nearest(name, [*known - BOOKKEEPING, *(other for other in names if is_species(other))])
            meant = f"did you mean {' or '.join(repr(word) for word in near)}? " if near else ""
            raise DataError(
                f"{where}: unknown species column '{name}' (column {index[name]}): no chemical formula, "
                "physical parameter or bookkeeping column",
                hint=f"{meant}rename it, name it in data_set.physical if it is a physical parameter, "
                "or leave it out by data_set.drop_columns",
            )
    if not names:
        raise DataError(
            f"{where}: no species among the columns {', '.join(index)}", hint="check the column names"
        )
    return names


def _find(name: str, index: dict[str, int], columns: Sequence[str], where: str) -> int:
    """Return the position of a column that must be there; the error tells the table's own names."""
    if name in index:
        return index[name]
    near = [columns[index[word]] for word in nearest(name, index)]
    meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise DataError(
        f"{where}: no column '{name}'; the table has: {_listed(columns)}",
        hint=f"{meant}rename the column in the file, or name the columns that it has in "
        "data_set.physical (parameters) or data_set.species",
    )


def _listed(columns: Sequence[str]) -> str:
    """Return column names as text, the first few of many."""
    more = f", ... ({len(columns)} columns)" if len(columns) > _LISTED else ""
    return ", ".join(columns[:_LISTED]) + more
