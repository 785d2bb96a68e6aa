"""What a training is fed: data, an autoencoder, weights to start from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from trainings import EMULATOR, train, weights_of

from chemnet.errors import DataError, ModelError, ResultsError
from chemnet.results import list_results
from chemnet.verbs.train import TrainResult

pytestmark = pytest.mark.usefixtures("undrawn")


def test_the_inputs_that_were_used_are_written_into_the_configuration(autoencoder: TrainResult) -> None:
    preprocessed = autoencoder.directory.parent("preprocess")
    assert autoencoder.directory.config["train"]["preprocess_dir"] == str(preprocessed.path)


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

    settings = {"preprocess.validate_size": 0.0, "preprocess.test_size": 0.1}
    Preprocess(tiny(settings)).run()
    with pytest.raises(DataError, match="the validate split holds no rows"):
        train(tiny(settings))
    assert train(tiny({**settings, "train.monitor": "train_loss"})).summary["epochs"] == 3


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

    split = {"preprocess.split_file": str(autoencoder.directory.parent("preprocess").path)}
    same_tracers = Preprocess(tiny(split)).run()
    assert train(tiny({**EMULATOR, **split})).directory.parent("preprocess").path == same_tracers.path
    Preprocess(tiny({"general.seed": 5})).run()
    with pytest.raises(ResultsError, match="no autoencoder for these species, scalings and splits"):
        train(tiny({**EMULATOR, "general.seed": 5}))


def test_rows_without_order_cannot_feed_windows(tiny: Any, autoencoder: TrainResult) -> None:
    from chemnet.verbs.preprocess import Preprocess

    method = {"preprocess.method": "timeless"}
    timeless = Preprocess(tiny(method)).run()
    with pytest.raises(ResultsError, match=r"preprocess\.method"):
        train(tiny({**EMULATOR, **method}))
    with pytest.raises(ResultsError, match="is not a preprocess result with windows"):
        train(tiny(EMULATOR), preprocess_dir=timeless.path)
    assert train(tiny(method)).directory.parent("preprocess").path == timeless.path
