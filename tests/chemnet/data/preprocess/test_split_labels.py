"""Splits keep each tracer on one side, reproducibly, and can be used again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.data.preprocess.split_labels import (
    UNUSED,
    labels_from_file,
    random_labels,
    read_split_file,
    split_counts,
    write_split_file,
)
from chemnet.errors import DataError

SIZES = {"train": 0.8, "validate": 0.1, "test": 0.1}
percents = st.tuples(st.integers(1, 100), st.integers(0, 100), st.integers(0, 100))


@given(st.integers(3, 2000), percents.filter(lambda sizes: sum(sizes) <= 100), st.integers(0, 5))
def test_counts_add_up_and_no_wanted_split_is_empty(
    n_items: int, percent: tuple[int, int, int], seed: int
) -> None:
    sizes = dict(zip(SIZES, (value / 100 for value in percent), strict=True))
    counts = split_counts(n_items, sizes)
    assert sum(counts.values()) <= n_items
    assert all((counts[name] > 0) == (sizes[name] > 0) for name in sizes)
    assert all(abs(counts[name] - n_items * sizes[name]) < 2 for name in sizes if counts[name] > 1)
    labels = random_labels(n_items, sizes, seed)
    assert [int((labels == label).sum()) for label in range(3)] == list(counts.values())


def test_fractions_that_sum_to_one_use_every_tracer() -> None:
    for n_items in range(3, 200):
        assert sum(split_counts(n_items, SIZES).values()) == n_items


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    np.testing.assert_array_equal(random_labels(100, SIZES, 1), random_labels(100, SIZES, 1))
    assert (random_labels(100, SIZES, 1) != random_labels(100, SIZES, 2)).any()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train": 0.8, "validate": 0.2, "test": 0.2}, "hold more than everything"),
        ({"train": 1.2, "validate": 0.0, "test": 0.0}, "train_size = 1.2 is outside"),
        ({"train": 0.8, "validate": -0.1, "test": 0.1}, "validate_size = -0.1 is outside"),
        ({"train": 0.0, "validate": 0.5, "test": 0.5}, "nothing to train on"),
    ],
)
def test_impossible_fractions_are_refused(sizes: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_counts(10, sizes)


def test_fewer_tracers_than_splits_are_refused() -> None:
    with pytest.raises(DataError, match="2 tracers cannot fill 3 splits"):
        split_counts(2, SIZES)


def test_a_written_split_is_read_back_for_the_same_tracers(tmp_path: Path) -> None:
    ids = [f"t{index}" for index in range(40)]
    labels = random_labels(40, {"train": 0.5, "validate": 0.2, "test": 0.1}, 3)
    write_split_file(tmp_path / "splits.json", ids, labels)
    np.testing.assert_array_equal(labels_from_file(tmp_path / "splits.json", ids), labels)
    reordered = ids[::-1]
    np.testing.assert_array_equal(labels_from_file(tmp_path, reordered), labels[::-1])


def test_tracers_that_a_split_file_does_not_name_are_left_out(tmp_path: Path) -> None:
    write_split_file(tmp_path / "s.json", ["a", "b", "c"], np.array([0, 1, 2]))
    labels = labels_from_file(tmp_path / "s.json", ["a", "x", "b", "c"])
    assert labels.tolist() == [0, UNUSED, 1, 2]


def test_a_tracer_on_two_sides_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps({"train": ["a", "b"], "test": ["b"]}))
    with pytest.raises(DataError, match="tracer 'b' is in split 'train' and in split 'test'"):
        read_split_file(file)


def test_a_split_file_of_other_tracers_is_refused(tmp_path: Path) -> None:
    write_split_file(tmp_path / "s.json", ["a", "b"], np.array([0, 1]))
    with pytest.raises(DataError, match="none of the 1 tracers of split 'train' is in the data set"):
        labels_from_file(tmp_path / "s.json", ["c", "d"])


@pytest.mark.parametrize("content", ["{", "[1, 2]", '{"rows": {"seed": 1}}', '{"train": [], "val": []}'])
def test_what_is_no_split_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(DataError, match="split file"):
        read_split_file(tmp_path / "s.json")


def test_a_missing_split_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json: no such split file"):
        read_split_file(tmp_path / "gone.json")
