"""Training and validation splits are thinned, in rows, in time and in tracers; the test split stays whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from made_tables import table_config
from made_tracers import STEP_YEARS, MadeTracers

from chemnet.data.preprocess.pipeline import preprocess
from chemnet.data.readers import TracerTable
from chemnet.errors import ChemNetError

SIZES = {"train_size": 0.5, "validate_size": 0.25, "test_size": 0.25}


def thinned(table: Path, folder: Path, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Preprocess, and return the metadata and the arrays of each split."""
    changes = {f"preprocess.{key}": value for key, value in (SIZES | {"window": 4} | options).items()}
    config = table_config(table).replace(changes)
    folder.mkdir()
    metadata = preprocess(TracerTable(config), config, folder)
    splits = {}
    for name in ("train", "validate", "test"):
        with h5py.File(folder / f"{name}.h5") as file:
            splits[name] = {key: file[key][()] for key in ("time", "abundance", "physical", "tracer_id")}
            splits[name]["offsets"] = file["offsets"][:] if "offsets" in file else None
    return metadata, splits


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"thin_rows": 7}, [0, 7, 14, 21, 28]),
        ({"first_rows": 6}, list(range(6))),
        ({"thin_rows": 5, "first_rows": 16}, [0, 5, 10, 15]),
    ],
)
def test_the_kept_rows_are_those_of_the_whole_set(
    options: dict[str, int], kept: list[int], made_table: Path, tmp_path: Path
) -> None:
    _, whole = thinned(made_table, tmp_path / "whole")
    metadata, less = thinned(made_table, tmp_path / "less", **options)
    assert metadata["counts"]["train"]["rows"] == 6 * len(kept)
    for name in ("train", "validate"):
        assert list(less[name]["tracer_id"]) == list(whole[name]["tracer_id"])
        n_tracers = len(whole[name]["tracer_id"])
        assert less[name]["offsets"].tolist() == [i * len(kept) for i in range(n_tracers + 1)]
        for key in ("time", "abundance"):
            values = whole[name][key].reshape(n_tracers, 30, -1)[:, kept]
            np.testing.assert_array_equal(less[name][key].reshape(values.shape), values)
    np.testing.assert_array_equal(less["test"]["time"], whole["test"]["time"])
    np.testing.assert_array_equal(less["test"]["abundance"], whole["test"]["abundance"])


def test_the_steps_that_are_told_are_those_between_kept_rows(made_table: Path, tmp_path: Path) -> None:
    metadata, _ = thinned(made_table, tmp_path / "less", thin_rows=7)
    assert metadata["observed"]["time_step"] == pytest.approx([STEP_YEARS, 7 * STEP_YEARS])


def test_tracers_are_thinned_within_their_splits(made_table: Path, tmp_path: Path) -> None:
    _, whole = thinned(made_table, tmp_path / "whole")
    _, less = thinned(made_table, tmp_path / "less", thin_tracers=4)
    for name in ("train", "validate"):
        assert list(less[name]["tracer_id"]) == list(whole[name]["tracer_id"][::4])
    assert list(less["test"]["tracer_id"]) == list(whole["test"]["tracer_id"])


def test_shuffled_rows_are_thinned_too(made_table: Path, made_tracers: MadeTracers, tmp_path: Path) -> None:
    metadata, less = thinned(made_table, tmp_path / "less", method="timeless", thin_rows=10)
    assert metadata["counts"]["train"]["rows"] == 6 * 3
    assert set(less["train"]["time"]) == set(made_tracers.time[0, ::10])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"thin_rows": 30}, "leave one row of a tracer of 30"),
        ({"method": "random", "thin_tracers": 2}, "preprocess.thin_tracers = 2 is about tracers"),
        ({"method": "random", "first_rows": 5}, "preprocess.first_rows = 5 is about tracers"),
        ({"own_split": True}, "comes without a split of its own"),
        ({"own_split": True, "split_file": "splits.json"}, "are both set"),
    ],
)
def test_what_cannot_be_thinned_is_refused(
    options: dict[str, Any], told: str, made_table: Path, tmp_path: Path
) -> None:
    with pytest.raises(ChemNetError, match=told):
        thinned(made_table, tmp_path / "less", **options)
