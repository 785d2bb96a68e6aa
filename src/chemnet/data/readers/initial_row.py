"""The abundances of the row that `data_set.prepend_initial` puts in front of each tracer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chemnet.chemistry.network.initial_abundances import ELECTRON, STANDARD_ABUNDANCES
from chemnet.chemistry.network.species import is_species, parse_species, standard_name
from chemnet.errors import DataError, suggest
from chemnet.text_files import data_lines, is_number, number

# H2O 1e-5; "#H2O" = 1e-5; H2O,1e-5
_PAIR = re.compile(r"""["']?([^\s"',;=:]+)["']?\s*[\s,;=:]\s*(\S+?)\s*(?:\s#.*)?""")


def initial_row(option: Any, species: Sequence[str]) -> np.ndarray:
    """Return the initial abundances that `data_set.prepend_initial` asks for.

    Parameters
    ----------
    option
        True for UCLCHEM's standard, a mapping from species to abundance relative to H nuclei, or the path of
        a text file with one species and its abundance per line.
    species
        Species names in either spelling; those without an abundance get 0. Electrons balance the charge of
        the others where they are not named.

    Raises
    ------
    DataError
        A file without such lines, an unknown species, or a value that is no abundance.

    Examples
    --------
    >>> initial_row(True, ["H2", "CO", "C+", "E-"])
    array([2.50e-01, 0.00e+00, 1.77e-04, 1.77e-04])
    """
    if option is True:
        return _filled(STANDARD_ABUNDANCES, species)
    where, given = "data_set.prepend_initial", option
    if not isinstance(option, Mapping):
        where, given = str(option), _read_pairs(Path(option).expanduser())
    known = {standard_name(name): name for name in species}
    for name, value in given.items():
        if not is_species(name) or standard_name(name) not in known:
            raise DataError(
                f"{where}: {name!r} is not among the species that are read", hint=suggest(name, species)
            )
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0.0 <= value < math.inf:
            raise DataError(
                f"{where}: the abundance of {name!r} is {value!r}", hint="give a number, 0 or greater"
            )
    return _filled({standard_name(name): float(value) for name, value in given.items()}, species)


def _filled(given: Mapping[str, float], species: Sequence[str]) -> np.ndarray:
    """Return abundances of species by their standard names; electrons balance the charge unless named."""
    names = [standard_name(name) for name in species]
    abundance = np.array([given.get(name, 0.0) for name in names])
    if ELECTRON in names and ELECTRON not in given:
        charge = sum(value * parse_species(name).charge for name, value in zip(names, abundance, strict=True))
        abundance[names.index(ELECTRON)] = max(charge, 0.0)
    return abundance


def _read_pairs(path: Path) -> dict[str, float]:
    """Read one species and its abundance per line; headings and comments (`# ...`) are passed over."""
    if not path.is_file():
        raise DataError(f"{path}: no such file", hint="check data_set.prepend_initial")
    pairs: dict[str, float] = {}
    for line_number, line in data_lines(path, ("# ", "[")):
        match = _PAIR.fullmatch(line.strip())
        if match is not None and (pairs or is_number(match.group(2))):
            name, value = match.groups()
            pairs[name] = number(value, f"the abundance of {name}", f"{path}:{line_number}")
        elif pairs:
            raise DataError(
                f"{path}:{line_number}: {line.strip()!r}", hint="write a species and its abundance"
            )
    if not pairs:
        raise DataError(f"{path}: no abundances", hint="write a species and its abundance per line: H2 0.5")
    return pairs
