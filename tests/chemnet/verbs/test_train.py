from __future__ import annotations

import json
import shutil
import socket
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chemnet.config import ConfigDict, load_config
from chemnet.errors import ConfigError, DataError, ModelError, ResultsError, RunFailedError
from chemnet.models.autoencoder import Autoencoder
from chemnet.models.weights import read_tensors
from chemnet.results import ResultDirectory, VerbResult, list_results
from chemnet.verbs.train import Train, TrainResult

EMULATOR = {"model.name": "LatentEmulator", "train.component": "emulator"}


def train(config: Any, **arguments: Any) -> TrainResult:
    return Train(config).run(**arguments)


def without_times(result: TrainResult) -> list[dict[str, float]]:
    return [{key: value for key, value in record.items() if key != "wall_s"} for record in result.metrics]


def weights_of(result: TrainResult, name: str = "weights.safetensors") -> dict[str, torch.Tensor]:
    return read_tensors(result.path / name)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def failing_at(monkeypatch: pytest.MonkeyPatch, step: int, fail: Callable[[], Any]) -> None:
    """Let the autoencoder's training step number `step` (from 1) call `fail`."""
    steps, original = [0], Autoencoder.train_batch

    def train_batch(self: Autoencoder, batch: Any) -> Any:
        steps[0] += 1
        loss, terms = original(self, batch)
        return (fail() * loss, terms) if steps[0] == step else (loss, terms)

    monkeypatch.setattr(Autoencoder, "train_batch", train_batch)


def interrupt() -> Any:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw curves in the test of what a result holds alone: drawing costs more than a tiny training."""
    if "holds_weights_metrics" not in request.node.name:
        monkeypatch.setattr("chemnet.training.component.write_curves", lambda *_: None)


@pytest.fixture
def autoencoder(tiny: Any) -> TrainResult:
    """A trained autoencoder in the results folder of `tiny`."""
    return train(tiny())


def test_a_result_holds_weights_metrics_summary_curves_and_what_the_model_is(
    autoencoder: TrainResult,
) -> None:
    names = {path.name for path in autoencoder.path.iterdir()}
    assert {
        "weights.safetensors",
        "weights_last.safetensors",
        "metrics.jsonl",
        "summary.json",
        "curves.png",
    } <= names
    assert {"model.toml", "resume.safetensors", "resume.json", "runtime_config.toml"} <= names
    described = tomllib.loads((autoencoder.path / "model.toml").read_text())
    assert (described["name"], described["role"]) == ("Autoencoder", "autoencoder")
    assert described["table"]["latent_dim"] == 3
    assert described["weights"]["weights.0"] == [16, 12]
    assert len(autoencoder.metrics) == autoencoder.summary["epochs"] == 3
    assert autoencoder.directory.component == "autoencoder"


def test_a_result_prints_plots_and_reloads(autoencoder: TrainResult) -> None:
    assert "best_epoch" in str(autoencoder)
    assert len(autoencoder.plot().axes) == 3
    again = VerbResult.load(autoencoder.path)
    assert isinstance(again, TrainResult)
    assert again.summary == autoencoder.summary
    model = again.load_model()
    assert not model.training
    assert same(model.state_dict(), weights_of(autoencoder))


def test_the_inputs_that_were_used_are_written_into_the_configuration(autoencoder: TrainResult) -> None:
    preprocessed = autoencoder.directory.parent("preprocess")
    assert autoencoder.directory.config["train"]["preprocess_dir"] == str(preprocessed.path)


def test_the_same_seed_gives_the_same_bits(tiny: Any, autoencoder: TrainResult) -> None:
    again, other = train(tiny()), train(tiny({"general.seed": 7}))
    assert without_times(again) == without_times(autoencoder)
    assert same(weights_of(again), weights_of(autoencoder))
    assert not same(weights_of(other), weights_of(autoencoder))


def test_validation_is_the_mean_over_the_whole_split(autoencoder: TrainResult, tiny_data: Any) -> None:
    abundance = torch.from_numpy(tiny_data.split("validate").abundance)
    model = autoencoder.load_model("last")
    with torch.no_grad():
        loss, _ = model.validate_batch({"abundance": abundance})
    # in batches of 64 the split of 90 rows is two batches
    assert autoencoder.metrics[-1]["validate_loss"] == pytest.approx(loss.item(), rel=1e-4)


def test_best_weights_are_those_of_the_best_epoch_and_last_those_of_the_last(tiny: Any) -> None:
    result = train(tiny({"'torch.optim.AdamW'.lr": 0.3, "train.epochs": 6}))
    scores = [record["validate_loss"] for record in result.metrics]
    assert result.summary["best_epoch"] == 1 + int(np.argmin(scores)) < 6
    shorter = train(tiny({"'torch.optim.AdamW'.lr": 0.3, "train.epochs": result.summary["best_epoch"]}))
    assert same(weights_of(result), weights_of(shorter, "weights_last.safetensors"))
    assert not same(weights_of(result), weights_of(result, "weights_last.safetensors"))


def test_a_split_run_is_the_run_in_one_go(tiny: Any) -> None:
    options = {"model.Autoencoder.dropout": 0.2, "model.Autoencoder.latent_noise": 0.1}
    whole = train(tiny({"train.epochs": 4, **options}))
    half = train(tiny({"train.epochs": 2, **options}))
    resumed = train(tiny({"train.epochs": 4, **options}), resume=half.path)
    assert without_times(resumed) == without_times(whole)
    assert same(weights_of(resumed), weights_of(whole))
    assert same(
        weights_of(resumed, "weights_last.safetensors"), weights_of(whole, "weights_last.safetensors")
    )
    assert resumed.directory.config["train"]["resume"] is False


def test_resuming_at_the_target_epoch_trains_zero_more(
    tiny: Any, autoencoder: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, 1, lambda: pytest.fail("a step was trained"))
    resumed = train(tiny(), resume=autoencoder.path)
    assert without_times(resumed) == without_times(autoencoder)
    assert same(weights_of(resumed), weights_of(autoencoder))


def test_resume_and_pretrained_weights_exclude_one_another(tiny: Any, autoencoder: TrainResult) -> None:
    weights = str(autoencoder.path / "weights.safetensors")
    with pytest.raises(ConfigError, match=r"train\.resume and train\.model_weights_file"):
        train(tiny({"train.model_weights_file": weights}), resume=autoencoder.path)


def test_pretrained_weights_are_the_start(tiny: Any, autoencoder: TrainResult) -> None:
    changes = {"train.model_weights_file": str(autoencoder.path / "weights.safetensors"), "train.epochs": 1}
    first = train(tiny({**changes, "optimizer.lr": 1e-9})).metrics[0]["validate_loss"]
    assert first == pytest.approx(min(record["validate_loss"] for record in autoencoder.metrics), rel=0.5)


def test_pretrained_weights_of_another_shape_name_both(
    tiny: Any, autoencoder: TrainResult, results_dir: Path
) -> None:
    before = sorted(results_dir.iterdir())
    weights = str(autoencoder.path / "weights.safetensors")
    with pytest.raises(ModelError, match=r"\(3, 12\) in the file and \(2, 12\) in the model"):
        train(tiny({"train.model_weights_file": weights, "model.Autoencoder.latent_dim": 2}))
    assert sorted(results_dir.iterdir()) == before


def test_ctrl_c_keeps_the_best_weights_and_says_how_to_resume(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = train(tiny({"train.epochs": 4}))
    with monkeypatch.context() as patch:
        # four batches an epoch: in the middle of the third
        failing_at(patch, 10, interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(tiny({"train.epochs": 4}))
    interrupted = list_results(whole.path.parent)[-1]
    assert interrupted.status == "interrupted"
    assert interrupted.summary["epochs"] == 2
    assert f"train.resume={interrupted.path}" in caplog.text
    assert TrainResult(interrupted).load_model() is not None
    resumed = train(tiny({"train.epochs": 4}), resume=interrupted.path)
    assert without_times(resumed) == without_times(whole)
    assert same(weights_of(resumed), weights_of(whole))


def test_ctrl_c_before_the_first_epoch_leaves_nothing(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(results_dir.iterdir())
    failing_at(monkeypatch, 2, interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(tiny())
    assert sorted(results_dir.iterdir()) == before


@pytest.mark.parametrize("wanted", ["path", "name", "latest"])
def test_a_killed_run_goes_on_from_its_last_epoch(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    whole = train(tiny({"train.epochs": 4}))
    killed = kill_in_third_epoch(tiny({"train.epochs": 4}), results_dir, monkeypatch)
    # the line of an epoch whose state was never written
    with (killed / "metrics.jsonl").open("a") as lines:
        lines.write(json.dumps({"epoch": 3, "validate_loss": -1.0}) + "\n")
    name = {"path": str(killed), "name": killed.name, "latest": "latest"}[wanted]
    resumed = train(tiny({"train.epochs": 4}), resume=name)
    assert without_times(resumed) == without_times(whole)
    assert same(weights_of(resumed), weights_of(whole))
    assert not list(results_dir.glob(".partial-*"))


def test_a_killed_run_is_seen_by_no_other_verb(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_in_third_epoch(tiny(), results_dir, monkeypatch)
    assert [result.verb for result in list_results(results_dir)] == ["preprocess"]


def kill_in_third_epoch(config: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave what a process killed in its third epoch leaves."""
    aside = results_dir.parent / "aside"

    def copy_and_end() -> Any:
        (partial,) = results_dir.glob(".partial-*")
        shutil.copytree(partial, aside / partial.name)
        raise MemoryError

    with monkeypatch.context() as patch:
        failing_at(patch, 10, copy_and_end)
        with pytest.raises(MemoryError):
            train(config)
    (left,) = aside.iterdir()
    shutil.rmtree(results_dir / left.name)
    # no process has this number
    host = socket.gethostname()
    (left / "running.toml").write_text(f'verb = "train"\npid = 4194999\nhost = "{host}"\n')
    return shutil.copytree(left, results_dir / left.name)


def test_a_loss_that_is_not_finite_fails_and_is_never_picked_up(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, 3, lambda: float("nan"))
    before = sorted(results_dir.iterdir())
    with pytest.raises(RunFailedError, match="training epoch 1, batch 3: loss is nan") as caught:
        train(tiny())
    assert caught.value.exit_code == 3
    assert sorted(results_dir.iterdir()) == before


def test_a_failed_run_can_go_on_from_its_last_good_epoch(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(tiny())
    with monkeypatch.context() as patch:
        failing_at(patch, 10, lambda: float("nan"))
        with pytest.raises(RunFailedError, match="epoch 3, batch 2"):
            train(tiny())
    assert len(list_results(results_dir)) == 2
    assert without_times(train(tiny(), resume="latest")) == without_times(whole)


def test_a_running_training_cannot_be_resumed(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resume_myself() -> Any:
        (partial,) = results_dir.glob(".partial-*")
        with pytest.raises(ResultsError, match="still being trained"):
            train(tiny(), resume=partial)
        return 1.0

    failing_at(monkeypatch, 10, resume_myself)
    train(tiny())


def test_a_run_is_not_resumed_on_other_data(
    tiny: Any, autoencoder: TrainResult, tiny_preprocessed: ResultDirectory, results_dir: Path
) -> None:
    from chemnet.verbs.preprocess import Preprocess

    other = Preprocess(tiny({"preprocess.window": 5})).run()
    with pytest.raises(ResultsError, match=r"train\.preprocess_dir is"):
        train(tiny(), resume=autoencoder.path, preprocess_dir=other.path)
    # without a choice of its own it goes on with the data that it began with
    assert (
        train(tiny(), resume=autoencoder.path).directory.parent("preprocess").name == tiny_preprocessed.name
    )


def test_a_run_goes_on_as_it_began_whatever_is_configured_today(
    tiny: Any, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = {
        "model.Autoencoder.latent_dim": 2,
        "optimizer.name": "torch.optim.SGD",
        "train.component": "small",
        "train.batch_size": 32,
        "general.seed": 8,
    }
    whole, half = train(tiny({**recipe, "train.epochs": 4})), train(tiny({**recipe, "train.epochs": 2}))
    today = {"model.name": "LatentEmulator", "optimizer.lr": 0.5, "train.epochs": 4}
    resumed = train(tiny(today), resume=half.path)
    assert same(weights_of(resumed), weights_of(whole))
    assert resumed.directory.component == "small"
    assert resumed.directory.config == whole.directory.config
    for ignored in ("model.name = 'LatentEmulator'", "optimizer.lr = 0.5", "train.component = 'autoencoder'"):
        assert ignored in caplog.text


def test_a_resumed_run_keeps_its_number_of_epochs_unless_another_is_chosen(
    tiny: Any, autoencoder: TrainResult, results_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nothing_chosen = load_config(overrides=[f"general.results_dir={results_dir}", "mlflow.enabled=false"])
    assert train(nothing_chosen, resume="latest").summary["epochs"] == 3
    assert "ignored" not in caplog.text
    assert train(nothing_chosen, resume=autoencoder.path, epochs=4).summary["epochs"] == 4


def test_only_a_training_can_be_resumed(tiny: Any, tiny_preprocessed: ResultDirectory) -> None:
    with pytest.raises(ResultsError, match="is a result of `preprocess`"):
        train(tiny(), resume=tiny_preprocessed.path)


@pytest.mark.parametrize("epochs", [0, -1])
def test_no_epochs_are_refused_by_name(tiny: Any, epochs: int) -> None:
    with pytest.raises(ConfigError, match=r"train\.epochs"):
        train(tiny(), epochs=epochs)


def test_the_summary_leaves_out_what_one_trace_species_spoils(autoencoder: TrainResult) -> None:
    assert any(name.endswith("mean_relative_error") for name in autoencoder.metrics[-1])
    assert not any(name.endswith("mean_relative_error") for name in autoencoder.summary)
    assert "validate_loss" in autoencoder.summary


def test_without_data_the_hint_names_the_verb_to_run(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="chemnet preprocess"):
        train(tiny({"general.results_dir": str(tmp_path / "empty")}))
    assert not (tmp_path / "empty").exists()


def test_mode_both_preprocesses_where_nothing_fits_and_only_then(tiny: Any, results_dir: Path) -> None:
    for folder in results_dir.iterdir():
        shutil.rmtree(folder)
    both = {"train.mode": "both", "train.epochs": 1}
    for _ in range(2):
        train(tiny(both))
    assert [result.verb for result in list_results(results_dir)] == ["preprocess", "train", "train"]
    changed = train(tiny({**both, "preprocess.window": 6}))
    assert [result.verb for result in list_results(results_dir)][3:] == ["preprocess", "train"]
    assert changed.directory.parent("preprocess").config["preprocess"]["window"] == 6


def test_an_empty_validation_split_must_be_wanted(tiny: Any) -> None:
    from chemnet.verbs.preprocess import Preprocess

    Preprocess(tiny({"preprocess.validate_size": 0.0, "preprocess.test_size": 0.1})).run()
    with pytest.raises(DataError, match="the validate split holds no rows"):
        train(tiny())
    assert train(tiny({"train.monitor": "train_loss"})).summary["epochs"] == 3


@pytest.mark.parametrize("changes", [{}, EMULATOR])
def test_a_streamed_training_sees_what_a_resident_one_sees(
    tiny: Any, autoencoder: TrainResult, changes: dict[str, Any]
) -> None:
    resident = train(tiny(changes))
    streamed = train(tiny({**changes, "train.memory_share": 1e-12, "train.stream_rows": 100}))
    assert streamed.summary["items_per_epoch"] == resident.summary["items_per_epoch"]
    assert streamed.metrics[-1]["train_loss"] == pytest.approx(resident.metrics[-1]["train_loss"], rel=0.5)


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("Autoencoder", "batch_size"),
        ("Autoencoder", "rows_per_batch"),
        ("LatentEmulator", "windows_per_batch"),
    ],
)
def test_an_empty_batch_names_the_key_that_asks_for_it(tiny_data: Any, model: str, key: str) -> None:
    from chemnet.registry import MODELS
    from chemnet.training.split_feeds import make_feeds
    from chemnet.training.trace import Trace

    config = load_config(overrides=["train.batch_size=false"])
    emptied = ConfigDict({**config.to_dict(), "train": {**config["train"].to_dict(), key: 0}})
    with pytest.raises(ConfigError, match=rf"train\.{key} = 0"):
        make_feeds(tiny_data, MODELS.get(model).feed, emptied, torch.device("cpu"), Trace(0))


def test_trace_shows_reads_gathers_and_steps(tiny: Any, capsys: pytest.CaptureFixture[str]) -> None:
    train(tiny(), trace=2)
    lines = capsys.readouterr().err.splitlines()
    for word in (
        "read train.abundance",
        "gather",
        "train_batch",
        "encoder_norms.0 BatchNorm1d",
        "optimizer step",
    ):
        assert any(word in line for line in lines), word
    assert sum("optimizer step" in line for line in lines) == 2


def test_an_emulator_finds_its_autoencoder_and_keeps_to_it(tiny: Any, autoencoder: TrainResult) -> None:
    emulator = train(tiny(EMULATOR))
    assert emulator.directory.parent("autoencoder").path == autoencoder.path
    assert not any("autoencoder" in name for name in weights_of(emulator))
    retrained = train(tiny({"general.seed": 9}))
    assert TrainResult.load(emulator.path).directory.parent("autoencoder").path == autoencoder.path
    shutil.rmtree(autoencoder.path)
    shutil.move(retrained.path, autoencoder.path)
    with pytest.raises(ResultsError, match="gone or has changed"):
        TrainResult.load(emulator.path).load_model()


def test_an_emulator_lowers_its_error_below_persistence(tiny: Any, autoencoder: TrainResult) -> None:
    emulator = train(tiny({**EMULATOR, "train.epochs": 12, "train.batch_size": 4, "optimizer.lr": 3e-3}))
    losses = [record["train_loss"] for record in emulator.metrics]
    assert losses[-1] < 0.7 * losses[0]


def test_an_emulator_needs_an_autoencoder_that_has_not_seen_its_test_tracers(
    tiny: Any, autoencoder: TrainResult
) -> None:
    from chemnet.verbs.preprocess import Preprocess

    same_tracers = Preprocess(
        tiny({"preprocess.split_file": str(autoencoder.directory.parent("preprocess").path)})
    ).run()
    assert train(tiny(EMULATOR)).directory.parent("preprocess").path == same_tracers.path
    Preprocess(tiny({"general.seed": 5})).run()
    with pytest.raises(ResultsError, match="no autoencoder for these species, scalings and splits"):
        train(tiny(EMULATOR))


def test_rows_without_order_cannot_feed_windows(tiny: Any, autoencoder: TrainResult) -> None:
    from chemnet.verbs.preprocess import Preprocess

    timeless = Preprocess(tiny({"preprocess.method": "timeless"})).run()
    assert train(tiny(EMULATOR)).directory.parent("preprocess").path != timeless.path
    with pytest.raises(ResultsError, match="is not a preprocess result with windows"):
        train(tiny(EMULATOR), preprocess_dir=timeless.path)
    assert train(tiny()).directory.parent("preprocess").path == timeless.path


def test_half_precision_trains_about_as_well(tiny: Any, autoencoder: TrainResult) -> None:
    mixed = train(tiny({"train.precision": "bf16"}))
    assert mixed.metrics[-1]["train_loss"] == pytest.approx(autoencoder.metrics[-1]["train_loss"], rel=0.1)
