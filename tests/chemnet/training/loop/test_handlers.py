from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from chemnet.errors import ConfigError
from chemnet.models.contract import equip_model
from chemnet.training.feeds.data_feed import ResidentFeed, RowTable
from chemnet.training.loop import handlers
from chemnet.training.loop.engines import make_trainer, run_epochs
from chemnet.training.loop.epoch_means import EpochMeans
from chemnet.training.loop.session import Session, make_session
from chemnet.training.loop.trace import Trace


@equip_model
class Scripted(nn.Module):
    """A model whose validation loss follows a script: one value per epoch, the last one for ever."""

    script: tuple[float, ...] = (1.0,)

    def __init__(self, config: Any, data: Any) -> None:
        super().__init__()
        self.layer, self.dropout = nn.Linear(1, 1), nn.Dropout(0.3)
        self.criterion = nn.MSELoss()
        self.epochs = 0

    def forward(self, batch: Any) -> torch.Tensor:
        return self.dropout(self.layer(batch["abundance"]))

    def train_batch(self, batch: Any) -> Any:
        return self(batch).square().mean() + 1.0, {}

    def validate_batch(self, batch: Any) -> Any:
        self.epochs += 1
        return torch.tensor(self.script[min(self.epochs, len(self.script)) - 1]), {}

    def infer_batch(self, batch: Any) -> Any:
        return {"latent": self(batch)}


def session_of(tiny: Any, folder: Path, script: tuple[float, ...], **table: Any) -> Session:
    config = tiny({f"train.{key}": value for key, value in table.items()})
    model = Scripted(config, None)
    model.script = script
    rows = RowTable(torch.ones(6, 1), torch.ones(6, 1), torch.ones(6))
    parts = {"training": ResidentFeed(rows, 3, 0), "validation": ResidentFeed(rows, 6, None)}
    return make_session(model, config, folder=folder, device=torch.device("cpu"), **parts)


def run(session: Session) -> list[dict[str, float]]:
    means = EpochMeans("training")
    trainer = make_trainer(session, means, Trace(0))
    session.origin = {"model": "Scripted"}
    handlers.attach_all(trainer, session, means)
    run_epochs(trainer, session)
    return session.records


def test_dropout_falls_to_exactly_zero_and_the_learning_rate_comes_back(tiny: Any, tmp_path: Path) -> None:
    session = session_of(
        tiny, tmp_path, (1.0,), epochs=40, dropout_decay_patience=4, early_stopping_patience=6
    )
    session.config = session.config.replace({"'torch.optim.lr_scheduler.ReduceLROnPlateau'.patience": 1})
    session.scheduler = session.model.make_scheduler(session.config, session.optimizer)
    records = run(session)
    dropouts = [record["dropout"] for record in records]
    assert sorted(set(dropouts), reverse=True) == [0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.0]
    assert dropouts[-1] == 0.0
    rates = [record["lr"] for record in records]
    assert min(rates) < rates[0]
    first_after_cut = next(k for k, dropout in enumerate(dropouts) if dropout < 0.3)
    assert rates[first_after_cut - 1] < rates[first_after_cut] == rates[0]
    # stopped only after dropout had nowhere to go: 1 + 6 * 4 epochs, then 6 more
    assert len(records) == 31


def test_training_stops_after_the_patience_and_not_before(tiny: Any, tmp_path: Path) -> None:
    records = run(session_of(tiny, tmp_path, (3.0, 2.0, 1.0, 2.0), epochs=30, early_stopping_patience=4))
    assert len(records) == 3 + 4


def test_a_plateau_schedule_lowers_the_rate_and_goes_on(tiny: Any, tmp_path: Path) -> None:
    records = run(session_of(tiny, tmp_path, (1.0,), epochs=15, early_stopping_patience=False))
    assert len(records) == 15
    assert records[-1]["lr"] == pytest.approx(records[0]["lr"] / 2)


def test_other_schedules_are_stepped_once_per_epoch(tiny: Any, tmp_path: Path) -> None:
    session = session_of(tiny, tmp_path, (1.0,), epochs=3)
    session.scheduler = torch.optim.lr_scheduler.StepLR(session.optimizer, step_size=1, gamma=0.1)
    rates = [record["lr"] for record in run(session)]
    assert rates == pytest.approx([1e-3, 1e-4, 1e-5])


def test_reverting_brings_back_the_best_weights_with_fresh_moments(tiny: Any, tmp_path: Path) -> None:
    session = session_of(tiny, tmp_path, (1.0, 2.0, 3.0), epochs=3, revert_patience=2)
    run(session)
    assert session.state.best_epoch == 1
    assert torch.equal(session.model.layer.weight, session.state.best_weights["layer.weight"])
    assert not session.optimizer.state


def test_metrics_are_on_disk_after_each_epoch(tiny: Any, tmp_path: Path) -> None:
    seen: list[int] = []

    class Watcher:
        def epoch(self, record: dict[str, float]) -> None:
            seen.append(len((tmp_path / handlers.METRICS_FILE).read_text().splitlines()))

    session = session_of(tiny, tmp_path, (1.0,), epochs=3)
    means = EpochMeans("training")
    trainer = make_trainer(session, means, Trace(0))
    handlers.attach_all(trainer, session, means, [Watcher()])
    session.origin = {"model": "Scripted"}
    run_epochs(trainer, session)
    assert seen == [1, 2, 3]


def test_watching_a_figure_that_does_not_exist_lists_those_that_do(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="validate_loss"):
        run(session_of(tiny, tmp_path, (1.0,), epochs=1, monitor="validate_los"))


def test_an_epoch_trains_on_every_batch_once(tiny: Any, tmp_path: Path) -> None:
    session = session_of(tiny, tmp_path, (1.0,), epochs=2)
    sizes: list[int] = []
    step = session.model.train_batch
    session.model.train_batch = lambda batch: (sizes.append(len(batch["dt"])), step(batch))[1]
    run(session)
    assert sizes == [3, 3, 3, 3]


def test_without_a_terminal_epochs_are_logged_the_last_one_always(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def logged(script: tuple[float, ...]) -> list[str]:
        caplog.clear()
        run(session_of(tiny, tmp_path, script, epochs=4))
        return [line for line in caplog.messages if line.startswith("epoch ")]

    caplog.set_level("INFO", logger="chemnet")
    first, last = logged((3.0, 1.0, 2.0))
    assert first.startswith("epoch 1 of at most 4: train_loss ")
    assert "validate_loss 3, best validate_loss 3 (epoch 1)" in first
    assert last.endswith("validate_loss 2, best validate_loss 1 (epoch 2)")
    monkeypatch.setattr(handlers.ShowProgress, "every", 0.0)
    assert len(logged((1.0,))) == 4
