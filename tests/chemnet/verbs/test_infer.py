from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from planted_results import plant
from trainings import failing_at

from chemnet.data.histories import HistorySource
from chemnet.errors import DataError, ResultsError, RunFailedError
from chemnet.results import ResultDirectory, VerbResult, list_results
from chemnet.surrogate.bulk import model_over_data_set
from chemnet.surrogate.surrogate import Surrogate
from chemnet.verbs import infer as module
from chemnet.verbs.infer import Infer, InferResult
from chemnet.verbs.save_to_database import SaveToDatabase
from chemnet.verbs.train import Train, TrainResult
from chemnet.verbs.umap import Umap

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def emulator(tiny: Any, autoencoder: TrainResult) -> TrainResult:
    """A trained emulator in the results folder of `tiny`."""
    return Train(tiny({"model.name": "LatentEmulator", "train.component": "emulator"})).run()


def infer(config: Any, **arguments: Any) -> InferResult:
    return Infer(config).run(**arguments)


def test_latents_of_every_state_are_stored_with_time_and_conditions(
    tiny: Any, autoencoder: TrainResult, tiny_data: Any
) -> None:
    states = infer(tiny()).dataset
    assert len(states) == 360
    assert states.latent_dim == 3
    assert states.species == tiny_data.species
    state = states.get_by_id("3-7")
    assert (state.tracer, state.step, state.time) == ("3", 7, pytest.approx(7 * 3367.0))
    split = next(tiny_data.split(name) for name in states.splits if "3" in tiny_data.split(name).tracer_ids)
    row = int(np.flatnonzero(split.sample_ids() == "3-7")[0])
    np.testing.assert_allclose(list(state.physical.values()), split.raw_physical([row])[0], rtol=1e-5)
    with torch.no_grad():
        expected = autoencoder.load_model().encode(torch.from_numpy(split.abundance[row : row + 1]))[0]
    np.testing.assert_allclose(state.vector, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(states.truth([state.index])[0], split.raw_abundance([row])[0])


@pytest.mark.parametrize(("split", "rows"), [("train", 210), ("validate", 90), ("test", 60), ("all", 360)])
def test_one_split_or_all_of_them(tiny: Any, autoencoder: TrainResult, split: str, rows: int) -> None:
    assert len(infer(tiny(), split=split).dataset) == rows


def test_training_and_inference_run_on_the_threads_that_were_asked_for(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, used = tiny({"general.threads": 3, "train.epochs": 1}), []
    failing_at(monkeypatch, 1, lambda: used.append(torch.get_num_threads()) or 1.0)
    Train(config).run()
    append = module._append
    monkeypatch.setattr(module, "_append", lambda *a: (used.append(torch.get_num_threads()), append(*a)))
    before = torch.get_num_threads()
    infer(config)
    assert set(used) == {3}
    assert len(used) >= 2
    assert torch.get_num_threads() == before


def test_files_are_the_same_bytes_whatever_the_batch_size(tiny: Any, autoencoder: TrainResult) -> None:
    one, other = (infer(tiny({"infer.batch_size": size})).path for size in (7, 65536))
    for name in ("batch_0.npy", "batch_index.npy", "rows.npy"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_a_reconstruction_is_written_in_abundances_when_asked_for(
    tiny: Any, autoencoder: TrainResult
) -> None:
    assert infer(tiny()).dataset.fields == ("tensor",)
    reconstruction = infer(tiny({"infer.reconstruction": True})).dataset.field("reconstruction")
    assert reconstruction.shape == (360, 12)
    assert ((reconstruction > 0.0) & (reconstruction <= 1.0)).all()


def test_an_emulator_is_rolled_out_from_the_first_state_of_each_tracer(
    tiny: Any, emulator: TrainResult, autoencoder: TrainResult
) -> None:
    states = infer(tiny(), split="test", model_dir=emulator.path).dataset
    encoded = infer(tiny(), split="test", model_dir=autoencoder.path).dataset
    assert states.ids().tolist() == encoded.ids().tolist()
    first = np.asarray(states.rows["step"]) == 0
    np.testing.assert_allclose(states.latents[first], encoded.latents[first], rtol=1e-3, atol=1e-4)
    assert not np.allclose(states.latents[~first], encoded.latents[~first], atol=1e-3)
    assert states.field("abundance").shape == (60, 12)


@pytest.mark.parametrize("model", ["LatentEmulator", "LatentEnsemble", "DirectEmulator"])
def test_an_emulators_abundances_are_what_its_surrogate_emulates_loaded_or_saved(
    tiny: Any, autoencoder: TrainResult, tiny_data: Any, tmp_path: Path, model: str
) -> None:
    trained = Train(tiny({"model.name": model, "train.component": "emulator", "train.epochs": 1})).run()
    states = infer(tiny(), split="test", model_dir=trained.path).dataset
    loaded = Surrogate.load(trained.path)
    saved = Surrogate.load(loaded.save(tmp_path / "saved"))
    split = tiny_data.split("test")
    histories = HistorySource(tiny_data, "test", loaded.data).read(np.arange(len(split.tracer_ids)))
    # infer reads the scaled splits, in which nothing is below the floor
    start = histories.abundance[:, 0].clip(loaded.data.abundance_scaling.floor)
    for surrogate in (loaded, saved):
        expected = surrogate.emulate(histories.physical, start, histories.dt)[histories.valid]
        np.testing.assert_allclose(states.field("abundance"), expected, rtol=2e-4)
    totals = states.field("abundance").astype(np.float64) @ loaded.data.stoichiometry
    wanted = (start @ loaded.data.stoichiometry).repeat(histories.valid.sum(axis=1), axis=0)
    np.testing.assert_allclose(totals, wanted, rtol=1e-5)


def test_a_result_says_whether_its_abundances_are_conserved(
    tiny: Any, emulator: TrainResult, autoencoder: TrainResult, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="chemnet"):
        conserving, free = (
            infer(tiny({"infer.conserve": kept}), split="test", model_dir=emulator.path)
            for kept in (True, False)
        )
    assert "abundances keep each element's total" in caplog.text
    assert "abundances do not keep the elements' totals" in caplog.text
    for result, kept in ((conserving, True), (free, False)):
        assert result.summary["conserved"] is result.dataset.conserved is kept
        assert "conserved" in str(result)
    first = np.asarray(free.dataset.rows["step"]) == 0
    one, other = (result.dataset.field("abundance") for result in (conserving, free))
    np.testing.assert_array_equal(one[first], other[first])
    assert not np.allclose(one[~first], other[~first], rtol=1e-3)
    np.testing.assert_array_equal(conserving.dataset.latents, free.dataset.latents)
    assert "conserved" not in infer(tiny(), split="test", model_dir=autoencoder.path).summary


def test_best_weights_are_used_unless_the_last_are_asked_for(tiny: Any) -> None:
    trained = Train(tiny({"'torch.optim.AdamW'.lr": 0.3, "train.epochs": 6})).run()
    assert trained.summary["best_epoch"] < 6
    abundance = torch.from_numpy(infer(tiny()).dataset.latents.copy())
    for which in ("best", "last"):
        states = infer(tiny({"infer.weights": which}), split="test").dataset
        split = VerbResult.load(trained.directory.parent("preprocess").path).data.split("test")  # type: ignore[attr-defined]
        with torch.no_grad():
            expected = trained.load_model(which).encode(torch.from_numpy(split.abundance))
        np.testing.assert_allclose(states.latents, expected, rtol=1e-3, atol=1e-4)
    assert abundance.isfinite().all()


def test_raw_tracers_are_inferred_without_a_preprocess_result(tiny: Any, autoencoder: TrainResult) -> None:
    raw, split = (infer(tiny(), source=source) for source in ("data_set", "preprocess"))
    assert "preprocess" not in raw.directory.parents
    order = [split.dataset.position(name) for name in raw.dataset.ids().tolist()]
    np.testing.assert_allclose(raw.dataset.latents, split.dataset.latents[order], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(raw.dataset.physical, split.dataset.physical[order], rtol=1e-5)


def test_raw_tracers_without_a_species_of_the_model_are_refused(
    tiny: Any, autoencoder: TrainResult, results_dir: Path
) -> None:
    before = sorted(results_dir.iterdir())
    config = tiny({"data_set.drop_columns": [*tiny()["data_set"]["drop_columns"], "CO"]})
    with pytest.raises(DataError, match="the data set lacks 1 of the model's 12 species, first 'CO'"):
        infer(config, source="data_set")
    assert sorted(results_dir.iterdir()) == before


def test_the_configured_component_is_taken_and_a_named_one_wins(
    tiny: Any, autoencoder: TrainResult, emulator: TrainResult
) -> None:
    of_emulator = infer(tiny({"train.component": "emulator"}))
    assert of_emulator.directory.parents["train"].path == emulator.path
    assert infer(tiny()).directory.parents["train"].path == autoencoder.path
    named = infer(tiny({"infer.model_dir": "autoencoder"}))
    assert named.directory.parents["train"].path == autoencoder.path
    assert named.directory.config["infer"]["model_dir"] == str(autoencoder.path)


def test_what_is_done_with_the_model_is_said(
    tiny: Any, emulator: TrainResult, autoencoder: TrainResult, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="chemnet"):
        infer(tiny(), model_dir=emulator.path)
        assert f"rolling out the emulator {emulator.directory.name}" in caplog.text
        infer(tiny(), model_dir=autoencoder.path)
    assert f"encoding with the autoencoder {autoencoder.directory.name}" in caplog.text
    assert "interrupted" not in caplog.text


def test_a_model_whose_training_was_interrupted_is_used_with_a_warning(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("chemnet.training.loop.handlers.stop_early", interrupt)
        with pytest.raises(KeyboardInterrupt):
            Train(tiny()).run()
    (interrupted,) = [one for one in list_results(tiny()["general"]["results_dir"]) if one.verb == "train"]
    caplog.clear()
    infer(tiny(), model_dir=interrupted.path)
    assert f"the training of {interrupted.name} was interrupted after 1 epochs" in caplog.text


def test_without_a_model_the_hint_names_the_verb_to_run(tiny: Any) -> None:
    with pytest.raises(ResultsError, match="chemnet train"):
        infer(tiny())


def test_weights_that_changed_are_refused(tiny: Any, autoencoder: TrainResult) -> None:
    path = autoencoder.path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    with pytest.raises(ResultsError, match=r"weights\.safetensors changed"):
        infer(tiny())


def test_a_model_of_a_chemnet_with_other_keys_is_still_read(tiny: Any, autoencoder: TrainResult) -> None:
    for folder in (autoencoder.path, autoencoder.directory.parent("preprocess").path):
        plant(folder, "runtime_config.toml", {"a_table_that_is_gone/key": 1})
    assert len(infer(tiny()).dataset) == 360


def test_a_result_plots_and_reloads(tiny: Any, autoencoder: TrainResult) -> None:
    result = infer(tiny())
    assert "latent 1" in result.plot().axes[0].get_xlabel()
    again = VerbResult.load(result.path)
    assert isinstance(again, InferResult)
    assert len(again.dataset) == 360
    assert ResultDirectory.open(result.path).component == "autoencoder"


@pytest.mark.parametrize("policy", ["stop", "keep"])
def test_a_latent_that_is_not_finite_is_told_with_tracer_and_step(
    tiny: Any,
    autoencoder: TrainResult,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    policy: str,
) -> None:
    name = str(infer(tiny()).dataset.ids()[7])
    call = model_over_data_set._call

    def spoiled(*words: Any) -> dict[str, torch.Tensor]:
        outputs = call(*words)
        outputs["tensor"][7, 1] = torch.inf
        return outputs

    monkeypatch.setattr(model_over_data_set, "_call", spoiled)
    tracer, _, step = name.rpartition("-")
    told = f"tracer '{tracer}', step {step}: latent 2 is inf"
    config = tiny({"infer.not_finite": policy, "infer.split": "train"})
    if policy == "stop":
        with pytest.raises(RunFailedError, match=told):
            infer(config)
        return
    assert infer(config).summary["not_finite"] == 1
    assert told in caplog.text
    for verb in (Umap(tiny({"umap.reducer": "pca"})), SaveToDatabase(tiny())):
        with pytest.raises(DataError, match=f"latent 2 of state '{name}' is inf"):
            verb.run()


def test_a_rollout_that_is_not_finite_is_told_with_tracer_step_and_species(
    tiny: Any, emulator: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_rows = model_over_data_set.read_rows

    def spoiled(*words: Any) -> torch.Tensor:
        abundance = read_rows(*words)
        abundance[33, 4] = torch.nan
        return abundance

    monkeypatch.setattr(model_over_data_set, "read_rows", spoiled)
    # tracers of thirty steps: the second, in its step 3
    with pytest.raises(RunFailedError, match=r"tracer '\d+', step 3: abundance of C is nan"):
        infer(tiny({"infer.model_dir": "emulator"}))
