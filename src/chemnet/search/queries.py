"""Reading a query: a latent vector, or abundances by species name."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chemnet.chemistry.network.species_sums import TOTAL_ICE, positions_of
from chemnet.errors import DataError, nearest
from chemnet.progress import get_logger
from chemnet.text_files import is_number

#: missing species that the warning names
_LISTED = 10
_log = get_logger(__name__)


def read_vector(source: str | Path | Sequence[float] | np.ndarray) -> np.ndarray:
    """Return a latent vector ``(n,)`` float32 from numbers, from text or from a file.

    Parameters
    ----------
    source
        Numbers; or text such as ``"0.1, 0.2"``; or the path of an ``.npy`` file or of a text file of numbers
        that are separated by commas, white space or line ends.

    Raises
    ------
    DataError
        For a value that is not a number, or a file that cannot be read.
    """
    if not isinstance(source, (str, Path)):
        return np.asarray(source, dtype=np.float32).reshape(-1)
    path = Path(source)
    if path.suffix == ".npy":
        return _load_npy(path).astype(np.float32).reshape(-1)
    text = _read_text(path) if path.suffix in (".csv", ".txt", ".dat") else str(source)
    words = text.replace(",", " ").split()
    try:
        return np.array([float(word) for word in words], dtype=np.float32)
    except ValueError as error:
        raise DataError(
            f"the vector {text.strip()[:60]!r} holds something that is no number: {error}",
            hint='write --vector="0.1,0.2,..." or name a file of numbers',
        ) from error


def read_abundances(
    source: str | Path | Mapping[str, float] | np.ndarray, species: Sequence[str]
) -> np.ndarray:
    """Return abundances relative to H nuclei in the order of `species`, ``(S,)`` float64.

    Species that are not given are NaN, with a warning.

    Parameters
    ----------
    source
        A mapping of species name to abundance, an array in the order of `species`, or the path of

        - JSON: ``{"CO": 1e-5, ...}``;
        - CSV: lines ``CO,1e-5``, or one line of names over one line of values;
        - ``.npy``: one value per species in the model's order, or one structured record with a field per
          species.
    species
        Names of all species of the model.

    Raises
    ------
    DataError
        For an unknown species, a value that is negative or no number, or a file that cannot be read.
    """
    given = _by_name(source, species)
    unknown = [name for name in given if name not in set(species)]
    if unknown:
        near = nearest(unknown[0], species)
        if unknown[0].startswith(TOTAL_ICE):
            parts = [species[i] for i in positions_of(unknown[0], species)]
            raise DataError(
                f"{_origin(source)}: {unknown[0]!r} is a sum, and the model must know its parts",
                hint=f"give {' and '.join(parts)}",
            )
        raise DataError(
            f"{_origin(source)}: unknown species {', '.join(map(repr, unknown[:5]))}",
            hint=f"did you mean {' or '.join(near)}?" if near else f"the model knows {len(species)} species",
        )
    wrong = [name for name, value in given.items() if not (np.isfinite(value) and value >= 0)]
    if wrong:
        raise DataError(
            f"{_origin(source)}: abundance of {wrong[0]!r} is {given[wrong[0]]}",
            hint="abundances are numbers >= 0, relative to H nuclei",
        )
    if missing := [name for name in species if name not in given]:
        _log.warning(
            "%d of %d species are not given: encoded as 0, and not compared: %s",
            len(missing),
            len(species),
            ", ".join(missing[:_LISTED]) + (", ..." if len(missing) > _LISTED else ""),
        )
    return np.array([given.get(name, np.nan) for name in species])


def _by_name(source: Any, species: Sequence[str]) -> dict[str, float]:
    if isinstance(source, Mapping):
        return _floats(source.items(), source)
    if not isinstance(source, (str, Path)):
        return _in_order(np.asarray(source), species, source)
    path = Path(source)
    if path.suffix == ".npy":
        return _in_order(_load_npy(path), species, source)
    text = _read_text(path)
    if path.suffix == ".json":
        return _from_json(text, source)
    return _from_csv(text, source)


def _in_order(values: np.ndarray, species: Sequence[str], source: Any) -> dict[str, float]:
    """Return plain values by the model's order, or structured ones by field name."""
    if values.dtype.names:
        return _floats(((name, values.reshape(-1)[0][name]) for name in values.dtype.names), source)
    values = values.reshape(-1)
    if len(values) != len(species):
        raise DataError(
            f"{_origin(source)}: {len(values)} values, the model has {len(species)} species",
            hint="give names with the values (JSON or CSV)",
        )
    return _floats(zip(species, values, strict=True), source)


def _from_json(text: str, source: Any) -> dict[str, float]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{_origin(source)} is not valid JSON: {error}", hint='write {"CO": 1e-5, ...}'
        ) from error
    if not isinstance(content, dict):
        raise DataError(f"{_origin(source)} holds no JSON object", hint='write {"CO": 1e-5, ...}')
    return _floats(content.items(), source)


def _from_csv(text: str, source: Any) -> dict[str, float]:
    """Return the pairs of a CSV of two columns, or of a line of names over a line of values."""
    lines = [[cell.strip() for cell in line] for line in csv.reader(text.splitlines()) if any(line)]
    if (
        len(lines) == 2
        and len(lines[0]) == len(lines[1])
        and (len(lines[0]) != 2 or not is_number(lines[0][1]))
    ):
        return _floats(zip(lines[0], lines[1], strict=True), source)
    if lines and len(lines[0]) == 2 and not is_number(lines[0][1]):
        lines = lines[1:]  # a heading
    if not lines or any(len(line) != 2 for line in lines):
        raise DataError(
            f"{_origin(source)} holds no table of abundances",
            hint="write lines 'species,abundance', or one line of names over one line of values",
        )
    return _floats(lines, source)


def _floats(pairs: Any, source: Any) -> dict[str, float]:
    given: dict[str, float] = {}
    for name, value in pairs:
        try:
            given[str(name)] = float(value)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{_origin(source)}: abundance of {name!r} is {value!r}, which is no number"
            ) from error
    return given


def _origin(source: Any) -> str:
    return str(source) if isinstance(source, (str, Path)) else "the query"


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}", hint="check the path") from error


def _load_npy(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read {path}: {error}", hint="check the path; it must hold numbers only"
        ) from error
