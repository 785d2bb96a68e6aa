"""Whole trajectories with windows of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from made_tables import data_frame, table_config
from made_tracers import MadeTracers

from chemnet.data.preprocess.pipeline import preprocess
from chemnet.data.preprocess.sequential import DEFAULT_WINDOW, Sequential
from chemnet.data.readers import TracerTable
from chemnet.errors import ChemNetError, ConfigError, DataError


def method(table: Path, unequal_length: str = "error", **options: Any) -> Sequential:
    config = table_config(table, unequal_length=unequal_length)
    config = config.replace({f"preprocess.{key}": value for key, value in options.items()})
    return Sequential(config, TracerTable(config))


@pytest.fixture
def uneven_table(made_tracers: MadeTracers, tmp_path: Path) -> Path:
    """Tracer 1 has 10 rows, the others 30."""
    path = tmp_path / "uneven.h5"
    data_frame(made_tracers).drop(index=range(40, 60)).to_hdf(path, key="df", mode="w")
    return path


def test_by_default_a_window_is_64_rows_or_the_shortest_tracer(made_table: Path, uneven_table: Path) -> None:
    assert DEFAULT_WINDOW == 64
    assert method(made_table).window == 30
    assert method(made_table).horizon == 29
    assert method(uneven_table, "keep").window == 10


@pytest.mark.parametrize(
    ("window", "stride", "per_tracer"), [(30, 1, 1), (10, 1, 21), (10, 7, 3), (2, 1, 29)]
)
def test_windows_are_written_for_each_split(
    window: int, stride: int, per_tracer: int, made_table: Path, tmp_path: Path
) -> None:
    config = table_config(made_table).replace({"preprocess.window": window, "preprocess.stride": stride})
    metadata = preprocess(TracerTable(config), config, tmp_path)
    for split, n_tracers in (("train", 10), ("validate", 1), ("test", 1)):
        with h5py.File(tmp_path / f"{split}.h5") as file:
            starts, offsets = file["window_start"][:], file["offsets"][:]
        assert len(starts) == per_tracer * n_tracers == metadata["counts"][split]["windows"]
        assert starts.dtype == np.int64
        assert set(offsets[:-1]) <= set(starts)


def test_tracers_shorter_than_the_window_are_counted(uneven_table: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"1 of 12 tracers are shorter than the window of 20 rows \(the shortest, '1', has 10\)",
    ) as caught:
        method(uneven_table, "keep", window=20)
    assert "preprocess.window = 10" in str(caught.value.hint)


def test_short_tracers_can_go_without_windows(uneven_table: Path, tmp_path: Path) -> None:
    config = table_config(uneven_table, unequal_length="keep").replace(
        {"preprocess.window": 20, "preprocess.short_tracers": "drop", "preprocess.stride": 1}
    )
    metadata = preprocess(TracerTable(config), config, tmp_path)
    counts = metadata["counts"].values()
    assert sum(split["rows"] for split in counts) == 340
    assert sum(split["windows"] for split in counts) == 11 * 11


def test_a_window_that_no_tracer_fills_is_an_error_in_any_case(made_table: Path) -> None:
    with pytest.raises(DataError, match="12 of 12 tracers are shorter"):
        method(made_table, window=31, short_tracers="drop")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"window": 1}, r"window = 1 is out of range; allowed: int >= 2"),
        ({"window": 10, "horizon": 10}, "horizon = 10 does not fit a window of 10"),
        ({"window": 10, "horizon": -1}, r"horizon = -1 is out of range; allowed: int >= 1"),
        ({"stride": 0}, r"stride = 0 is out of range; allowed: int >= 1"),
    ],
)
def test_windows_that_make_no_sense_are_refused(options: dict[str, int], told: str, made_table: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        method(made_table, **options)


def test_windows_are_a_matter_of_the_configuration_not_of_the_data(made_table: Path) -> None:
    with pytest.raises(ChemNetError) as caught:
        method(made_table, window=31)
    assert caught.value.exit_code == 2
