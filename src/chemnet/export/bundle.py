"""A bundle: a surrogate as a folder that codes in C, C++ and Fortran build and call, without Python.

It may be one .zip of that folder:

surrogate.toml          species, units, valid ranges, time step, provenance, checksums
surrogate.onnx, surrogate.pt2   where asked for, one step as a program
weights.bin             all numbers; reference.bin, reference.raw: cells with their answers
chemnet_surrogate.h, chemnet_surrogate.f90, src/, examples/, CMakeLists.txt, Makefile
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from chemnet.config.toml_text import read_toml_text, toml_text
from chemnet.config.whole_file import is_as_written, with_checksum, write_whole
from chemnet.data.parameter_units import UNITS
from chemnet.errors import ModelError
from chemnet.export.archive import is_archive, pack, unpacked
from chemnet.export.library_arrays import packed_surrogate
from chemnet.export.onnx_and_pt2 import check_formats, write_programs
from chemnet.export.reference import ReferenceCells, reference_cells
from chemnet.export.weight_file import write_weight_file
from chemnet.models.emulators.implicit.implicit_emulator import ImplicitEmulator
from chemnet.surrogate.surrogate import Surrogate

DESCRIPTION_FILE, WEIGHTS_FILE = "surrogate.toml", "weights.bin"
REFERENCE_FILE, RAW_REFERENCE_FILE, EMBEDDED_FILE = "reference.bin", "reference.raw", "src/embedded_weights.c"
FORMAT = 1
# of `model.ImplicitEmulator`
_SETTINGS = (
    "uclchem_compatible",
    "iterations",
    "update_tolerance",
    "least_iterations",
    "most_iterations",
    "solver_error",
    "sub_steps",
    "solver_rtol",
)
_LICENCE = "the library: BSD-3-Clause (chemnet); the weights: as the data that they were trained on"


def write_bundle(surrogate: Surrogate, path: Path, embed: bool = False, formats: Sequence[str] = ()) -> Path:
    """Write a bundle, where there is nothing yet or over an older one, and return where.

    Parameters
    ----------
    surrogate
        What to export.
    path
        A folder, new or empty; or a file whose name ends in ``.zip``.
    embed
        Whether the weights are also written as C source, for codes that cannot read files.
    formats
        Programs that are written beside the library: ``"onnx"``, ``"pt2"``.

    Raises
    ------
    ModelError
        When the folder or file holds something else, or the surrogate has no form that the library computes.
    ConfigError, MissingPackageError
        When there is no such format, or its packages are missing.
    """
    check_formats(formats)
    if not is_archive(path):
        return _write_folder(surrogate, path, embed, formats)
    if path.exists():
        with unpacked(path) as older:
            read_description(older)  # anything else is not overwritten
    with tempfile.TemporaryDirectory(prefix="chemnet-export-") as scratch:
        folder = _write_folder(surrogate, Path(scratch) / path.stem, embed, formats)
        path.parent.mkdir(parents=True, exist_ok=True)
        pack(folder, path)
    return path


def _write_folder(surrogate: Surrogate, folder: Path, embed: bool, formats: Sequence[str]) -> Path:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / WEIGHTS_FILE).is_file():
        raise ModelError(f"{folder} holds files that are no bundle", hint="name a new or an empty folder")
    arrays = packed_surrogate(surrogate)
    folder.mkdir(parents=True, exist_ok=True)
    programs = write_programs(surrogate, formats, folder)
    _copy_sources(folder)
    digest = _digest(arrays)
    write_weight_file(folder / WEIGHTS_FILE, {**arrays, "digest": digest})
    cells = reference_cells(surrogate)
    write_weight_file(folder / REFERENCE_FILE, cells.arrays())
    _write_raw(cells, folder / RAW_REFERENCE_FILE)
    if embed:
        _embed(folder)
    _write_description(surrogate, digest, programs, folder)
    return folder


def read_description(folder: Path) -> dict[str, Any]:
    """Return the content of a bundle's ``surrogate.toml``.

    Raises
    ------
    ModelError
        When the folder is no bundle, or one of a later format.
    """
    path = folder / DESCRIPTION_FILE
    if not folder.is_dir():
        raise ModelError(
            f"{folder} is no exported surrogate: no such folder",
            hint="chemnet export SURROGATE --output DIR makes one",
        )
    try:
        text = path.read_text(encoding="utf-8")
        content = read_toml_text(text)
        found = content["bundle_format"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ModelError(
            f"{folder} is no exported surrogate: {error}", hint="chemnet export SURROGATE --output DIR"
        ) from error
    if found != FORMAT:
        raise ModelError(f"{path} has format {found}; this chemnet reads {FORMAT}", hint="export it again")
    if not is_as_written(text):
        raise ModelError(f"{path} changed after it was written (other checksum)", hint="export it again")
    return content


def changed_files(folder: Path, description: dict[str, Any]) -> list[str]:
    """Return the files of a bundle that are missing or are no longer what was exported."""
    return [
        name
        for name, expected in description["checksums"].items()
        if not (folder / name).is_file() or _sha256(folder / name) != expected
    ]


def _copy_sources(folder: Path) -> None:
    with resources.as_file(resources.files("chemnet.export") / "c") as sources:
        shutil.copytree(sources, folder, dirs_exist_ok=True)


def _write_raw(cells: ReferenceCells, path: Path) -> None:
    """Write what the check in Fortran reads: start, parameters, time steps, abundances after one step."""
    sizes = np.array([*cells.start.shape, cells.physical.shape[1]], np.int32)
    rows = (cells.start, cells.physical, cells.dt[:, 0], cells.step)
    path.write_bytes(
        sizes.tobytes() + b"".join(np.ascontiguousarray(one, np.float64).tobytes() for one in rows)
    )


def _embed(folder: Path) -> None:
    """Write the weights as an array of C; compilers align it as its 64-bit numbers."""
    content = (folder / WEIGHTS_FILE).read_bytes()
    words = np.frombuffer(content + bytes(-len(content) % 8), "<u8")
    lines = [",".join(f"0x{word:x}u" for word in words[i : i + 8]) for i in range(0, len(words), 8)]
    text = (
        "/* The weights: chemnet_open_memory(chemnet_weights, chemnet_weights_size, &surrogate) */\n"
        "#include <stddef.h>\n#include <stdint.h>\n"
        f"const size_t chemnet_weights_size = {len(content)}u;\n"
        f"const uint64_t chemnet_weights[{len(words)}] = {{\n" + ",\n".join(lines) + "};\n"
    )
    (folder / EMBEDDED_FILE).write_text(text, encoding="ascii")


def _write_description(surrogate: Surrogate, digest: str, programs: dict[str, Any], folder: Path) -> None:
    data, domain = surrogate.data, surrogate.domain
    content: dict[str, Any] = {
        "bundle_format": FORMAT,
        "name": surrogate.name,
        "digest": digest,
        "licence": _LICENCE,
        "units": {
            "abundance": "per H nucleus",
            "time": "yr",
            **{name: UNITS.get(name, "as in the training data") for name in data.physical_names},
        },
        "species": list(data.species),
        "elements": list(data.elements),
        "physical": list(data.physical_names),
        "domain": domain.to_dict(),
        "charges_balance": surrogate.is_neutral,
        "abundance_floor": data.abundance_scaling.floor,
        "reference_cells": {"cells": REFERENCE_FILE, "steps": "see README of chemnet: how-to/couple"},
        **_implicit_step(surrogate),
        **programs,
        "provenance": surrogate.provenance,
    }
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != DESCRIPTION_FILE)
    content["checksums"] = {path.relative_to(folder).as_posix(): _sha256(path) for path in files}
    write_whole(folder / DESCRIPTION_FILE, with_checksum(toml_text(content)))


def _implicit_step(surrogate: Surrogate) -> dict[str, Any]:
    """Return what is done before the networks: when iterations end, and which steps are integrated."""
    emulator = surrogate.parts.emulator
    if not isinstance(emulator, ImplicitEmulator) or emulator.chemistry is None:
        return {}
    own = {name: emulator.table[name] for name in _SETTINGS}
    return {"implicit_step": {"network": emulator.chemistry.network.name, **own}}


def _digest(arrays: dict[str, Any]) -> str:
    found = hashlib.sha256()
    for name, values in arrays.items():
        found.update(name.encode())
        found.update(values.encode() if isinstance(values, str) else np.ascontiguousarray(values).tobytes())
    return found.hexdigest()[:32]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
