"""Rows that are appended piece by piece are the rows of the dataset, however they were cut."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.data.preprocess.growing_columns import GrowingColumn

CHUNK = 4


def column(file: h5py.File, name: str, compression: str | None, width: int = 3) -> GrowingColumn:
    tail = (width,) if width else ()
    dataset = file.create_dataset(
        name, (0, *tail), "f4", maxshape=(None, *tail), chunks=(CHUNK, *tail), compression=compression
    )
    return GrowingColumn(dataset)


@pytest.mark.parametrize("compression", [None, "gzip"])
@given(pieces=st.lists(st.integers(0, 11), max_size=6))
@settings(max_examples=30)
def test_the_rows_are_those_that_were_appended(
    pieces: list[int], compression: str | None, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).random((sum(pieces), 3)).astype(np.float32)
    with h5py.File(tmp_path / "t.h5", "w") as file:
        grown, flat = column(file, "wide", compression), column(file, "flat", compression, width=0)
        for part in np.split(values, np.cumsum(pieces)[:-1] if pieces else []):
            grown.append(part)
            flat.append(part[:, 0])
        grown.flush()
        flat.flush()
    with h5py.File(tmp_path / "t.h5") as file:
        np.testing.assert_array_equal(file["wide"][:], values)
        np.testing.assert_array_equal(file["flat"][:], values[:, 0])


def test_room_is_given_up_to_the_end_of_the_chunk(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        grown = column(file, "rows", None)
        grown.append(np.zeros((1, 3)))
        parts = []
        for part, space in grown.spaces(9):
            space[...] = 1.0
            parts.append((part.start, part.stop))
        grown.flush()
        assert parts == [(0, 3), (3, 7), (7, 9)]
        assert file["rows"][:].sum() == 27


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name, cuts in (("once", []), ("twice", [5])):
        with h5py.File(tmp_path / name, "w") as file:
            grown = column(file, "rows", None)
            for part in np.split(np.arange(18, dtype=np.float32).reshape(6, 3), cuts):
                grown.append(part)
            grown.flush()
    assert (tmp_path / "once").read_bytes() == (tmp_path / "twice").read_bytes()
