"""The Ignite engines: one that trains a model on batches, one that scores it on a whole split."""

from __future__ import annotations

import logging

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from chemnet.errors import ConfigError, suggest
from chemnet.models.contract import Batch
from chemnet.training.loop.epoch_means import EpochMeans
from chemnet.training.loop.gradients import GRADIENT_NORM, FiniteGradient, Gradient, rows_of
from chemnet.training.loop.session import Session
from chemnet.training.loop.trace import Trace
from chemnet.training.parallel.devices import precision


def make_trainer(session: Session, means: EpochMeans, trace: Trace) -> Engine:
    """Return the engine whose iterations are training steps; `means` collects what each step returns.

    A step reads nothing back from the device: losses gather there until `means.flush`.
    """
    model, optimizer = session.model, session.optimizer
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    gradient, finite = Gradient(session, parameters, trace), FiniteGradient(session, parameters)

    def step(engine: Engine, batch: Batch) -> Tensor:
        loss, diagnostics = gradient.of(batch)
        norm = trace.call("clip gradient", finite.clip)
        if finite.is_taken(norm):
            trace.call("optimizer step", optimizer.step)
            means.add(loss, {**diagnostics, GRADIENT_NORM: norm}, rows_of(batch))
        trace.batch_done()
        return loss

    def score(engine: Engine, batch: Batch) -> Tensor:
        with torch.no_grad(), precision(session.table["precision"], session.device):
            loss, diagnostics = trace.call("train_batch", model.train_batch, batch)
        means.add(loss, diagnostics, rows_of(batch))
        trace.batch_done()
        return loss

    trace.watch(model)
    trainer = _quiet(Engine(score if model.closed_form else step))
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda: model.train())
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda: means.start(trainer.state.epoch))
    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=session.table["log_interval"]), means.flush)
    return trainer


def make_evaluator(session: Session, means: EpochMeans) -> Engine:
    """Return the engine that scores a whole split; `means` holds the split's means afterwards."""

    def step(engine: Engine, batch: Batch) -> None:
        if not rows_of(batch):  # fewer items than processes
            return
        with torch.no_grad(), precision(session.table["precision"], session.device):
            loss, diagnostics = session.model.validate_batch(batch)
        means.add(loss, diagnostics, rows_of(batch))

    evaluator = _quiet(Engine(step))
    evaluator.add_event_handler(Events.ITERATION_COMPLETED(every=session.table["log_interval"]), means.flush)
    return evaluator


def run_validation(session: Session, evaluator: Engine, means: EpochMeans) -> dict[str, float]:
    """Return the means over the whole validation split, for the model as it is now."""
    session.model.eval()
    means.start(session.state.epoch)
    evaluator.run(session.validation, max_epochs=1)
    return means.result()


def run_epochs(trainer: Engine, session: Session) -> None:
    """Train from the session's epoch up to its last one; where none are left, none are trained."""
    epochs = session.epochs
    if session.state.epoch >= epochs:
        return
    length = len(session.training)
    trainer.load_state_dict({"epoch": session.state.epoch, "epoch_length": length, "max_epochs": epochs})
    with session.group.interruptible():
        trainer.run(session.training, max_epochs=epochs, epoch_length=length)


def monitored(session: Session) -> float:
    """Return the figure of the latest record that ``train.monitor`` names.

    Raises
    ------
    ConfigError
        When there is no such figure.
    """
    name, record = session.table["monitor"], session.records[-1]
    if name not in record:
        raise ConfigError(
            f"train.monitor = {name!r} is no figure of this training", hint=suggest(name, record)
        )
    return record[name]


def _quiet(engine: Engine) -> Engine:
    """Keep Ignite from logging an exception that chemnet reports itself."""
    engine.logger.setLevel(logging.CRITICAL)
    return engine
