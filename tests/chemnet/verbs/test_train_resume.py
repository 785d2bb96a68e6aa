"""Trainings that break off, fail or go on."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from trainings import failing_at, interrupt, same, train, weights_of, without_times

from chemnet.config import load_config
from chemnet.errors import ConfigError, ResultsError, RunFailedError
from chemnet.results import ResultDirectory, list_results
from chemnet.verbs.train import TrainResult

pytestmark = pytest.mark.usefixtures("undrawn")


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
    # the line of an epoch whose state was never written, and half a line behind it
    with (killed / "metrics.jsonl").open("a") as lines:
        lines.write(json.dumps({"epoch": 3, "validate_loss": -1.0}) + "\n" + '{"epoch": 4, "val')
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
        raise SystemExit

    with monkeypatch.context() as patch:
        failing_at(patch, 10, copy_and_end)
        with pytest.raises(SystemExit):
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
        with pytest.raises(ResultsError, match="is still running"):
            train(tiny(), resume=partial)
        return 1.0

    failing_at(monkeypatch, 10, resume_myself)
    train(tiny())


def test_the_latest_is_no_finished_training_while_another_one_runs(
    tiny: Any, autoencoder: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resume_the_latest() -> Any:
        with pytest.raises(ResultsError, match="is still running, and no other training is unfinished"):
            train(tiny(), resume="latest")
        return 1.0

    failing_at(monkeypatch, 10, resume_the_latest)
    train(tiny({"train.component": "another"}))


@pytest.mark.parametrize("file", ["resume.safetensors", "runtime_config.toml", "metrics.jsonl"])
def test_a_finished_training_that_was_changed_does_not_go_on(
    tiny: Any, autoencoder: TrainResult, results_dir: Path, file: str
) -> None:
    path = results_dir / autoencoder.path.name / file
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    before = sorted(results_dir.iterdir())
    with pytest.raises(ResultsError, match=f"{file} changed after `train` wrote it"):
        train(tiny({"train.epochs": 9}), resume=path.parent)
    assert sorted(results_dir.iterdir()) == before


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
