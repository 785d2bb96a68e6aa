"""Rows without their order: the training split is shuffled, and loses and repeats nothing."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from made_tables import table_config
from made_tracers import MadeTracers

from chemnet.data.preprocess import timeless
from chemnet.data.preprocess.pipeline import preprocess
from chemnet.data.readers import TracerTable
from chemnet.errors import DataError


def run(folder: Path, table: Path, seed: int = 42) -> dict[str, np.ndarray]:
    """Preprocess and return the training split's arrays."""
    folder.mkdir()
    config = table_config(table).replace({"preprocess.method": "timeless", "general.seed": seed})
    preprocess(TracerTable(config), config, folder)
    with h5py.File(folder / "train.h5") as file:
        return {name: file[name][:] for name in file}


@pytest.mark.parametrize("block_values", [4_000_000, 500])
def test_the_training_rows_are_shuffled_and_complete(
    block_values: int,
    made_table: Path,
    made_tracers: MadeTracers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timeless, "BLOCK_VALUES", block_values)
    train = run(tmp_path / "r", made_table)
    places = list(zip(train["tracer"].tolist(), train["step"].tolist(), strict=True))
    assert sorted(places) == [(tracer, step) for tracer in range(10) for step in range(30)]
    assert abs(np.corrcoef(train["tracer"], np.arange(300))[0, 1]) < 0.3
    for row in (0, 100, 299):
        number, step = int(train["tracer_id"][train["tracer"][row]]), train["step"][row]
        scaled = np.log10(np.clip(made_tracers.abundance[number, step], 1e-20, 1)) / 20 + 1
        np.testing.assert_allclose(train["abundance"][row], scaled, atol=1e-6)
        assert train["time"][row] == made_tracers.time[number, step]


def test_the_order_follows_the_seed(made_table: Path, tmp_path: Path) -> None:
    first, again = run(tmp_path / "a", made_table), run(tmp_path / "b", made_table)
    np.testing.assert_array_equal(first["abundance"], again["abundance"])
    other = run(tmp_path / "c", made_table, seed=1)
    assert (other["step"] != first["step"]).any()


def test_validation_and_test_keep_their_trajectories(made_table: Path, tmp_path: Path) -> None:
    run(tmp_path / "r", made_table)
    for split in ("validate", "test"):
        with h5py.File(tmp_path / "r" / f"{split}.h5") as file:
            assert file["offsets"][:].tolist() == [0, 30]
            assert (np.diff(file["time"][:]) > 0).all()


def test_nothing_temporary_is_left(made_table: Path, tmp_path: Path) -> None:
    run(tmp_path / "r", made_table)
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [
        "metadata.json",
        "splits.json",
        "stoichiometry.npy",
        "test.h5",
        "train.h5",
        "validate.h5",
    ]


def test_after_an_error_no_bucket_is_left(
    made_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, rows: object) -> None:
        raise DataError("no")

    monkeypatch.setattr(timeless.TrajectoryWriter, "append", fail)
    with pytest.raises(DataError, match="no"):
        run(tmp_path / "r", made_table)
    assert not [path for path in (tmp_path / "r").iterdir() if path.is_dir()]
