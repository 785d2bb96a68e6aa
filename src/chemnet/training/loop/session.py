"""What one training holds: the model, what trains it, the batches and the decisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from chemnet.config import ConfigDict
from chemnet.models import optimisation
from chemnet.training.feeds.data_feed import Feed
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
    earlier_s
        Wall time of the epochs before a resumption [s].
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
    earlier_s: float = 0.0

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
    for part, function in (
        ("optimizer", optimisation.make_optimizer),
        ("scheduler", optimisation.make_scheduler),
    ):
        if getattr(type(model), f"make_{part}") is not function:
            optimisation.warn_of_own(model, part, config)
    if model.closed_form:
        optimizer, scheduler = optimisation.no_optimizer(), None
    else:
        optimizer = model.make_optimizer(config)
        scheduler = model.make_scheduler(config, optimizer)
    session = Session(model, optimizer, scheduler, config, **parts)
    session.state.initial_lr = [float(group["lr"]) for group in optimizer.param_groups]
    session.state.initial_dropout = [layer.p for layer in dropout_layers(model)]
    return session


def dropout_layers(model: nn.Module) -> list[nn.Dropout]:
    """Return the dropout layers of a model."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Dropout)]
