"""An HDF5 file that claims what it cannot hold is refused before memory is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from chemnet.config import load_config
from chemnet.data.readers.global_heaps import refuse_endless_heaps
from chemnet.data.readers.tracer_table import TracerTable
from chemnet.errors import DataError

COLUMNS = ("Tracer", "Time", "Density", "Radfield", "Av", "gasTemp", "H", "H2")


def opened(path: Path, write: Callable[[h5py.File], None]) -> TracerTable:
    with h5py.File(path / "table.h5", "w") as file:
        write(file)
    return TracerTable(load_config([], [f"data_set.path={path / 'table.h5'}"]))


def test_rows_that_were_never_written_are_not_read(tmp_path: Path) -> None:
    def write(file: h5py.File) -> None:
        file.create_dataset("data", (10**12, len(COLUMNS)), "f8", chunks=(64, len(COLUMNS)))
        file["columns"] = list(COLUMNS)

    with pytest.raises(DataError, match="'data' claims 64,000,000,000,000 bytes"):
        opened(tmp_path, write)


def test_a_chunk_that_fills_the_memory_is_not_read(tmp_path: Path) -> None:
    def write(file: h5py.File) -> None:
        many = 1 << 26
        file.create_dataset("data", (6, 8), "f8", maxshape=(None, 8), chunks=(many, 8))
        file["columns"] = list(COLUMNS)

    with pytest.raises(DataError, match="chunks"):
        opened(tmp_path, write)


def test_groups_in_a_circle_end(tmp_path: Path) -> None:
    def write(file: h5py.File) -> None:
        inner = file.create_group("a/b")
        inner["back"] = file["a"]

    with pytest.raises(DataError, match="no table in this HDF5 file"):
        opened(tmp_path, write)


def test_groups_without_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nested more than 32 deep"):
        opened(tmp_path, lambda file: file.create_group("/".join(["a"] * 100)) and None)


def test_a_group_where_an_array_belongs_is_told(tmp_path: Path) -> None:
    def write(file: h5py.File) -> None:
        file["physical"] = np.ones((2, 3, 4))
        file.create_group("time")
        file["abundances"], file["species"] = np.ones((2, 3, 2)), ["H", "H2"]

    with pytest.raises(DataError, match="not laid out"):
        opened(tmp_path, write)


def test_texts_whose_place_is_damaged_are_refused_where_the_library_would_look_for_ever(
    tmp_path: Path,
) -> None:
    def write(file: h5py.File) -> None:
        file.attrs["pandas_type"] = "frame"
        file.create_group("df").attrs["pandas_type"] = "frame"

    file = tmp_path / "table.h5"
    with h5py.File(file, "w") as whole:
        write(whole)
    content = file.read_bytes()
    refuse_endless_heaps(file)
    heap = content.index(b"GCOL")
    # the sizes of an object and of what is free, so large that the next place is the same one
    for place in (heap + 16, content.index(b"frame", heap) + 8):
        huge = content[: place + 8] + b"\xff" * 7 + b"\x16" + content[place + 16 :]
        file.write_bytes(huge)
        with pytest.raises(DataError, match=f"the heap at byte {heap} is damaged"):
            TracerTable(load_config([], [f"data_set.path={file}"]))
