"""What goes into an infer result comes out of it, in order, whatever the batch size."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.data.infer_result import infer_result_writer
from chemnet.data.infer_result.inference_dataset import InferenceDataset, InferenceWriter
from chemnet.errors import DataError, NotFoundError, ResultsError

TRACERS = ("core_1", "core_2", "7")
STEPS = 5
PHYSICAL = ("Density", "gasTemp")


def made_columns(latent_dim: int = 3) -> dict[str, np.ndarray]:
    """Return the columns of `TRACERS` x `STEPS` samples with recognisable values."""
    n = len(TRACERS) * STEPS
    rng = np.random.default_rng(3)
    step = np.tile(np.arange(STEPS), len(TRACERS))
    return {
        "tracer": np.repeat(np.arange(len(TRACERS)), STEPS),
        "step": step,
        "time": step * 92.9,
        "physical": rng.uniform(10, 1e4, (n, len(PHYSICAL))),
        "tensor": rng.random((n, latent_dim), dtype=np.float32),
        "split_row": np.arange(n),
        "reconstruction": rng.random((n, 2), dtype=np.float32),
    }


def write(path: Path, columns: dict[str, np.ndarray], batch_size: int, **kwargs) -> InferenceDataset:
    """Write `columns` in batches of `batch_size` and open the result."""
    path.mkdir(exist_ok=True)
    settings_ = {
        "tracer_ids": TRACERS,
        "largest_step": STEPS - 1,
        "physical_names": PHYSICAL,
        "species": ("H", "CO"),
    }
    with InferenceWriter(path, **(settings_ | kwargs)) as writer:
        for start in range(0, len(columns["step"]), batch_size):
            writer.append(**{name: values[start : start + batch_size] for name, values in columns.items()})
    return InferenceDataset(path)


@pytest.fixture
def columns() -> dict[str, np.ndarray]:
    return made_columns()


def test_everything_written_is_read_back_in_insertion_order(tmp_path, columns):
    data = write(tmp_path, columns, batch_size=4)
    assert len(data) == len(columns["step"])
    assert data.ids().tolist() == [f"{t}-{s}" for t in TRACERS for s in range(STEPS)]
    np.testing.assert_array_equal(data.latents, columns["tensor"])
    np.testing.assert_array_equal(data.field("reconstruction"), columns["reconstruction"])
    np.testing.assert_array_equal(data.physical, columns["physical"])
    np.testing.assert_array_equal(data.time, columns["time"])
    assert data.tracers.tolist() == [name for name in TRACERS for _ in range(STEPS)]
    assert (data.physical_names, data.species, data.latent_dim) == (PHYSICAL, ("H", "CO"), 3)


@pytest.mark.parametrize("batch_size", [1, 4, 15])
def test_batch_size_does_not_change_a_byte(tmp_path, columns, batch_size):
    def digests(name: str, size: int) -> dict[str, str]:
        write(tmp_path / name, columns, size)
        return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in (tmp_path / name).iterdir()}

    assert digests("one", batch_size) == digests("other", 7)


@settings(max_examples=20)
@given(rows_per_file=st.integers(1, 16), batch_size=st.integers(1, 16))
def test_rows_survive_any_spread_over_files(tmp_path_factory, rows_per_file, batch_size):
    columns = made_columns()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infer_result_writer, "ROWS_PER_FILE", rows_per_file)
        patch.setattr("chemnet.data.infer_result.inference_dataset.ROWS_PER_FILE", rows_per_file)
        patch.setattr("chemnet.data.infer_result.sample_index.ROWS_PER_FILE", rows_per_file)
        data = write(tmp_path_factory.mktemp("infer"), columns, batch_size)
        np.testing.assert_array_equal(data.latents, columns["tensor"])
        np.testing.assert_array_equal(data.take("tensor", [14, 0, 9]), columns["tensor"][[14, 0, 9]])
        streamed = np.concatenate([block for _, block in data.blocks("reconstruction", rows=3)])
        np.testing.assert_array_equal(streamed, columns["reconstruction"])
        ids = np.concatenate([block for _, block in data.id_blocks(rows=3)])
        np.testing.assert_array_equal(ids, data.ids())
        for row, name in enumerate(data.ids().tolist()):
            assert data.get_by_id(name).index == row


def test_get_by_id_returns_the_whole_state(tmp_path, columns):
    state = write(tmp_path, columns, batch_size=4).get_by_id("core_2-3")
    row = 1 * STEPS + 3
    assert (state.index, state.tracer, state.step, state.time) == (row, "core_2", 3, pytest.approx(3 * 92.9))
    assert state.physical == dict(zip(PHYSICAL, columns["physical"][row], strict=True))
    np.testing.assert_array_equal(np.asarray(state), columns["tensor"][row])


@pytest.mark.parametrize(
    ("sample_id", "hint"),
    [
        ("core_1-99", "'core_1-0' to 'core_1-4'"),
        ("core-0", "core_2-0"),
        ("zzz", "nearest ids"),
    ],
)
def test_a_missing_id_names_what_is_near(tmp_path, columns, sample_id, hint):
    data = write(tmp_path, columns, batch_size=4)
    with pytest.raises(NotFoundError, match=f"no sample '{sample_id}'") as caught:
        data.get_by_id(sample_id)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 1


def test_ids_that_are_not_ascii_are_kept(tmp_path, columns):
    data = write(tmp_path, columns, batch_size=4, tracer_ids=("α", "β-2", "c"))
    assert data.get_by_id("β-2-4").index == 9


def test_negative_and_out_of_range_positions_behave_like_a_sequence(tmp_path, columns):
    data = write(tmp_path, columns, batch_size=4)
    assert data[-1].id == "7-4"
    with pytest.raises(IndexError, match=rf"holds {len(data)} states"):
        data[len(data)]


def test_a_slice_and_several_ids_give_their_states(tmp_path, columns):
    data = write(tmp_path, columns, batch_size=4)
    assert [state.index for state in data[2:7:2]] == [2, 4, 6]
    assert [state.id for state in data[-2:]] == data.ids()[-2:].tolist()
    names = data.ids()[[5, 1]].tolist()
    assert [state.id for state in data.get_by_id(names)] == names


def test_tracer_rows_are_in_order_of_step(tmp_path, columns):
    backwards = {name: values[::-1] for name, values in columns.items()}
    data = write(tmp_path, backwards, batch_size=4)
    assert data.rows["step"][data.tracer_rows("core_2")].tolist() == list(range(STEPS))
    assert len(data.tracer_rows("unknown")) == 0


def test_the_same_sample_twice_is_refused(tmp_path, columns):
    columns["step"] = np.zeros_like(columns["step"])
    with pytest.raises(DataError, match="'7-0' was inferred twice"):
        write(tmp_path, columns, batch_size=4)


def test_a_run_without_samples_is_refused(tmp_path):
    writer = InferenceWriter(tmp_path, tracer_ids=TRACERS, largest_step=1, physical_names=PHYSICAL)
    with pytest.raises(DataError, match="nothing was inferred"):
        writer.close()


def test_outputs_that_change_between_batches_are_refused(tmp_path, columns):
    unlike = {name: values for name, values in columns.items() if name != "reconstruction"}
    writer = InferenceWriter(tmp_path, tracer_ids=TRACERS, largest_step=9, physical_names=PHYSICAL)
    with writer:
        writer.append(**columns)
        with pytest.raises(DataError, match="the batches before it"):
            writer.append(**unlike)


def test_physical_names_that_clash_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"\['time'\]"):
        InferenceWriter(tmp_path, tracer_ids=TRACERS, largest_step=1, physical_names=("time",))


def test_the_dataset_config_is_kept(tmp_path, columns):
    import tomllib

    write(tmp_path, columns, 4, dataset_config={"name": "TracerTable", "path": "tracers.h5"})
    kept = tomllib.loads((tmp_path / "original_dataset_config.toml").read_text())
    assert kept == {"data_set": {"name": "TracerTable", "path": "tracers.h5"}}


def test_a_folder_that_is_no_infer_result_is_refused(tmp_path):
    with pytest.raises(ResultsError, match=r"inference\.json is missing"):
        InferenceDataset(tmp_path)


def test_a_truncated_file_is_refused_with_its_name(tmp_path, columns):
    write(tmp_path, columns, batch_size=4)
    whole = (tmp_path / "rows.npy").read_bytes()
    (tmp_path / "rows.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ResultsError, match=r"rows\.npy cannot be read"):
        InferenceDataset(tmp_path)


def test_files_that_disagree_are_refused(tmp_path, columns):
    write(tmp_path, columns, batch_size=4)
    description = json.loads((tmp_path / "inference.json").read_text())
    (tmp_path / "inference.json").write_text(json.dumps(description | {"batches": [3]}))
    with pytest.raises(ResultsError, match="holds 15 rows, the batches 3"):
        InferenceDataset(tmp_path)


def test_pickled_objects_are_never_loaded(tmp_path, columns):
    write(tmp_path, columns, batch_size=4)
    np.save(tmp_path / "rows.npy", np.array([{"harm": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ResultsError, match="cannot be read"):
        InferenceDataset(tmp_path)


def test_an_unknown_output_lists_the_known_ones(tmp_path, columns):
    with pytest.raises(ResultsError, match="it holds: tensor, reconstruction"):
        write(tmp_path, columns, batch_size=4).field("abundances")


def test_its_rows_become_a_data_frame(tmp_path, columns):
    data = write(tmp_path, columns, batch_size=4)
    frame = data.to_pandas()
    assert frame["id"].tolist() == data.ids().tolist()
    assert frame["tracer"].tolist() == data.tracers.tolist()
    np.testing.assert_array_equal(frame[[f"latent_{i}" for i in range(data.latent_dim)]], data.latents)


def test_a_batch_of_another_shape_is_refused(tmp_path, columns):
    write(tmp_path, columns, batch_size=4)
    np.save(tmp_path / "batch_0.npy", np.load(tmp_path / "batch_0.npy")[:-1])
    with pytest.raises(ResultsError, match=r"batch_0\.npy holds .* not what inference\.json says"):
        _ = InferenceDataset(tmp_path).latents
