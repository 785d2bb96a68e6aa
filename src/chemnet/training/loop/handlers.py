"""What happens around the epochs: one idea per handler, attached in the order of `attach_all`."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ignite.engine import Engine, Events

from chemnet.config.whole_file import write_whole
from chemnet.models.weights import BEST_WEIGHTS, LAST_WEIGHTS
from chemnet.progress import get_logger, progress_bar
from chemnet.training.loop.adaptation import CutDropout, RevertToBest
from chemnet.training.loop.averaging import AverageWeights, averaged
from chemnet.training.loop.engines import make_evaluator, monitored, run_validation
from chemnet.training.loop.epoch_means import EpochMeans
from chemnet.training.loop.schedules import StepScheduler
from chemnet.training.loop.session import Session, dropout_layers
from chemnet.training.resume.checkpoint import write_state

METRICS_FILE = "metrics.jsonl"
_log = get_logger(__name__)


class Tracker(Protocol):
    """Receives the figures of each epoch (MLflow, a sweep)."""

    def epoch(self, record: dict[str, float]) -> None:
        """Record the figures of a finished epoch."""
        ...


class Callback(Protocol):
    """Sees each epoch of a training and may end it, as a sweep does.

    Attributes
    ----------
    status
        Status of the result, instead of ``"done"``.
    tags
        For the tracker's run.
    """

    status: str
    tags: Mapping[str, str]

    def stops_after(self, record: Mapping[str, float]) -> bool:
        """Record the figures of a finished epoch; return whether training is to end."""
        ...


def attach_all(
    trainer: Engine,
    session: Session,
    means: EpochMeans,
    trackers: Sequence[Tracker] = (),
    callback: Callback | None = None,
) -> None:
    """Attach every handler to the trainer, in the order in which an epoch's end needs them."""
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda: session.training.set_epoch(trainer.state.epoch))
    if session.table["ema_decay"]:
        AverageWeights(session).attach(trainer)
    ScoreEpochs(session, means).attach(trainer)
    KeepBest(session).attach(trainer)
    StepScheduler(session).attach(trainer)
    if session.table["dropout_decay_patience"]:
        CutDropout(session).attach(trainer)
    if session.table["revert_patience"]:
        RevertToBest(session).attach(trainer)
    if session.group.is_first:
        RecordMetrics(session, trackers).attach(trainer)
        SaveState(session).attach(trainer)
    if session.table["early_stopping_patience"]:
        StopEarly(session).attach(trainer)
    if callback is not None:
        AskCallback(session, callback).attach(trainer)
    if session.group.is_first:
        ShowProgress(session, means).attach(trainer)


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
        self.started = time.perf_counter()

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
        session.records.append(record)


# not Ignite's Checkpoint: it pickles
class KeepBest:
    """Keep the weights of the epoch with the lowest ``train.monitor``."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def attach(self, trainer: Engine) -> None:
        """Judge each epoch."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.judge)

    def judge(self) -> None:
        """Compare the latest record with the best so far."""
        session = self.session
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

    def attach(self, trainer: Engine) -> None:
        """Write after each epoch."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.write)

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
class SaveState:
    """Write the resume state after each epoch: a killed process loses one epoch at most."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def attach(self, trainer: Engine) -> None:
        """Write after each epoch."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def write(self) -> None:
        """Write weights, best weights and everything that the next epoch depends on."""
        session = self.session
        state, records = session.state, session.records
        parts = (session.model, session.optimizer, session.scheduler)
        write_state(session.folder, state, *parts, session.origin, records)


# not Ignite's EarlyStopping, which counts for itself: the stagnant epochs stand in the resume state, and a
# cut of dropout sets them to 0
class StopEarly:
    """End the training after ``early_stopping_patience`` stagnant epochs."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def attach(self, trainer: Engine) -> None:
        """Check after each epoch."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.look)

    def look(self, trainer: Engine) -> None:
        """Terminate when the patience is over."""
        if stopped_early(self.session):
            _log.info("stopped after %d epochs without improvement", self.session.state.stagnant)
            trainer.terminate()


class AskCallback:
    """End the training when the callback says so."""

    def __init__(self, session: Session, callback: Callback) -> None:
        self.session, self.callback = session, callback

    def attach(self, trainer: Engine) -> None:
        """Ask the callback after each epoch."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.ask)

    def ask(self, trainer: Engine) -> None:
        """Hand over the latest record, and terminate if the callback asks for it."""
        if self.callback.stops_after(self.session.records[-1]):
            self.session.ended_by_callback = True
            trainer.terminate()


# not Ignite's ProgressBar: one bar per epoch, begun at 0 by a resumed run, and nothing at all in a log file
class ShowProgress:
    """A bar over all batches, with the latest losses beside it; without a terminal, log lines."""

    # least time between two log lines [s]
    every = 10.0

    def __init__(self, session: Session, means: EpochMeans) -> None:
        self.session, self.means = session, means

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


def stopped_early(session: Session) -> bool:
    """Return whether early stopping's patience is over."""
    patience = session.table["early_stopping_patience"]
    return bool(patience) and session.state.stagnant >= patience


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
