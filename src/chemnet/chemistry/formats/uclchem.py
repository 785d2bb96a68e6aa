"""UCLCHEM's format: a folder that holds `species.csv` and `reactions.csv` (written by MakeRates).

Columns are known by name, in any case, with blanks or underscores, apart by commas, semicolons or tabs; the
released version writes 14 columns of reactions and 7 of species, older and development versions others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from chemnet.chemistry.formats.csv_tables import read_columns, read_table, table_file
from chemnet.chemistry.formats.expressions import RateExpression, compile_expression
from chemnet.chemistry.formats.grain_rates import encounter_desorption, recombination_on_grains
from chemnet.chemistry.formats.row_files import Reading
from chemnet.chemistry.network.species import is_species, parse_species
from chemnet.chemistry.network.species_and_reactions import REACTION_KINDS, NetworkSpecies, Reaction
from chemnet.errors import DataError, suggest
from chemnet.text_files import number

SUMS = frozenset({"BULK", "SURFACE"})
"""Names that UCLCHEM lists as species but that are totals over phases."""

SPECIES_FILE, REACTIONS_FILE = "species.csv", "reactions.csv"

_EMPTY = frozenset({"", "NAN"})
_PHOTON = "PHOTON"  # a product of radiative association
_KEYWORDS = {kind: kind for kind in REACTION_KINDS if kind not in ("TWOBODY", "EXPRESSION")} | {
    "IONOPOL1": "IONPOL1",
    "IONOPOL2": "IONPOL2",
}
_REACTANTS = ("Reactant 1", "Reactant 2", "Reactant 3")
_PRODUCTS = ("Product 1", "Product 2", "Product 3", "Product 4")
_RATES = ("Alpha", "Beta", "Gamma", "T_min", "T_max")
_NEEDED_OF_SPECIES = ("NAME", "MASS", "BINDING ENERGY")
_OTHER_OF_SPECIES = (
    *("ENTHALPY", "SOLID FRACTION", "MONO FRACTION", "VOLCANO FRACTION"),
    "DIFFUSION BARRIER",
)
_OTHER_OF_REACTIONS = ("reduced_mass", "extrapolate")
_UNUSED = ("Ix", "Iy", "Iz", "SYMMETRY FACTOR", "SYMMETRYFACTOR", "exothermicity")
"""Columns of the development version for what chemnet does not compute (heating, prefactors from inertia)."""
_MASS_TOLERANCE = 0.02  # and 1 amu: the tables round, or take the lightest isotope
_PREFACTORS = ("DESORPTION PREFACTOR", "DIFFUSION PREFACTOR")


def matches(path: Path) -> bool:
    """Whether `path` is a folder in UCLCHEM's format, or the table of reactions in one."""
    species, reactions = _files(path)
    if path.is_dir() and not reactions.is_file():
        return species.is_file() and _has_columns(species, _NEEDED_OF_SPECIES)
    return reactions.is_file() and _has_columns(reactions, _REACTANTS[:1])


def read(path: Path, reading: Reading | None = None) -> tuple[list[NetworkSpecies], list[Reaction]]:
    """Read the folder `path`.

    Parameters
    ----------
    path
        Folder with `species.csv` and `reactions.csv`, or the latter.
    reading
        How names, ranges and unreadable rows are taken.

    Returns
    -------
    tuple
        Species without the sums BULK and SURFACE, and reactions.

    Raises
    ------
    DataError
        If a table or a column is missing, a figure is no number or a reaction type is unknown; names file and
        line.
    """
    reading = reading or Reading()
    species_file, reactions_file = _files(path)
    for there, file, missing in (
        (reactions_file, species_file, SPECIES_FILE),
        (species_file, reactions_file, REACTIONS_FILE),
    ):
        if not file.is_file():
            raise DataError(
                f"{there}: {missing} is missing beside it",
                hint="UCLCHEM's MakeRates writes the two together: species with masses and binding "
                "energies, reactions",
            )
    species = [
        _species(row, where, reading)
        for where, row in _rows(species_file, _NEEDED_OF_SPECIES, (*_OTHER_OF_SPECIES, *_PREFACTORS), reading)
        if row["NAME"].upper() not in SUMS
    ]
    rows = dict(_rows(reactions_file, (*_REACTANTS, *_PRODUCTS, *_RATES), _OTHER_OF_REACTIONS, reading))
    known = {one.name: one for one in species}
    numbered = [(int(where.rpartition(":")[2]), where) for where in rows]
    reactions = reading.read_rows(
        reactions_file, numbered, lambda _, where: [_reaction(rows[where], where, known, reading)]
    )
    return species, reactions


def _files(path: Path) -> tuple[Path, Path]:
    if path.is_dir():
        return table_file(path, SPECIES_FILE), table_file(path, REACTIONS_FILE)
    return table_file(path.parent, SPECIES_FILE), path


def _has_columns(file: Path, names: Iterable[str]) -> bool:
    try:
        return set(names) <= set(read_columns(file, _canonical))
    except DataError:
        return False


def _canonical(name: str) -> str:
    """Return a column's name as released versions of UCLCHEM write it; unknown names stay."""
    return _TITLES.get(_plain(name), name)


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").split())


_TITLES = {
    _plain(name): name
    for group in (
        *(_REACTANTS, _PRODUCTS, _RATES, _OTHER_OF_REACTIONS),
        *(_NEEDED_OF_SPECIES, _OTHER_OF_SPECIES, _PREFACTORS, _UNUSED),
    )
    for name in group
}


def _rows(
    file: Path, needed: tuple[str, ...], other: tuple[str, ...], reading: Reading
) -> list[tuple[str, dict[str, str]]]:
    """Return each row as its `file:line` and a mapping from column to field."""
    columns, rows = read_table(file, _canonical)
    missing = [name for name in needed if name not in columns]
    if missing:
        raise DataError(
            f"{file}: column {missing[0]!r} is missing (found: {', '.join(columns)})",
            hint="write the file with UCLCHEM's MakeRates, or add the column",
        )
    unknown = [name for name in columns if name and name not in {*needed, *other, *_UNUSED}]
    if unknown:
        reading.notice(f"columns of {file.name} that are not used: {', '.join(unknown)}", f"{file.name}:1")
    return [(f"{file.name}:{line}", row) for line, row in rows]


def _species(row: dict[str, str], where: str, reading: Reading) -> NetworkSpecies:
    changed = [name for name in _PREFACTORS if _number(row, name, where) != 0.0]
    if changed:
        reading.notice(
            f"{' and '.join(changed)} of the table not used: frequencies are those of Hasegawa et al. (1992)",
            where,
        )
    (name,) = reading.names([row["NAME"]], where) or _nameless(where)
    mass, of_formula = _number(row, "MASS", where), parse_species(name).mass
    if abs(mass - of_formula) > _MASS_TOLERANCE * of_formula + 1.0:
        reading.notice("masses that contradict the formula of the species: the table's counts", where)
    return NetworkSpecies(
        name=name,
        mass=mass,
        binding_energy=_number(row, "BINDING ENERGY", where),
        enthalpy=_number(row, "ENTHALPY", where),
        solid_fraction=_number(row, "SOLID FRACTION", where),
        mono_fraction=_number(row, "MONO FRACTION", where),
        volcano_fraction=_number(row, "VOLCANO FRACTION", where),
        reference="UCLCHEM",
        diffusion_barrier=_number(row, "DIFFUSION BARRIER", where),
    )


def _nameless(where: str) -> tuple[str]:
    raise DataError(f"{where}: a species without a name", hint="remove the row or name the species")


def _reaction(
    row: dict[str, str], where: str, known: Mapping[str, NetworkSpecies], reading: Reading
) -> Reaction:
    left = [row[name] for name in _REACTANTS if row[name].upper() not in _EMPTY]
    kind, reactants = _take_kind(left, where, frozenset(known), reading)
    right = [row[name] for name in _PRODUCTS if row[name].upper() not in _EMPTY | {_PHOTON}]
    for column in _RATES:
        if row[column].upper() in _EMPTY:
            raise DataError(f"{where}: column {column!r} is empty", hint="write a number")
    alpha, beta, gamma, t_min, t_max = (_number(row, name, where) for name in _RATES)
    products = reading.names(right, where)
    if kind == "ED" and len(reactants) == 1:
        reactants, products = (*reactants, *reactants), (*products, *reactants)
    return Reaction(
        reactants=reactants,
        products=products,
        kind=kind,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        t_min=t_min,
        t_max=t_max,
        extrapolate=row.get("extrapolate", "").lower() in ("true", "1", "1.0"),
        outside=reading.outside("zero"),
        reduced_mass=_number(row, "reduced_mass", where),
        reference="UCLCHEM",
        source=where,
        expression=_expression(kind, alpha, reactants, known, where),
    )


def _expression(
    kind: str, alpha: float, reactants: Sequence[str], known: Mapping[str, NetworkSpecies], where: str
) -> RateExpression | None:
    """Return the rate of a kind that has no formula of its own in the solver."""
    if kind == "GAR":
        return compile_expression(recombination_on_grains(reactants, alpha, where))
    if kind == "ED":
        return compile_expression(encounter_desorption(reactants, alpha, known, where))
    return None


def _take_kind(
    left: list[str], where: str, known: frozenset[str], reading: Reading
) -> tuple[str, tuple[str, ...]]:
    """Return the kind and the reactants of a row; a row without a keyword is a two-body reaction."""
    keyword = next((name for name in left[1:] if name.upper() in _KEYWORDS), None)
    if keyword is not None:
        left = [name for name in left if name != keyword]
        return _KEYWORDS[keyword.upper()], reading.names(left, where)
    strange = left[2:] or [name for name in left[1:] if not _is_listed(name, known, reading)]
    if strange:
        if not left[2:] and is_species(reading.naming.described(strange[0])):
            raise DataError(
                f"{where}: {strange[0]!r} is no species of {SPECIES_FILE}, and no reaction type",
                hint=f"add it to {SPECIES_FILE}, or correct the row",
            )
        raise DataError(f"{where}: unknown reaction type {strange[0]!r}", hint=suggest(strange[0], _KEYWORDS))
    return "TWOBODY", reading.names(left, where)


def _is_listed(name: str, known: frozenset[str], reading: Reading) -> bool:
    try:
        return reading.naming.standard(name) in known
    except DataError:
        return False


def _number(row: dict[str, str], column: str, where: str) -> float:
    """Return a figure; an absent or empty optional one is 0."""
    text = row.get(column, "")
    return 0.0 if text.upper() in _EMPTY else number(text, column, where)
