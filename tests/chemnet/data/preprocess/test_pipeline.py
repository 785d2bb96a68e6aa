"""Raw tracers become scaled splits: every row once, by the training range, with raw values for the test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from made_tables import FORMATS, data_frame, table_config
from made_tracers import MadeTracers, make_tracers, write_plain_hdf5

from chemnet.config import ConfigDict
from chemnet.data import chem_dataset
from chemnet.data.chem_dataset import ChemDataset, TracerBlock
from chemnet.data.preprocess.pipeline import preprocess
from chemnet.data.readers import TracerTable
from chemnet.errors import DataError

SPLITS = ("train", "validate", "test")


def run(folder: Path, table: Path, **options: Any) -> dict[str, Any]:
    """Preprocess a table into a new folder; options are keys of `[preprocess]`."""
    folder.mkdir(parents=True)
    config = table_config(table).replace({f"preprocess.{key}": value for key, value in options.items()})
    return preprocess(TracerTable(config), config, folder)


@pytest.fixture(scope="module")
def folder(made_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made tracers, preprocessed with the defaults."""
    folder = tmp_path_factory.mktemp("pipeline") / "result"
    run(folder, made_table)
    return folder


def arrays(folder: Path, split: str) -> dict[str, np.ndarray]:
    with h5py.File(folder / f"{split}.h5") as file:
        return {name: file[name][:] for name in file}


def test_every_tracer_is_in_the_split_that_the_split_file_names(folder: Path) -> None:
    splits = json.loads((folder / "splits.json").read_text())
    assert {name: len(ids) for name, ids in splits.items()} == {"train": 10, "validate": 1, "test": 1}
    assert sorted((tracer for ids in splits.values() for tracer in ids), key=int) == [
        str(number) for number in range(12)
    ]
    for name in SPLITS:
        assert [tracer.decode() for tracer in arrays(folder, name)["tracer_id"]] == splits[name]


def test_rows_are_those_of_their_tracers_scaled(folder: Path, made_tracers: MadeTracers) -> None:
    metadata = json.loads((folder / "metadata.json").read_text())
    low, high = (np.log10(metadata["scaling"][f"physical_{bound}"]) for bound in ("min", "max"))
    for name in SPLITS:
        split = arrays(folder, name)
        assert split["abundance"].dtype == split["physical"].dtype == np.float32
        for tracer, first in zip(split["tracer_id"], split["offsets"][:-1], strict=True):
            rows, number = slice(first, first + 30), int(tracer)
            abundance = np.log10(np.clip(made_tracers.abundance[number], 1e-20, 1.0)) / 20 + 1
            physical = (np.log10(made_tracers.physical[number]) - low) / (high - low)
            np.testing.assert_allclose(split["abundance"][rows], abundance, atol=1e-6)
            np.testing.assert_allclose(split["physical"][rows], physical, atol=1e-6)
            np.testing.assert_array_equal(split["time"][rows], made_tracers.time[number])


def test_ranges_come_from_the_training_split_alone(folder: Path, made_tracers: MadeTracers) -> None:
    metadata = json.loads((folder / "metadata.json").read_text())
    train = [int(tracer) for tracer in json.loads((folder / "splits.json").read_text())["train"]]
    seen = made_tracers.physical[train].reshape(-1, 4)
    low, high = np.array(metadata["scaling"]["physical_min"]), np.array(metadata["scaling"]["physical_max"])
    assert (low <= seen.min(axis=0)).all()
    assert (seen.min(axis=0) < low * 1.1).all()
    assert (high >= seen.max(axis=0)).all()
    assert (seen.max(axis=0) > high / 1.1).all()


def test_the_test_split_keeps_raw_values_and_the_others_do_not(
    folder: Path, made_tracers: MadeTracers
) -> None:
    test = arrays(folder, "test")
    number = int(test["tracer_id"][0])
    np.testing.assert_allclose(test["abundance_raw"], made_tracers.abundance[number], rtol=1e-6, atol=1e-35)
    np.testing.assert_array_equal(test["physical_raw"], made_tracers.physical[number])
    assert not {"abundance_raw", "physical_raw"} & {*arrays(folder, "train"), *arrays(folder, "validate")}


def test_metadata_says_what_the_files_hold(folder: Path, made_tracers: MadeTracers) -> None:
    metadata = json.loads((folder / "metadata.json").read_text())
    assert tuple(metadata["species"]) == made_tracers.species
    assert metadata["elements"] == ["H", "HE", "C", "O"]
    assert metadata["method"] == "sequential"
    assert metadata["scaling"]["abundance_floor"] == 1e-20
    assert metadata["counts"]["train"] == {"tracers": 10, "rows": 300, "windows": 10}
    assert metadata["observed"]["time_step"] == [3367.0, 3367.0]
    matrix = np.load(folder / "stoichiometry.npy")
    assert matrix[made_tracers.species.index("H2O")].tolist() == [2, 0, 0, 1]


def test_outside_of_the_training_range_is_counted(tmp_path: Path, made_tracers: MadeTracers) -> None:
    frame = data_frame(made_tracers)
    frame.loc[frame["Model"] == 11, "gasTemp"] = 5000.0
    frame.to_hdf(tmp_path / "t.h5", key="df", mode="w")
    (tmp_path / "splits.json").write_text(
        json.dumps({"train": [str(n) for n in range(10)], "validate": ["10"], "test": ["11"]})
    )
    metadata = run(tmp_path / "r", tmp_path / "t.h5", split_file=str(tmp_path / "splits.json"))
    assert metadata["rows_outside_training_range"]["test"] == 30
    assert metadata["rows_outside_training_range"]["train"] == 0


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_leads_to_the_same_splits(name: str, made_tracers: MadeTracers, tmp_path: Path) -> None:
    table = FORMATS[name](tmp_path / "tracers.npy", made_tracers)
    run(tmp_path / "r", table)
    expected = FORMATS["Parquet"](tmp_path / "same.parquet", made_tracers)
    run(tmp_path / "e", expected)
    for split in SPLITS:
        there, wanted = arrays(tmp_path / "r", split), arrays(tmp_path / "e", split)
        for column in ("abundance", "physical", "time", "offsets", "window_start"):
            np.testing.assert_allclose(there[column], wanted[column], atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize("method", ["sequential", "timeless", "random"])
def test_blocks_of_any_size_give_the_same_rows(
    method: str, made_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "whole", made_table, method=method)
    monkeypatch.setattr(chem_dataset.tracer_groups, "__defaults__", (700,))
    run(tmp_path / "blocks", made_table, method=method)
    for split in SPLITS:
        whole, blocks = arrays(tmp_path / "whole", split), arrays(tmp_path / "blocks", split)
        assert whole.keys() == blocks.keys()
        order, block_order = (np.lexsort(rows["abundance"].T) for rows in (whole, blocks))
        np.testing.assert_array_equal(whole["abundance"][order], blocks["abundance"][block_order])
        if method == "sequential":
            np.testing.assert_array_equal(whole["abundance"], blocks["abundance"])


def test_a_split_file_gives_the_same_split_on_other_data(made_table: Path, tmp_path: Path) -> None:
    run(tmp_path / "first", made_table)
    other = write_plain_hdf5(tmp_path / "other.h5", make_tracers(seed=5))
    first = tmp_path / "first"
    config = table_config(other).replace(
        {"preprocess.split_file": str(first), "general.seed": 7, "preprocess.method": "timeless"}
    )
    (tmp_path / "second").mkdir()
    preprocess(TracerTable(config), config, tmp_path / "second")
    assert (first / "splits.json").read_text() == (tmp_path / "second/splits.json").read_text()


def test_fractions_below_one_leave_tracers_out(made_table: Path, tmp_path: Path) -> None:
    metadata = run(tmp_path / "r", made_table, train_size=0.5, validate_size=0.25, test_size=0.0)
    assert {name: counts["tracers"] for name, counts in metadata["counts"].items()} == {
        "train": 6,
        "validate": 3,
        "test": 0,
    }
    assert arrays(tmp_path / "r", "test")["abundance"].shape == (0, 12)
    assert "test" not in metadata["observed"]["physical"]


def test_a_fault_deep_in_the_table_is_named(made_tracers: MadeTracers, tmp_path: Path) -> None:
    frame = data_frame(made_tracers)
    frame.loc[200, "OH"] = np.nan
    frame.to_hdf(tmp_path / "t.h5", key="df", mode="w")
    with pytest.raises(DataError, match=r"tracer '6', step 20 \(row 200\): column 'OH' is NaN"):
        run(tmp_path / "r", tmp_path / "t.h5")


class Careless(ChemDataset):
    """A data set that checks nothing, as a plugin's may."""

    species = ("H2", "CO")
    physical_names = ("Density",)

    def __init__(self, config: ConfigDict) -> None:
        super().__init__(config)
        self.tracer_ids = ["a", "b", "c"]
        self.lengths = np.array([4, 4, 4])

    def read(self, tracers: Sequence[int]) -> TracerBlock:
        n_rows = 4 * len(tracers)
        abundance = np.full((n_rows, 2), 0.1)
        abundance[np.repeat(tracers, 4) == 1, 1] = -1.0
        ids = tuple(self.tracer_ids[tracer] for tracer in tracers)
        offsets = np.arange(len(tracers) + 1) * 4
        return TracerBlock(
            np.tile(np.arange(4.0), len(tracers)), np.ones((n_rows, 1)), abundance, offsets, ids
        )


def test_data_sets_that_check_nothing_are_checked(made_table: Path, tmp_path: Path) -> None:
    config = table_config(made_table)
    with pytest.raises(DataError, match="Careless: tracer 'b', step 0: abundance of 'CO' is negative"):
        preprocess(Careless(config), config, tmp_path)


def test_a_solvers_noise_below_zero_counts_as_zero(made_tracers: MadeTracers, tmp_path: Path) -> None:
    frame = data_frame(made_tracers).astype({"OH": np.float32})
    frame["OH"] = np.float32(-1e-21)
    frame.to_hdf(tmp_path / "t.h5", key="df", mode="w")
    run(tmp_path / "r", tmp_path / "t.h5")
    place = made_tracers.species.index("OH")
    for split in SPLITS:
        assert (arrays(tmp_path / "r", split)["abundance"][:, place] == 0.0).all()
    assert (arrays(tmp_path / "r", "test")["abundance_raw"][:, place] == 0.0).all()


@pytest.mark.parametrize("method", ["sequential", "timeless", "random"])
def test_compression_changes_no_value(method: str, made_table: Path, tmp_path: Path) -> None:
    run(tmp_path / "plain", made_table, method=method)
    run(tmp_path / "packed", made_table, method=method, compression="gzip")
    for split in SPLITS:
        plain, packed = arrays(tmp_path / "plain", split), arrays(tmp_path / "packed", split)
        assert plain.keys() == packed.keys()
        for name, values in plain.items():
            np.testing.assert_array_equal(values, packed[name])
