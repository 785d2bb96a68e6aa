"""Growing `.npy` files are plain `.npy` files, and damaged ones are refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.data.npy_files import NpyAppender, let_go, open_npy
from chemnet.errors import ResultsError


@given(lengths=st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_blocks_of_any_length_make_one_array(tmp_path_factory, lengths):
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    blocks = [
        np.random.default_rng(n).random((length, 3), dtype=np.float32) for n, length in enumerate(lengths)
    ]
    with NpyAppender(path, np.dtype("f4"), (3,)) as file:
        for block in blocks:
            file.append(block)
    np.testing.assert_array_equal(np.load(path, allow_pickle=False), np.concatenate(blocks))


def test_structured_rows_keep_their_fields(tmp_path):
    dtype = np.dtype([("id", "U4"), ("time [yr]", "f8"), ("z", "f4", (2,))])
    rows = np.array([("a-0", 1.5, (0, 1)), ("ü-12", 2.5, (2, 3))], dtype=dtype)
    with NpyAppender(tmp_path / "a.npy", dtype) as file:
        file.append(rows)
    np.testing.assert_array_equal(open_npy(tmp_path / "a.npy"), rows)


def test_a_read_file_is_a_memory_map_that_cannot_be_written(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(4))
    mapped = open_npy(tmp_path / "a.npy")
    assert isinstance(mapped, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 1


def test_rows_of_another_shape_are_refused(tmp_path):
    with (
        NpyAppender(tmp_path / "a.npy", np.dtype("f4"), (3,)) as file,
        pytest.raises(ValueError, match=r"rows of shape \(2,\) do not fit"),
    ):
        file.append(np.zeros((1, 2)))


@pytest.mark.parametrize("content", [b"", b"not numpy at all"])
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ResultsError, match=r"a\.npy cannot be read"):
        open_npy(tmp_path / "a.npy")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ResultsError, match=r"a\.npy is missing"):
        open_npy(tmp_path / "a.npy")


def test_pages_that_were_let_go_come_back_from_the_file(tmp_path):
    values = np.random.default_rng(0).random((4096, 8))
    np.save(tmp_path / "a.npy", values)
    opened = open_npy(tmp_path / "a.npy")
    view = opened[1000:3000, 2]
    np.testing.assert_array_equal(view, values[1000:3000, 2])
    let_go(view)
    np.testing.assert_array_equal(view, values[1000:3000, 2])
    np.testing.assert_array_equal(opened, values)


def test_arrays_that_are_no_maps_stay_as_they_are():
    values = np.arange(12.0).reshape(3, 4)
    let_go(values[1:])
    assert values.sum() == 66.0


# who is killed closes nothing
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_rows_that_are_gone_on_from_stay_where_they_are(tmp_path):
    path = tmp_path / "rows.npy"
    first = NpyAppender(path, np.dtype("<f4"), (2,))
    first.append(np.arange(10, dtype="<f4").reshape(5, 2))
    first.flush()
    file = path.stat().st_ino
    # each of these is killed before it has written anything
    for _ in range(3):
        NpyAppender.reopened(path, np.dtype("<f4"), 3, (2,)).flush()
        assert path.stat().st_ino == file
    with NpyAppender.reopened(path, np.dtype("<f4"), 3, (2,)) as again:
        again.append(np.full((1, 2), 9, dtype="<f4"))
    np.testing.assert_array_equal(np.load(path), [[0, 1], [2, 3], [4, 5], [9, 9]])
    assert [one.name for one in tmp_path.iterdir()] == ["rows.npy"]
    first.close()


@pytest.mark.parametrize("damage", ["short", "type", "header"])
def test_a_file_that_cannot_be_gone_on_with_is_named(tmp_path, damage):
    path = tmp_path / "rows.npy"
    with NpyAppender(path, np.dtype("<f8" if damage == "type" else "<f4")) as file:
        file.append(np.zeros(2 if damage == "short" else 9, dtype=file.dtype))
    if damage == "header":
        path.write_bytes(b"\x00" * 200)
    with pytest.raises(ResultsError, match=r"rows\.npy is damaged"):
        NpyAppender.reopened(path, np.dtype("<f4"), 3)
