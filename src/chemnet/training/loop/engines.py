"""The Ignite engines: one that trains a model on batches, one that scores it on a whole split."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.optim import Optimizer

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, suggest
from chemnet.models import recipe
from chemnet.models.contract import Batch
from chemnet.training.feeds.data_feed import Feed
from chemnet.training.loop.epoch_means import EpochMeans
from chemnet.training.loop.gradients import GRADIENT_NORM, FiniteGradient, Gradient, rows_of
from chemnet.training.loop.trace import Trace
from chemnet.training.parallel.devices import precision
from chemnet.training.parallel.process_group import ALONE, Alone
from chemnet.training.resume.checkpoint import TrainingState


@dataclass
class Session:
    """Everything that one training holds.

    Attributes
    ----------
    model, optimizer, scheduler
        What is trained and how; the scheduler may be None.
    config
        The merged configuration; ``[train]`` is what the handlers read.
    training, validation
        The batches of the two splits.
    folder
        The hidden result directory.
    device
        Where it runs.
    origin
        Model name and input results, kept in the resume state.
    state
        What the decisions depend on.
    records
        One mapping of figures per finished epoch.
    group
        The processes that train together.
    ended_by_callback
        Whether a callback ended the training.
    from_surrogate
        Whether it began with the weights of a surrogate, which then compete with those of the epochs.
    first_record
        The figures of these weights, as epoch 0.
    """

    # an nn.Module with all that chemnet.models.contract adds to one
    model: Any
    optimizer: Optimizer
    scheduler: Any | None
    config: ConfigDict
    training: Feed
    validation: Feed
    folder: Path
    device: torch.device
    origin: dict[str, Any] = field(default_factory=dict)
    state: TrainingState = field(default_factory=TrainingState)
    records: list[dict[str, float]] = field(default_factory=list)
    group: Alone = ALONE
    ended_by_callback: bool = False
    from_surrogate: bool = False
    first_record: dict[str, float] = field(default_factory=dict)

    @property
    def table(self) -> ConfigDict:
        """The ``[train]`` table."""
        return self.config["train"]

    @property
    def epochs(self) -> int:
        """Passes over the training split, at most; one scores a model that was fitted before it."""
        return 1 if self.model.closed_form else self.table["epochs"]


def make_session(model: Any, config: ConfigDict, **parts: Any) -> Session:
    """Return a session with the optimizer and scheduler that the model or the configuration asks for."""
    for part, function in (("optimizer", recipe.make_optimizer), ("scheduler", recipe.make_scheduler)):
        if getattr(type(model), f"make_{part}") is not function:
            recipe.warn_of_own(model, part, config)
    if model.closed_form:
        optimizer, scheduler = recipe.no_optimizer(), None
    else:
        optimizer = model.make_optimizer(config)
        scheduler = model.make_scheduler(config, optimizer)
    session = Session(model, optimizer, scheduler, config, **parts)
    session.state.initial_lr = [float(group["lr"]) for group in optimizer.param_groups]
    session.state.initial_dropout = [layer.p for layer in dropout_layers(model)]
    return session


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


def dropout_layers(model: nn.Module) -> list[nn.Dropout]:
    """Return the dropout layers of a model."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Dropout)]


def _quiet(engine: Engine) -> Engine:
    """Keep Ignite from logging an exception that chemnet reports itself."""
    engine.logger.setLevel(logging.CRITICAL)
    return engine
