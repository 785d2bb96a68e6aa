"""What happens around the epochs: one idea per handler, attached in the order of `attach_all`."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ignite.engine import Engine, Events

from chemnet.config.whole_file import write_whole
from chemnet.models.weights import BEST_WEIGHTS, LAST_WEIGHTS
from chemnet.progress import get_logger, progress_bar
from chemnet.training.loop.adaptation import cut_dropout, revert_to_best, set_dropout
from chemnet.training.loop.averaging import AverageWeights, averaged
from chemnet.training.loop.early_stopping import Callback, ask_callback, stop_early
from chemnet.training.loop.engines import make_evaluator, monitored, run_validation
from chemnet.training.loop.epoch_means import EpochMeans
from chemnet.training.loop.schedules import attach_schedule
from chemnet.training.loop.session import Session, dropout_layers
from chemnet.training.loop.training_report import METRICS_FILE
from chemnet.training.resume.checkpoint import write_state

_log = get_logger(__name__)


class Tracker(Protocol):
    """Receives the figures of each epoch (MLflow, a sweep)."""

    def epoch(self, record: dict[str, float]) -> None:
        """Record the figures of a finished epoch."""
        ...


def attach_all(
    trainer: Engine,
    session: Session,
    means: EpochMeans,
    trackers: Sequence[Tracker] = (),
    callback: Callback | None = None,
) -> None:
    """Attach every handler to the trainer, in the order in which an epoch's end needs them."""
    each_epoch = partial(trainer.add_event_handler, Events.EPOCH_COMPLETED)
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda: session.training.set_epoch(trainer.state.epoch))
    if session.table["ema_decay"]:
        AverageWeights(session).attach(trainer)
    ScoreEpochs(session, means).attach(trainer)
    each_epoch(keep_best, session)
    attach_schedule(trainer, session)
    if session.table["dropout_decay_patience"]:
        set_dropout(session)
        each_epoch(cut_dropout, session)
    if session.table["revert_patience"]:
        each_epoch(revert_to_best, session)
    if session.group.is_first:
        each_epoch(RecordMetrics(session, trackers).write)
        each_epoch(save_state, session)
    if session.table["early_stopping_patience"]:
        each_epoch(stop_early, session)
    if callback is not None:
        each_epoch(ask_callback, session, callback)
    if session.group.is_first:
        ShowProgress(session).attach(trainer)


class ScoreEpochs:
    """Put the means of the training epoch and of the whole validation split into a new record."""

    def __init__(self, session: Session, means: EpochMeans) -> None:
        self.session, self.means = session, means
        self.validation_means = session.group.means("validation")
        self.evaluator = make_evaluator(session, self.validation_means)

    def attach(self, trainer: Engine) -> None:
        """Time epochs and score them."""
        trainer.add_event_handler(Events.STARTED, self.score_start)
        trainer.add_event_handler(Events.EPOCH_STARTED, self.start)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.score)

    def score_start(self) -> None:
        """Let the surrogate that a training starts from compete: fine-tuning must not make it worse."""
        session, monitor = self.session, self.session.table["monitor"]
        if not session.from_surrogate or session.state.epoch or not len(session.validation):
            return
        scores = run_validation(session, self.evaluator, self.validation_means)
        session.first_record = {"epoch": 0, **{f"validate_{name}": value for name, value in scores.items()}}
        if monitor in session.first_record:
            session.state.record(session.first_record[monitor], session.model)
            _log.info("before training: %s %.4g", monitor, session.first_record[monitor])

    def start(self) -> None:
        """Note when the epoch began."""
        self.started, self.cpu_started = time.perf_counter(), time.process_time()

    def score(self, trainer: Engine) -> None:
        """Append the record of the finished epoch."""
        session = self.session
        record: dict[str, float] = {"epoch": trainer.state.epoch}
        record |= {f"train_{name}": value for name, value in self.means.result().items()}
        session.state.epoch = trainer.state.epoch
        if len(session.validation):
            with averaged(session):
                scores = run_validation(session, self.evaluator, self.validation_means)
            record |= {f"validate_{name}": value for name, value in scores.items()}
        record["lr"] = float(session.optimizer.param_groups[0]["lr"])
        layers = dropout_layers(session.model)
        if layers:
            record["dropout"] = max(layer.p for layer in layers)
        record["wall_s"] = round(time.perf_counter() - self.started, 4)
        # of all threads of this process; others of a group have theirs
        record["cpu_s"] = round(time.process_time() - self.cpu_started, 4)
        session.records.append(record)


# not Ignite's Checkpoint: it pickles
def keep_best(session: Session) -> None:
    """Keep the weights of the epoch with the lowest ``train.monitor``."""
    with averaged(session):
        session.state.record(monitored(session), session.model)


class RecordMetrics:
    """Append each epoch's record to ``metrics.jsonl`` as it comes, and pass it on to the trackers."""

    def __init__(self, session: Session, trackers: Sequence[Tracker]) -> None:
        self.session, self.trackers = session, trackers
        self.path = session.folder / METRICS_FILE
        # what a resumed run brings along; a line of an epoch that was never complete in the state is gone
        # with it
        text = "".join(f"{json.dumps(record)}\n" for record in session.records)
        write_whole(self.path, text)

    def write(self) -> None:
        """Write the latest record through to the disk."""
        record = self.session.records[-1]
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"{json.dumps(record)}\n")
            stream.flush()
            os.fsync(stream.fileno())
        for tracker in self.trackers:
            tracker.epoch(record)


# not Ignite's Checkpoint: it pickles, and keeps no random state
def save_state(session: Session) -> None:
    """Write all that the next epoch depends on: a killed process loses one epoch at most."""
    parts = (session.model, session.optimizer, session.scheduler)
    write_state(session.folder, session.state, *parts, session.origin, session.records)


# not Ignite's ProgressBar: one bar per epoch, begun at 0 by a resumed run, and nothing at all in a log file
class ShowProgress:
    """A bar over all batches, with the latest losses beside it; without a terminal, log lines."""

    # least time between two log lines [s]
    every = 10.0

    def __init__(self, session: Session) -> None:
        self.session = session

    def attach(self, trainer: Engine) -> None:
        """Open the bar, move it per log interval, close it."""
        every = self.session.table["log_interval"]
        trainer.add_event_handler(Events.STARTED, self.open)
        trainer.add_event_handler(Events.ITERATION_COMPLETED(every=every), self.move)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.tell)
        trainer.add_event_handler(Events.COMPLETED | Events.EXCEPTION_RAISED, self.close)

    def open(self, trainer: Engine) -> None:
        """Open the bar where the training begins."""
        length = len(self.session.training)
        self.last_told = -math.inf
        self.untold = False
        self.bar = progress_bar(total=self.session.epochs * length, desc="train", unit="batch")
        self.bar.update(self.session.state.epoch * length)

    def move(self, trainer: Engine) -> None:
        """Bring the bar to the current batch."""
        self.bar.update(trainer.state.iteration - self.bar.n)

    def tell(self, trainer: Engine) -> None:
        """Show the losses of the finished epoch."""
        record = self.session.records[-1]
        self.bar.set_postfix_str(
            f"epoch {record['epoch']}, {self.session.table['monitor']} {monitored(self.session):.4g}"
        )
        self.move(trainer)
        self.untold = self.bar.disable
        if self.untold and time.monotonic() - self.last_told >= self.every:
            self.log()

    def log(self) -> None:
        """Log the losses of the finished epoch."""
        record, state = self.session.records[-1], self.session.state
        losses = [f"{name} {record[name]:.4g}" for name in ("train_loss", "validate_loss") if name in record]
        _log.info(
            "epoch %d of at most %d: %s, best %s %.4g (epoch %d)",
            record["epoch"],
            self.session.epochs,
            ", ".join(losses),
            self.session.table["monitor"],
            state.best_score,
            state.best_epoch,
        )
        self.last_told, self.untold = time.monotonic(), False

    def close(self, trainer: Engine, error: BaseException | None = None) -> None:
        """Close the bar; an error propagates."""
        self.bar.close()
        if self.untold:
            self.log()
        if error is not None:
            raise error


def write_weights(folder: Path, session: Session, training: Any) -> None:
    """Write the last and the best weights, each with the statistics that `after_training` takes for them.

    The model holds the best weights afterwards.
    """
    with averaged(session):
        last = {name: tensor.clone() for name, tensor in session.model.state_dict().items()}
    for name, weights in ((LAST_WEIGHTS, last), (BEST_WEIGHTS, session.state.best_weights)):
        session.model.load_state_dict(weights)
        session.model.after_training(training)
        session.model.save(folder / name)
