"""What the columns of a tracer table mean: ids, physical parameters, species, by their many names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from chemnet.chemistry.formats.row_files import ReadingOptions
from chemnet.chemistry.network.species import is_species, key_for, parse_species
from chemnet.chemistry.network.species_names import Naming
from chemnet.chemistry.tracers import FURTHER_CONDITIONS, PHYSICAL_NAMES
from chemnet.config import ConfigDict
from chemnet.data.readers.table_source import TableSource
from chemnet.errors import ConfigError, DataError, nearest, suggest

TRACER, TIME = "Tracer", "Time"
# Spellings met in tables of UCLCHEM, AstroChemNet, Carbox and hydro codes, in lower case; chemnet's names.
ALIASES = {
    "model": TRACER,
    "tracer": TRACER,
    "tracer_id": TRACER,
    "time": TIME,
    "density": "Density",
    "number_density": "Density",
    "radfield": "Radfield",
    "rad_field": "Radfield",
    "fuv_field": "Radfield",
    "av": "Av",
    "visual_extinction": "Av",
    "gastemp": "gasTemp",
    "gas_temperature": "gasTemp",
    "temperature": "gasTemp",
    "tgas": "gasTemp",
    "t_gas": "gasTemp",
    "dusttemp": "dustTemp",
    "dust_temperature": "dustTemp",
    "tdust": "dustTemp",
    "t_dust": "dustTemp",
    "zeta": "zeta",
    "index": "Index",
    "dstep": "dstep",
    "point": "point",
    "parcel": "point",
    "surface": "SURFACE",
    "bulk": "BULK",
    # as UCLCHEM's postprocessing calls the columns along a tracer
    **{f"coldens_{name.lower()}": f"N_{name}" for name in ("total", "H2", "CO", "C")},
    **{f"coldens_{name.lower()}_array": f"N_{name}" for name in ("total", "H2", "CO", "C")},
    "coldens_h": "N_total",
    "coldens_h_array": "N_total",
}
# N_H2 is a column density [cm^-2], n_H2 is none
_COLUMN_DENSITIES = {
    spelling: f"N_{name}"
    for name in ("total", "H2", "CO", "C")
    for spelling in (f"N_{name}", f"N({name})", f"N{{{name}}}")
}
# names that a message lists at most
_LISTED = 20
# A row number: never data.
BOOKKEEPING = frozenset({"Index", "", "level_0"})
_NO_SPECIES = frozenset({*ALIASES.values(), *_COLUMN_DENSITIES.values()})
_TIME_WITH_UNIT = re.compile(r"t(?:ime)?(?:[ _]+|[ _]*[\[(]) *([a-z]+) *[\])]?", re.IGNORECASE)
_TIME_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
    **dict.fromkeys(("yr", "yrs", "year", "years"), "yr"),
    "kyr": "kyr",
    "myr": "Myr",
}


@dataclass(frozen=True)
class Wanted:
    """What is asked of the columns of a table.

    Attributes
    ----------
    physical
        Names of the physical parameters, which must be there.
    optional
        Names of those that are read where they are there.
    species
        Species, which must be there; empty: every column that is a species; None: none is read.
    dropped
        Columns to leave out.
    assigned
        What some columns mean, against or beside their names: chemnet's name by column.
    time_unit
        Unit of the time; of several columns of time the one whose name states this unit is read.
    naming
        How names of species are read that do not say what they are made of.
    """

    physical: tuple[str, ...]
    species: tuple[str, ...] | None
    optional: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    assigned: Mapping[str, str] = field(default_factory=dict)
    time_unit: str = "yr"
    naming: Naming = field(default_factory=Naming)

    @classmethod
    def of_data_set(cls, config: ConfigDict) -> Wanted:
        """Return what the configuration tables ``[data_set]`` and ``[network]`` ask for."""
        options = config["data_set"]
        return cls(
            physical=tuple(options["physical"]),
            species=tuple(options["species"]),
            dropped=tuple(options["drop_columns"]),
            assigned=_assigned(options["columns"], options["physical"]),
            time_unit=options["time_unit"],
            naming=ReadingOptions.of(config["network"]).naming,
        )

    @classmethod
    def of_tracers(cls, config: ConfigDict) -> Wanted:
        """Return the same for a table whose chemistry is still to be computed: no species."""
        wanted = cls.of_data_set(config)
        return replace(wanted, physical=PHYSICAL_NAMES, optional=tuple(FURTHER_CONDITIONS), species=None)

    def name(self, column: str) -> str:
        """Return chemnet's name of a column; empty for one whose role another column was given."""
        given = self.assigned.get(column.strip())
        name = given or canonical_name(column)
        if not given and name in self.assigned.values():
            return ""
        return name if name in _NO_SPECIES or name in self.physical else self.naming.described(name)

    def parameter(self, name: str) -> str:
        """Return chemnet's name of a parameter that is asked for by that name, or by the one in the table."""
        known = canonical_name(name)
        return known if known in _NO_SPECIES else self.name(name) or name


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
    physical_names
        Their names.
    species
        Columns of the species.
    species_names
        Their names.
    hydrogen
        Name, column and number of H atoms of each species of the table with hydrogen, read or not.
    """

    tracer: int | None
    time: int
    physical: tuple[int, ...]
    physical_names: tuple[str, ...]
    species: tuple[int, ...]
    species_names: tuple[str, ...]
    hydrogen: tuple[tuple[str, int, int], ...] = ()

    def unread(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return which of a table's columns hold data that chemnet does not read."""
        read = {self.tracer, self.time, *self.physical, *self.species}
        named = ((place, column) for place, column in enumerate(columns) if place not in read)
        return tuple(column for _, column in named if canonical_name(column) not in BOOKKEEPING)


def _assigned(roles: Mapping[str, str], physical: Sequence[str]) -> dict[str, str]:
    """Return chemnet's name by column, from ``[data_set.columns]``; refuse roles that mean nothing."""
    assigned: dict[str, str] = {}
    for role, column in roles.items():
        name, column = canonical_name(role), str(column).strip()
        if name not in _NO_SPECIES and name not in physical and not is_species(name):
            raise ConfigError(
                f"data_set.columns: {role!r} is no time, tracer, physical parameter or species",
                hint=suggest(role, [*_NO_SPECIES - BOOKKEEPING, *physical]),
            )
        if column in assigned:
            raise ConfigError(
                f"data_set.columns gives '{column}' two roles: {assigned[column]} and {name}",
                hint="name each column once",
            )
        assigned[column] = name
    return assigned


# a table's columns are looked up a dozen times
@lru_cache(maxsize=4096)
def canonical_name(column: str) -> str:
    """Return chemnet's name of a column.

    Examples
    --------
    >>> canonical_name("radfield"), canonical_name(" temperature "), canonical_name("time_years")
    ('Radfield', 'gasTemp', 'Time')
    """
    stripped = column.strip()
    if time_unit_in(stripped):
        return TIME
    return _COLUMN_DENSITIES.get(stripped) or ALIASES.get(stripped.lower(), stripped)


def time_unit_in(column: str) -> str | None:
    """Return the unit that the name of a column of time states, None for any other column.

    Examples
    --------
    >>> time_unit_in("time_seconds"), time_unit_in("Time [Myr]"), time_unit_in("Time"), time_unit_in("H2")
    ('s', 'Myr', None, None)
    """
    match = _TIME_WITH_UNIT.fullmatch(column.strip())
    return unit_of_time(match.group(1)) if match else None


def unit_of_time(word: object) -> str | None:
    """Return the unit of `data_set.time_unit` that a word or the first word of a text means, None for others.

    Examples
    --------
    >>> unit_of_time("seconds"), unit_of_time("yr (1 yr = 3.16e7 s)"), unit_of_time("K")
    ('s', 'yr', None)
    """
    first = str(word).split()[:1]
    return _TIME_UNITS.get(first[0].lower()) if first else None


def plan_columns(table: TableSource, wanted: Wanted) -> ColumnPlan:
    """Find tracer id, time, physical parameters and species among the columns of a table.

    Parameters
    ----------
    table
        The table.
    wanted
        What is asked of its columns.

    Raises
    ------
    DataError
        When a column is missing, stands twice, is in another unit, or is neither known nor a species.
    """
    columns, where = table.columns, table.where
    physical = tuple(map(wanted.parameter, wanted.physical))
    left_out = {canonical_name(name) for name in wanted.dropped} - set(physical)
    known = _NO_SPECIES | set(physical)
    meant = known | {*wanted.assigned.values(), *(wanted.species or ())}
    left_out |= {name for column in table.optional if (name := wanted.name(column)) not in meant}
    index = _index_by_name(columns, where, wanted, left_out)
    physical += tuple(name for name in wanted.optional if name in index and name not in physical)
    # a misspelt parameter would leave its column among the species, where the complaint would mislead
    places = tuple(_find(name, index, columns, where) for name in physical)
    time = _find(TIME, index, columns, where)
    _check_time_unit(table, time, wanted.time_unit)
    names = wanted.species
    if names is None:
        names = ()
    elif not names:
        names = _species_among(index, where, known)
    return ColumnPlan(
        tracer=index.get(TRACER),
        time=time,
        physical=places,
        physical_names=physical,
        species=tuple(_find(wanted.naming.described(name), index, columns, where) for name in names),
        species_names=tuple(map(wanted.naming.described, names)),
        hydrogen=tuple(_hydrogen({name: i for name, i in index.items() if name not in known})),
    )


def _index_by_name(columns: Sequence[str], where: str, wanted: Wanted, left_out: set[str]) -> dict[str, int]:
    index: dict[str, int] = {}
    missing = wanted.assigned.keys() - {column.strip() for column in columns}
    if missing:
        raise DataError(
            f"{where}: no column '{min(missing)}', which data_set.columns gives the role "
            f"'{wanted.assigned[min(missing)]}'; the table has: {_listed(columns)}",
            hint="correct data_set.columns",
        )
    time = _time_column(columns, where, wanted)
    for position, column in enumerate(columns):
        name = wanted.name(column)
        if not name or name in left_out or name in BOOKKEEPING or (name == TIME and position != time):
            continue
        if name in index:
            raise DataError(
                f"{where}: columns {index[name]} ('{columns[index[name]]}') and {position} ('{column}') "
                f"both mean '{name}'",
                hint=f"remove one of them, or choose: data_set.columns = {{{name} = '{column}'}}",
            )
        index[name] = position
    return index


def _time_column(columns: Sequence[str], where: str, wanted: Wanted) -> int | None:
    """Return the column of the time; among several the one that states the unit asked for, or else none."""
    units = {i: time_unit_in(column) for i, column in enumerate(columns) if wanted.name(column) == TIME}
    plain = [i for i, unit in units.items() if unit is None]
    if len(plain) > 1:
        first, second = plain[:2]
        raise DataError(
            f"{where}: columns {first} ('{columns[first]}') and {second} ('{columns[second]}') both mean "
            f"'{TIME}'",
            hint=f"remove one of them, or choose: data_set.columns = {{time = '{columns[first]}'}}",
        )
    fitting = [i for i, unit in units.items() if unit == wanted.time_unit]
    return next(iter([*plain, *fitting, *units]), None)


def _check_time_unit(table: TableSource, time: int, unit: str) -> None:
    """Refuse a time whose unit is stated, in its name or beside it, and is another than the one asked for."""
    stated = time_unit_in(table.columns[time]) or table.stated_time_unit
    if stated not in (None, unit):
        raise DataError(
            f"{table.where}: column '{table.columns[time]}' is in {stated}, data_set.time_unit is '{unit}'",
            hint=f'set data_set.time_unit = "{stated}"',
        )


def _hydrogen(index: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    for name, column in index.items():
        atoms = parse_species(name).elements.get("H", 0) if is_species(name) else 0
        if atoms:
            yield name, column, atoms


def _species_among(index: Mapping[str, int], where: str, known: frozenset[str]) -> tuple[str, ...]:
    """Return the columns that are species; refuse one that is nothing known."""
    names = tuple(name for name in index if name not in known)
    for name in names:
        if not is_species(name):
            raise DataError(
                f"{where}: unknown species column '{name}' (column {index[name]}): no chemical formula, "
                "physical parameter or bookkeeping column",
                hint=f"{_meant(name, names, known)}, say what it is in data_set.columns, "
                "name it in data_set.physical, or leave it out by data_set.drop_columns",
            )
    if not names:
        raise DataError(
            f"{where}: no species among the columns {', '.join(index)}", hint="check the column names"
        )
    return names


def _meant(name: str, names: Sequence[str], known: frozenset[str]) -> str:
    """Return what a column that is no species may mean: an isotope or ice, else a name near it."""
    key = key_for(name)
    if key:
        return key
    near = nearest(name, [*known - BOOKKEEPING, *(other for other in names if is_species(other))])
    meant = f"did you mean {' or '.join(repr(word) for word in near)}? " if near else ""
    return f"{meant}rename it, declare its formula in network.composition"


def _find(name: str, index: dict[str, int], columns: Sequence[str], where: str) -> int:
    """Return the position of a column that must be there; the error tells the table's own names."""
    if name in index:
        return index[name]
    near = [columns[index[word]] for word in nearest(name, index)]
    meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise DataError(
        f"{where}: no column '{name}'; the table has: {_listed(columns)}",
        hint=f"{meant}rename the column in the file, say which it is: data_set.columns = {{{name} = '...'}}, "
        "or name the columns that it has in data_set.physical (parameters) or data_set.species",
    )


def _listed(columns: Sequence[str]) -> str:
    more = f", ... ({len(columns)} columns)" if len(columns) > _LISTED else ""
    return ", ".join(columns[:_LISTED]) + more
