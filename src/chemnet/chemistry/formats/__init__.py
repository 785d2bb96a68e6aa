"""Readers of network files; each offers `matches(path)` and `read(path)`."""

from __future__ import annotations

from importlib import import_module, resources
from pathlib import Path
from types import ModuleType

from chemnet.chemistry.network.network import NetworkSpecies, Reaction
from chemnet.errors import DataError, suggest

FORMATS = ("native", "uclchem", "krome", "umist", "kida")
"""Reader modules of this package, in the order in which they are asked."""


def read_parts(path: str | Path) -> tuple[list[NetworkSpecies], list[Reaction], str]:
    """Read species and reactions from a file, a folder, or a network that chemnet ships.

    Parameters
    ----------
    path
        Path to read, or the name of a shipped network.

    Returns
    -------
    tuple
        Species, reactions, and the network's name.

    Raises
    ------
    DataError
        If nothing is there or no format recognises the content.
    """
    place = _place(path)
    species, reactions = detect_format(place).read(place)
    return species, reactions, place.stem


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
    raise DataError(
        f"{path}: not a network that chemnet can read",
        hint="give a UCLCHEM folder (species.csv and reactions.csv), a UMIST, KIDA or KROME file, "
        "or chemnet's own format",
    )


def shipped_networks() -> list[str]:
    """Return the names of the networks inside the package."""
    root = resources.files("chemnet.chemistry.networks")
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("_"))


def _shipped_network(name: str) -> Path:
    """Return the folder of the shipped network `name`."""
    if name not in shipped_networks():
        raise DataError(
            f"no file, folder or shipped network called {name!r}", hint=suggest(name, shipped_networks())
        )
    return Path(str(resources.files("chemnet.chemistry.networks"))) / name
