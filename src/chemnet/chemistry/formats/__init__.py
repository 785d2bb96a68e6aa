"""Readers of network files; each offers `matches(path)` and `read(path, reading)`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType

from chemnet.chemistry.formats.row_files import Reading, ReadingOptions
from chemnet.chemistry.formats.unsupported import what_it_is
from chemnet.chemistry.network.balance import check_reaction
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.network.species_names import accidental_elements, refuse_accidents
from chemnet.errors import DataError, suggest

FORMATS = ("native", "uclchem", "krome", "umist", "kida", "osu")
# beyond the fastest two-body reactions of gas, recombinations of large ions, by far [cm^3 s^-1]
_FASTEST = 1e-4
"""Reader modules of this package, in the order in which they are asked."""


@dataclass(frozen=True)
class NetworkParts:
    """What a reader returned.

    Attributes
    ----------
    species, reactions
        The parts of the network.
    name
        Its name: that of the file or folder.
    format
        The reader that recognised it, one of `FORMATS`.
    reading
        What was noticed and left out.
    """

    species: list[NetworkSpecies]
    reactions: list[Reaction]
    name: str
    format: str
    reading: Reading


def read_parts(path: str | Path, options: ReadingOptions | None = None) -> NetworkParts:
    """Read species and reactions from a file, a folder, or a network that chemnet ships.

    Parameters
    ----------
    path
        Path to read, or the name of a shipped network.
    options
        How names, ranges and unreadable rows are taken.

    Returns
    -------
    NetworkParts
        Species, reactions, the network's name, and what was noticed.

    Raises
    ------
    DataError
        If nothing is there, no format recognises the content, rows cannot be read, or a name reads as a
        formula by accident.
    """
    place = _place(path)
    module, reading = detect_format(place), Reading(options)
    species, reactions = module.read(place, reading)
    if reading.options.skip_unreadable:
        species, reactions = _usable(species, reactions, reading)
    where: dict[str, str] = {}
    for reaction in reactions:
        for name in (*reaction.reactants, *reaction.products):
            where.setdefault(name, reaction.source)
        if reaction.alpha < 0.0:
            reading.notice("rows with a negative alpha take away from a rate", reaction.source)
        if (
            reaction.kind == "TWOBODY"
            and reaction.alpha > _FASTEST
            and "GRAIN" not in "".join(reaction.reactants)
        ):
            reading.notice(
                f"two-body rows with alpha above {_FASTEST:g} cm^3 s^-1: other units?", reaction.source
            )
    refuse_accidents([one.name for one in species], where)
    return NetworkParts(species, reactions, _name(place), module.__name__.rpartition(".")[2], reading)


def _usable(
    species: list[NetworkSpecies], reactions: list[Reaction], reading: Reading
) -> tuple[list[NetworkSpecies], list[Reaction]]:
    """Leave out the rows that do not balance or name what is no species, and list them."""
    doubted = accidental_elements(one.name for one in species)
    kept = [one for one in species if one.name not in doubted]
    known, usable = {one.name: one for one in kept}, []
    for reaction in reactions:
        try:
            check_reaction(reaction, known)
        except DataError as error:
            reading.skipped.append(error.message)
        else:
            usable.append(reaction)
    return kept, usable


def _name(place: Path) -> str:
    """Return what a file or folder is called, without its endings."""
    return place.with_suffix("").stem if place.suffix == ".gz" else place.stem


def read_standard_abundances(path: str | Path) -> dict[str, float]:
    """Return the initial abundances that come with a network; empty where its format knows none.

    Raises
    ------
    DataError
        If nothing is there, no format recognises the content, or a value is no abundance.
    """
    place = _place(path)
    reader = detect_format(place)
    return reader.initial_abundances(place) if hasattr(reader, "initial_abundances") else {}


def _place(path: str | Path) -> Path:
    """Return the file or folder, that of a shipped network when nothing stands at `path`."""
    place = Path(path)
    return place if place.exists() else _shipped_network(str(path))


def detect_format(path: Path) -> ModuleType:
    """Return the module whose format the content of `path` has.

    Raises
    ------
    DataError
        If no format recognises it.
    """
    for name in FORMATS:
        module = import_module(f"{__name__}.{name}")
        if module.matches(path):
            return module
    known = what_it_is(path)
    formats = (
        "give a UCLCHEM folder (species.csv and reactions.csv), a UMIST, KIDA, OSU or KROME file, "
        "or chemnet's own format"
    )
    raise DataError(
        f"{path}: not a network that chemnet can read" + (f": {known[0]}" if known else ""),
        hint=f"{known[1]}; else {formats}" if known else formats,
    )


def shipped_networks() -> list[str]:
    """Return the names of the networks inside the package."""
    root = resources.files("chemnet.chemistry.networks")
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("_"))


def _shipped_network(name: str) -> Path:
    if name not in shipped_networks():
        raise DataError(
            f"no file, folder or shipped network called {name!r}", hint=suggest(name, shipped_networks())
        )
    return Path(str(resources.files("chemnet.chemistry.networks"))) / name
