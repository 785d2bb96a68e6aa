"""`chemnet preprocess`, on the command line and from Python."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import chemnet
from made_tables import data_frame, table_config
from made_tracers import MadeTracers

from chemnet.data.preprocessed import PreprocessedData
from chemnet.results import VerbResult
from chemnet.verbs.preprocess import Preprocess, PreprocessResult


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty results directory in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def test_the_command_writes_a_result_and_sums_it_up(made_table: Path, results: Path) -> None:
    outcome = chemnet("preprocess", f"data_set.path={made_table}")
    assert outcome.code == 0, outcome.err
    for words in ("H 1, HE 0.1, C 0.000177, O 0.000334", "10 tracers, 300 rows, 10 windows", " cm^-3"):
        assert words in outcome.out
    (folder,) = results.iterdir()
    assert {path.name for path in folder.iterdir()} >= {
        "train.h5",
        "validate.h5",
        "test.h5",
        "metadata.json",
        "stoichiometry.npy",
        "splits.json",
        "result.toml",
        "runtime_config.toml",
    }


def test_tables_in_the_data_folder_are_read_where_no_path_is_given(
    made_table: Path, tmp_path: Path, results: Path
) -> None:
    file = tmp_path / "own.toml"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tracers.h5").write_bytes(made_table.read_bytes())
    file.write_text('[general]\ndata_dir = "data"\n', encoding="utf-8")
    from_folder = VerbResult.load(chemnet("preprocess", "-c", file, "--json").path)
    from_path = VerbResult.load(chemnet("preprocess", f"data_set.path={made_table}", "--json").path)
    assert (
        from_folder.directory.file("train.h5").read_bytes()
        == from_path.directory.file("train.h5").read_bytes()
    )
    assert from_folder.directory.config["data_set"]["path"] == str(tmp_path / "data")


def test_columns_that_are_not_read_are_named(
    made_tracers: MadeTracers, tmp_path: Path, results: Path
) -> None:
    frame = data_frame(made_tracers)
    frame["cooling_rate"] = 1.0
    path = tmp_path / "more.h5"
    frame.to_hdf(path, key="df")
    outcome = chemnet("preprocess", f"data_set.path={path}", 'data_set.drop_columns=["cooling_rate", "CO"]')
    assert outcome.code == 0, outcome.err
    [line] = [line for line in outcome.out.splitlines() if line.startswith("left_out")]
    assert {"cooling_rate", "CO"} <= set(line.split(None, 1)[1].split(", "))
    words = (f"data_set.path={path}", 'data_set.drop_columns=["cooling_rate"]', "--json")
    plain = chemnet("preprocess", *words).answer["summary"]
    assert plain["left_out"] == "cooling_rate"


def test_json_holds_the_summary(made_table: Path, results: Path) -> None:
    outcome = chemnet("preprocess", f"data_set.path={made_table}", "--json", "--quiet")
    assert outcome.answer["verb"] == "preprocess"
    assert outcome.answer["summary"]["species"] == 12
    assert PreprocessedData(outcome.path).split("train").n_rows == 300


def test_the_same_configuration_gives_the_same_bytes(made_table: Path, results: Path) -> None:
    first = chemnet("preprocess", f"data_set.path={made_table}", "--json", "--quiet").path
    again = chemnet("preprocess", "-c", first / "runtime_config.toml", "--json", "--quiet").path
    for name in ("splits.json", "metadata.json", "stoichiometry.npy"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    for split in ("train", "validate", "test"):
        with h5py.File(first / f"{split}.h5") as one, h5py.File(again / f"{split}.h5") as other:
            for name in one:
                np.testing.assert_array_equal(one[name][:], other[name][:])


def test_the_result_prints_plots_and_reloads(made_table: Path, results: Path) -> None:
    config = table_config(made_table).replace({"general.results_dir": str(results)})
    result = Preprocess(config).run()
    assert isinstance(result, PreprocessResult)
    assert "train" in str(result)
    assert str(VerbResult.load(result.path)) == str(result)
    figure = result.plot()
    assert [axis.get_xlabel().split()[0] for axis in figure.axes] == list(result.data.physical_names)
    assert all(axis.patches for axis in figure.axes)


def test_an_argument_wins_over_the_configuration(made_table: Path, results: Path) -> None:
    config = table_config(results / "nowhere.h5").replace({"general.results_dir": str(results)})
    result = Preprocess(config).run(path=str(made_table))
    assert result.directory.config["data_set"]["path"] == str(made_table)


def break_value(tracers: MadeTracers, path: Path) -> Path:
    frame = data_frame(tracers)
    frame.loc[95, "CO"] = np.nan
    frame.to_hdf(path, key="df", mode="w")
    return path


def truncate(tracers: MadeTracers, path: Path) -> Path:
    data_frame(tracers).to_hdf(path, key="df", mode="w")
    path.write_bytes(path.read_bytes()[:-1000])
    return path


def write_unequal(tracers: MadeTracers, path: Path) -> Path:
    data_frame(tracers).drop(index=range(40, 45)).to_hdf(path, key="df", mode="w")
    return path


@pytest.mark.parametrize(
    ("make", "words", "told"),
    [
        (lambda tracers, path: path, [], "no such file"),
        (break_value, [], "tracer '3', step 5 (row 95): column 'CO' is NaN"),
        (truncate, [], "a truncated HDF5 file"),
        (write_unequal, [], "tracers of unequal length"),
        (write_unequal, ["data_set.unequal_length=keep", "preprocess.window=28"], "shorter than the window"),
        (write_unequal, ["preprocess.window=many"], "preprocess.window = 'many' is of type str"),
        (write_unequal, ["preprocess.windw=3"], "did you mean 'preprocess.window'"),
        (write_unequal, ["preprocess.method=sequentiel"], "no preprocessing method is called 'sequentiel'"),
        (write_unequal, ["data_set.name=TracerTables"], "no dataset is called 'TracerTables'"),
    ],
)
def test_a_fault_gives_one_message_exit_code_2_and_no_result(
    make: object, words: list[str], told: str, made_tracers: MadeTracers, results: Path, tmp_path: Path
) -> None:
    path = make(made_tracers, tmp_path / "t.h5")  # type: ignore[operator]
    outcome = chemnet("preprocess", f"data_set.path={path}", *words)
    assert outcome.code == 2
    assert told in outcome.err
    assert "hint:" in outcome.err
    assert "Traceback" not in outcome.err
    assert not results.exists() or not list(results.iterdir())


def test_an_unset_path_points_to_simulate(results: Path) -> None:
    outcome = chemnet("preprocess")
    assert outcome.code == 2
    assert "chemnet simulate" in outcome.err


def test_real_tracers_are_preprocessed_and_their_split_used_again(shared_data: Path, results: Path) -> None:
    first = chemnet(
        "preprocess", f"data_set.path={shared_data / 'uclchem_tracers.h5'}", "preprocess.window=240", "--json"
    )
    assert first.code == 0, first.err
    data = PreprocessedData(first.path)
    assert (len(data.species), len(data.elements), data.window) == (333, 9, 240)
    train = data.split("train")
    assert (train.n_rows, len(train.tracer_ids)) == (44 * 298, 44)
    assert 0.0 <= train.abundance.min() < train.abundance.max() <= 1.0
    assert 0.05 < (train.abundance == 0.0).mean() < 0.4
    totals = data.split("test").raw_abundance() @ data.stoichiometry
    carbon = totals[:, data.elements.index("C")]
    np.testing.assert_allclose(carbon, 1.77e-4, rtol=1e-3)

    again = chemnet(
        "preprocess",
        f"data_set.path={shared_data / 'uclchem_tracers.h5'}",
        f"preprocess.split_file={first.path}",
        "preprocess.method=timeless",
        "general.seed=7",
        "--json",
    )
    assert json.loads((first.path / "splits.json").read_text()) == json.loads(
        (again.path / "splits.json").read_text()
    )
