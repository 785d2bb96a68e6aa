"""`chemnet train`: what a result holds, reproducibility, batches and precision."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest
import torch
from trainings import EMULATOR, same, train, weights_of, without_times

from chemnet.config import ConfigDict, load_config
from chemnet.errors import ConfigError
from chemnet.models.optimisation import make_criterion
from chemnet.results import VerbResult
from chemnet.training.loop.training_report import write_curves
from chemnet.verbs.train import TrainResult

pytestmark = pytest.mark.usefixtures("undrawn")


def test_a_result_holds_weights_metrics_summary_curves_and_what_the_model_is(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chemnet.training.loop.train_component.write_curves", write_curves)
    autoencoder = train(tiny())
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


def test_the_same_seed_gives_the_same_bits(tiny: Any, autoencoder: TrainResult) -> None:
    again, other = train(tiny()), train(tiny({"general.seed": 7}))
    assert without_times(again) == without_times(autoencoder)
    assert same(weights_of(again), weights_of(autoencoder))
    assert not same(weights_of(other), weights_of(autoencoder))


def test_validation_is_the_mean_over_the_whole_split(autoencoder: TrainResult, tiny_data: Any) -> None:
    abundance = torch.from_numpy(tiny_data.split("validate").abundance)
    model = autoencoder.load_model("last")
    # loading builds none
    model.criterion = make_criterion(autoencoder.directory.config, model.data)
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


@pytest.mark.parametrize("epochs", [0, -1])
def test_no_epochs_are_refused_by_name(tiny: Any, epochs: int) -> None:
    with pytest.raises(ConfigError, match=r"train\.epochs"):
        train(tiny(), epochs=epochs)


def test_the_summary_leaves_out_what_one_trace_species_spoils(autoencoder: TrainResult) -> None:
    assert any(name.endswith("mean_relative_error") for name in autoencoder.metrics[-1])
    assert not any(name.endswith("mean_relative_error") for name in autoencoder.summary)
    assert "validate_loss" in autoencoder.summary


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
    from chemnet.training.feeds.split_feeds import make_feeds
    from chemnet.training.loop.trace import Trace

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


def test_half_precision_trains_about_as_well(tiny: Any, autoencoder: TrainResult) -> None:
    mixed = train(tiny({"train.precision": "bf16"}))
    assert mixed.metrics[-1]["train_loss"] == pytest.approx(autoencoder.metrics[-1]["train_loss"], rel=0.1)
