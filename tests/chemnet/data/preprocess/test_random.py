"""Rows in any split: allowed, but not without a warning."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from made_tables import table_config

from chemnet.data.preprocess.pipeline import preprocess
from chemnet.data.preprocess.split_labels import read_split_file
from chemnet.data.readers import TracerTable
from chemnet.errors import ConfigError, DataError


def run(folder: Path, table: Path) -> None:
    config = table_config(table).replace({"preprocess.method": "random"})
    preprocess(TracerTable(config), config, folder)


def test_every_row_is_in_one_split_and_the_leak_is_announced(
    made_table: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", logger="chemnet"):
        run(tmp_path, made_table)
    assert "neighbouring rows of one tracer are in different splits" in caplog.text
    seen: list[tuple[str, int]] = []
    sizes = []
    for split in ("train", "validate", "test"):
        with h5py.File(tmp_path / f"{split}.h5") as file:
            ids = file["tracer_id"].asstr()[:]
            seen += zip(ids[file["tracer"][:]], file["step"][:].tolist(), strict=True)
            sizes.append(len(file["step"]))
    assert sizes == [288, 36, 36]
    assert sorted(seen) == sorted((str(tracer), step) for tracer in range(12) for step in range(30))


def test_the_test_rows_keep_raw_values(made_table: Path, tmp_path: Path) -> None:
    run(tmp_path, made_table)
    with h5py.File(tmp_path / "test.h5") as file:
        scaled = np.log10(np.clip(file["abundance_raw"][:], 1e-20, 1)) / 20 + 1
        np.testing.assert_allclose(file["abundance"][:], scaled, atol=1e-6)


def test_a_split_of_rows_is_no_split_of_tracers(made_table: Path, tmp_path: Path) -> None:
    run(tmp_path, made_table)
    with pytest.raises(DataError, match="found rows") as caught:
        read_split_file(tmp_path)
    assert "'random' splits rows" in str(caught.value.hint)
    config = table_config(made_table).replace(
        {"preprocess.method": "random", "preprocess.split_file": str(tmp_path)}
    )
    with pytest.raises(ConfigError, match="names tracers, but method 'random' splits rows"):
        preprocess(TracerTable(config), config, tmp_path)
