"""A preprocess result opens into splits that are read lazily, and into what a model must know."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from made_tables import table_config
from made_tracers import MadeTracers
from planted_results import plant, record_of

from chemnet.data.preprocessed import DataDescription, PreprocessedData
from chemnet.errors import DataError, ResultsError
from chemnet.results import ResultWriter
from chemnet.results.layout import RESULT_FILE
from chemnet.verbs.preprocess import Preprocess

Opened = Callable[..., PreprocessedData]


@pytest.fixture(scope="module")
def opened(made_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Preprocess the made tracers and open the result; keys of `[preprocess]` may be set."""

    def open_with(**options: object) -> PreprocessedData:
        config = table_config(made_table).replace(
            {
                "general.results_dir": str(tmp_path_factory.mktemp("results")),
                **{f"preprocess.{key}": value for key, value in options.items()},
            }
        )
        return Preprocess(config).run().data

    return open_with


@pytest.fixture(scope="module")
def data(opened: Opened) -> PreprocessedData:
    """Windows of 10 rows at stride 4."""
    return opened(window=10, stride=4)


def test_names_scalings_and_windows_come_back(data: PreprocessedData, made_tracers: MadeTracers) -> None:
    assert data.species == made_tracers.species
    assert data.elements == ("H", "HE", "C", "O")
    assert data.physical_names == ("Density", "Radfield", "Av", "gasTemp")
    assert data.stoichiometry.shape == (12, 4)
    assert (data.window, data.horizon, data.stride) == (10, 9, 4)
    assert data.abundance_scaling.floor == 1e-20
    assert data.method == "sequential"


def test_a_split_gives_its_rows_and_their_places(data: PreprocessedData, made_tracers: MadeTracers) -> None:
    train = data.split("train")
    assert len(train) == train.n_rows == 300
    assert train.abundance.shape == (300, 12)
    assert train.physical.shape == (300, 4)
    assert train.offsets.tolist() == list(range(0, 301, 30))
    assert train.tracer_of_row[[0, 29, 30, 299]].tolist() == [0, 0, 1, 9]
    assert train.steps[[0, 29, 30, 299]].tolist() == [0, 29, 0, 29]
    assert train.dt[[0, 28, 29, 30]].tolist() == [3367.0, 3367.0, 0.0, 3367.0]
    ids = train.sample_ids()
    assert ids[31] == f"{train.tracer_ids[1]}-1"
    assert len(set(ids)) == 300
    assert train.sample_ids(np.array([299, 0])).tolist() == [ids[299], ids[0]]


def test_raw_values_are_exact_in_the_test_split_and_clipped_elsewhere(
    data: PreprocessedData, made_tracers: MadeTracers
) -> None:
    for name in ("train", "test"):
        split = data.split(name)
        number = int(split.tracer_ids[0])
        truth = made_tracers.abundance[number]
        expected = truth if name == "test" else np.clip(truth, 1e-20, 1)
        np.testing.assert_allclose(
            split.raw_abundance(np.arange(30)), expected, rtol=2e-5 if name == "train" else 1e-6, atol=1e-35
        )
        np.testing.assert_allclose(split.raw_physical(slice(0, 30)), made_tracers.physical[number], rtol=1e-5)


def test_rows_are_read_in_any_order_and_repeatedly(data: PreprocessedData) -> None:
    train = data.split("train")
    rows = np.array([250, 3, 3, 77])
    np.testing.assert_array_equal(train.read("abundance", rows), train.abundance[rows])
    np.testing.assert_array_equal(train.read("time", slice(5, 9)), train.time[5:9])
    with pytest.raises(DataError, match="no dataset 'abundance_raw'"):
        train.read("abundance_raw")


def test_windows_follow_the_convention(data: PreprocessedData) -> None:
    train = data.split("train")
    assert train.window_start.tolist()[:7] == [0, 4, 8, 12, 16, 20, 30]
    batch = train.windows(np.array([6, 1]))
    np.testing.assert_array_equal(batch["abundance"], [train.abundance[30:40], train.abundance[4:14]])
    np.testing.assert_array_equal(batch["physical"], [train.physical[30:39], train.physical[4:13]])
    np.testing.assert_array_equal(batch["dt"], np.full((2, 9), 3367.0))


def test_a_split_returns_to_raw_tracers(data: PreprocessedData, made_tracers: MadeTracers) -> None:
    block = data.split("test").block()
    np.testing.assert_allclose(block.physical, made_tracers.physical[int(block.tracer_ids[0])])


def test_shuffled_rows_still_know_their_place(opened: Opened, made_tracers: MadeTracers) -> None:
    train = opened(method="timeless").split("train")
    assert not train.is_ordered
    assert len(set(train.sample_ids())) == 300
    number = int(train.tracer_ids[train.tracer_of_row[17]])
    assert train.time[17] == made_tracers.time[number, train.steps[17]]
    assert not train.dt.any()
    with pytest.raises(DataError, match=r"no trajectories in this split, .* method 'timeless'"):
        _ = train.offsets


def test_methods_without_windows_say_so(opened: Opened) -> None:
    data = opened(method="timeless")
    assert data.window is None
    with pytest.raises(DataError, match="no windows in this split") as caught:
        _ = data.split("validate").window_start
    assert 'preprocess.method="sequential"' in str(caught.value.hint)


def test_the_description_holds_a_batch_of_either_kind(data: PreprocessedData) -> None:
    rows, windows = data.describe("rows", size=3), data.describe("windows", size=2)
    assert (rows.n_species, rows.n_physical, rows.window) == (12, 4, 10)
    assert {name: tuple(value.shape) for name, value in rows.sample.items()} == {
        "abundance": (3, 12),
        "physical": (3, 4),
        "dt": (3,),
    }
    assert {name: tuple(value.shape) for name, value in windows.sample.items()} == {
        "abundance": (2, 10, 12),
        "physical": (2, 9, 4),
        "dt": (2, 9),
    }
    assert str(windows.sample["dt"].dtype) == "torch.float32"


def test_the_description_survives_as_plain_values(data: PreprocessedData, opened: Opened) -> None:
    for source in (data, opened(method="timeless")):
        description = source.describe()
        again = DataDescription.from_dict(description.to_dict())
        assert again.species == description.species
        assert again.window == description.window
        assert again.physical_scaling == description.physical_scaling
        np.testing.assert_array_equal(again.stoichiometry, description.stoichiometry)


def test_a_split_of_another_name_is_refused(data: PreprocessedData) -> None:
    with pytest.raises(DataError, match="no split is called 'validation'") as caught:
        data.split("validation")
    assert "validate" in str(caught.value.hint)


def test_results_of_other_verbs_are_refused(tmp_path: Path) -> None:
    config = table_config(tmp_path).replace({"general.results_dir": str(tmp_path)})
    with ResultWriter(config, verb="train") as writer:
        pass
    with pytest.raises(ResultsError, match="is a result of `train`, not of `preprocess`"):
        PreprocessedData(writer.path)


@pytest.mark.parametrize(("name", "shape"), [("abundance", (300, 11)), ("physical", (299, 4))])
def test_a_split_of_other_shapes_than_it_says_is_refused(
    data: PreprocessedData, tmp_path: Path, name: str, shape: tuple[int, int]
) -> None:
    copy = Path(shutil.copytree(data.path, tmp_path / data.path.name))
    with h5py.File(copy / "train.h5", "r+") as file:
        del file[name]
        file[name] = np.zeros(shape, dtype=np.float32)
    plant(copy, RESULT_FILE, {"files/train.h5": record_of(copy / "train.h5")})
    with pytest.raises(DataError, match=rf"train\.h5: '{name}' holds"):
        PreprocessedData(copy).split("train")


def test_windows_cut_anew_predict_each_row_once(data: PreprocessedData) -> None:
    steps, whole = data.in_windows(2), data.in_windows(10**6)
    train = data.split("train")
    starts = steps.split("train").window_start
    assert (steps.window, steps.horizon) == (2, 1)
    assert len(starts) == train.n_rows - len(train.tracer_ids)
    assert set(starts) == set(np.flatnonzero(train.dt > 0))
    assert whole.window == 30
    assert whole.split("train").window_start.tolist() == train.offsets[:-1].tolist()
    # the result itself keeps its own
    assert data.window == 10
