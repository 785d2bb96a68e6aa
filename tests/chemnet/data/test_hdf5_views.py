"""Slices of a dataset are the same whether they are mapped or read."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.data.hdf5_views import StoredRows

VALUES = np.arange(50 * 3, dtype=np.float32).reshape(50, 3)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "rows.h5"
    with h5py.File(path, "w") as writer:
        writer.create_dataset("plain", data=VALUES, chunks=(8, 3), maxshape=(None, 3))
        writer.create_dataset("packed", data=VALUES, chunks=(8, 3), compression="gzip")
        writer.create_dataset("whole", data=VALUES)
        writer.create_dataset("halved", data=VALUES, chunks=(8, 2))
        writer.create_dataset("foreign", data=VALUES.astype(">f4"), chunks=(8, 3))
        writer.create_dataset("flat", data=VALUES[:, 0], chunks=(8,))
        writer.create_dataset("unwritten", shape=(50, 3), chunks=(8, 3), dtype="f4")
    with h5py.File(path, "r") as reader:
        yield reader


bounds = st.none() | st.integers(-60, 60)


@pytest.mark.parametrize("name", ["plain", "packed", "whole", "halved", "foreign", "flat", "unwritten"])
@given(start=bounds, stop=bounds, step=st.none() | st.integers(1, 4))
@settings(max_examples=40)
def test_any_slice_is_what_hdf5_reads(file, name, start, stop, step):
    rows = slice(start, stop, step)
    np.testing.assert_array_equal(StoredRows(file[name])[rows], file[name][rows])


def test_rows_of_one_chunk_are_a_view_and_not_a_copy(file):
    stored = StoredRows(file["plain"])
    assert stored[8:16].base is not None
    assert np.shares_memory(stored[8:16], stored[10:12])
    assert not np.shares_memory(stored[7:16], stored[10:12])


def test_writing_to_a_view_leaves_the_file_alone(file):
    stored = StoredRows(file["plain"])
    stored[0:8][...] = -1.0
    np.testing.assert_array_equal(file["plain"][0:8], VALUES[0:8])


def test_pages_that_were_let_go_come_back_from_the_file(file, monkeypatch):
    monkeypatch.setattr("chemnet.data.hdf5_views._HELD_BYTES", 0)
    stored = StoredRows(file["plain"])
    first = stored[0:8]
    for start in range(0, 48, 8):
        np.testing.assert_array_equal(stored[start : start + 8], VALUES[start : start + 8])
    np.testing.assert_array_equal(first, VALUES[0:8])
