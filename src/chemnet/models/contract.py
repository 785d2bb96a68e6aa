"""The contract between a model and chemnet: `ChemModel`, and what `@chem_model` makes of any other class.

A model derives from `ChemModel`, or is any `torch.nn.Module`, and states

- ``__init__(config, data)``: the merged configuration and a `DataDescription` of what it will be fed; a
  `ChemModel` calls ``super().__init__(config, data)`` first;
- ``forward(batch)``: the network itself;
- ``train_batch(batch) -> (loss, diagnostics)``: one training step up to the loss. Scalars in `diagnostics`
  are averaged over the epoch, weighted by rows, and reported; a 1-D tensor is summed over the epoch instead;
- ``infer_batch(batch) -> {name: tensor}``: one inference step; ``"latent"`` (or else the first tensor) is
  stored per row;
- ``role``: one of `ROLES`; ``feed``: one of `FEEDS`.

``batch`` is a dict of tensors. Fed by rows: `abundance` (B, S) and `physical` (B, P), both scaled, and `dt`
(B,), the time [yr] to the tracer's next row (0 at its end). Fed by windows: `abundance` (B, W, S), `physical`
(B, W-1, P), `dt` (B, W-1); ``physical[:, i]`` drives ``abundance[:, i] -> abundance[:, i + 1]``.

An autoencoder also states ``encode(abundance) -> latent`` and ``decode(latent) -> abundance``. An emulator
takes the trained autoencoder as a third argument of ``__init__``, keeps it out of its own weights, and states
``decode(latent)``. To be part of a `chemnet.Surrogate` an emulator also states ``advance(state, physical,
dt) -> state``: one step of a dict of tensors that holds `latent` (B, L), in the autoencoder's latents, or the
scaled abundances for a direct emulator; `physical` (B, P), `dt` (B,) [yr]. One with memory makes its first
state in ``begin(latent) -> state``. `chemnet.models.emulators.emulator.Emulator` states all of that for a
space and a step.

What else a model may state are the other methods of `ChemModel`: there they are with what they do by default.
`equip_model` adds them to a plain `torch.nn.Module`, whose own `criterion` counts if ``__init__`` sets one;
nothing that the class or a base class defines is ever replaced. A class that breaks the contract is refused.
"""

from __future__ import annotations

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from chemnet.config import ConfigDict
from chemnet.errors import ModelError, suggest
from chemnet.models import optimisation, weights
from chemnet.registry import MODELS

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

Batch = Mapping[str, Tensor]
StepResult = tuple[Tensor, dict[str, Tensor]]

ROLES = ("autoencoder", "emulator", "direct_emulator", "other")
FEEDS = ("rows", "windows")
_REQUIRED: dict[str, tuple[str, ...]] = {
    "autoencoder": ("encode", "decode"),
    "emulator": ("decode",),
    "direct_emulator": (),
    "other": (),
}
# whether models are built to be trained; a context, since the members of an ensemble are built inside it
_trains: ContextVar[bool] = ContextVar("trains", default=True)


class TrainingRows(Protocol):
    """What `before_training` and `after_training` are given."""

    def row_batches(self) -> Iterator[Batch]:
        """Yield the rows of the training split in order, each once."""
        ...


class ChemModel(nn.Module, ABC):
    """A model as chemnet trains, stores and uses it; what a subclass states is listed in this module.

    Parameters
    ----------
    config
        The merged configuration.
    data
        What the model will be fed.

    Attributes
    ----------
    role, feed
        One of `ROLES` and one of `FEEDS`; by default a model is fed by rows and has no part in a surrogate.
    closed_form
        Whether `before_training` fits the model entirely: no gradient is taken then, and training is one pass
        that scores it.
    config, data
        What it was built from.
    criterion
        The loss that the configuration names, or `make_criterion` of the class; a model that is rebuilt for
        predictions alone has none.
    """

    role: ClassVar[str] = "other"
    feed: ClassVar[str] = "rows"
    closed_form: ClassVar[bool] = False
    criterion: nn.Module

    def __init__(self, config: ConfigDict, data: DataDescription) -> None:
        super().__init__()
        self.config, self.data = config, data
        if not _trains.get():
            return
        if type(self).make_criterion is not ChemModel.make_criterion:
            optimisation.warn_of_own(self, "criterion", config)
        self.criterion = self.make_criterion(config, data)

    @cached_property
    def table(self) -> ConfigDict:
        """The table ``[model.<Class>]`` of the model, or of the nearest base class that has one."""
        tables, names = self.config["model"], [cls.__name__ for cls in type(self).__mro__]
        return tables[next((name for name in names if name in tables), names[0])]

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Return what the network makes of a batch."""

    @abstractmethod
    def train_batch(self, batch: Batch) -> StepResult:
        """Return loss and diagnostics of one training batch."""

    @abstractmethod
    def infer_batch(self, batch: Batch) -> dict[str, Tensor]:
        """Return named tensors, one row per row of the batch; ``"latent"`` is what is stored."""

    def validate_batch(self, batch: Batch) -> StepResult:
        """Return loss and diagnostics of one validation batch; by default those of `train_batch`."""
        return self.train_batch(batch)

    def before_training(self, training: TrainingRows) -> None:
        """Learn statistics of the training split; by default none.

        ``training.row_batches()`` walks it in order, without gradients.
        """

    def after_training(self, training: TrainingRows) -> None:
        """Learn statistics of the training split, for the weights that are kept; by default none."""

    def for_inference(self) -> nn.Module:
        """Return the form that inference uses; by default the model itself in evaluation mode."""
        return self.eval()

    def make_criterion(self, config: ConfigDict, data: DataDescription) -> nn.Module:
        """Return the loss; by default the one that ``[criterion]`` names."""
        return optimisation.make_criterion(config, data)

    make_optimizer = optimisation.make_optimizer
    make_scheduler = optimisation.make_scheduler
    save = weights.save
    load_weights = weights.load_weights


def equip_model(cls: type[nn.Module]) -> type[nn.Module]:
    """Check a model class, and add to a plain module what it lacks of `ChemModel`; `MODELS` calls it.

    Raises
    ------
    ModelError
        When the class is no `torch.nn.Module` or breaks the contract; the message names what is missing.
    """
    check_contract(cls)
    if issubclass(cls, ChemModel):
        return cls
    if "__init__" in cls.__dict__:
        cls.__init__ = _completed(cls.__init__)  # type: ignore[method-assign]
    for name in vars(ChemModel).keys() - ChemModel.__abstractmethods__ - {"table", "make_criterion"}:
        if not (name.startswith("_") or hasattr(cls, name)):
            setattr(cls, name, getattr(ChemModel, name))
    return cls


def check_contract(cls: type) -> None:
    """Raise `ModelError` when `cls` breaks the contract of this module."""
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise ModelError(f"the model {cls!r} is no torch.nn.Module", hint="derive it from torch.nn.Module")
    role, feed = getattr(cls, "role", "other"), getattr(cls, "feed", "rows")
    for attribute, value, allowed in (("role", role, ROLES), ("feed", feed, FEEDS)):
        if value not in allowed:
            raise ModelError(
                f"the model {cls.__name__} has {attribute} = {value!r}", hint=suggest(str(value), allowed)
            )
    wanted = ("train_batch", "infer_batch", *_REQUIRED[role])
    abstract: frozenset[str] = getattr(cls, "__abstractmethods__", frozenset())
    missing = [name for name in wanted if name in abstract or not callable(getattr(cls, name, None))]
    missing += sorted(abstract.difference(missing))
    if cls.forward is nn.Module.forward:
        missing.insert(0, "forward")
    if missing:
        raise ModelError(
            f"the model {cls.__module__}.{cls.__qualname__} (role '{role}') lacks {', '.join(missing)}",
            hint="a model states forward(batch), train_batch(batch) -> (loss, diagnostics) and "
            "infer_batch(batch) -> dict of tensors; see the documentation of chemnet.models.contract",
        )


def build_model(config: ConfigDict, data: DataDescription, autoencoder: nn.Module | None = None) -> ChemModel:
    """Return a new model of the class that ``model.name`` asks for, shaped for `data`.

    Raises
    ------
    ModelError
        When the class is an emulator and no autoencoder is given.
    """
    name = config["model"]["name"]
    cls = MODELS.get(name)
    if cls.role != "emulator":
        return cls(config, data)
    if autoencoder is None:
        raise ModelError(
            f"the emulator {name} needs a trained autoencoder", hint="train an autoencoder first"
        )
    return cls(config, data, autoencoder)


def rebuild_model(
    config: ConfigDict, data: DataDescription, autoencoder: nn.Module | None = None
) -> ChemModel:
    """Return a model as `build_model` does, but for predictions alone: without its criterion."""
    token = _trains.set(False)
    try:
        return build_model(config, data, autoencoder)
    finally:
        _trains.reset(token)


def own_table(config: ConfigDict, name: str) -> dict[str, Any]:
    """Return the model's own configuration table, ``[model.<Class>]``; empty when it has none.

    An external model's table stands in its package's `default_config.toml`, under the class's bare name.
    """
    tables = config["model"]
    for key in (name, name.rpartition(".")[2]):
        if key in tables:
            return tables[key].to_dict()
    return {}


def member_tables(config: ConfigDict, name: str) -> dict[str, dict[str, Any]]:
    """Return the table of the model that the members of an ensemble are, by its name; empty for others."""
    member = own_table(config, name).get("member")
    return {member.rpartition(".")[2]: own_table(config, member)} if member else {}


def _completed(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap a model's constructor: it keeps what it was built from, and has a criterion for its training."""

    @functools.wraps(init)
    def construct(
        self: nn.Module, config: ConfigDict, data: DataDescription, *args: Any, **kwargs: Any
    ) -> None:
        init(self, config, data, *args, **kwargs)
        self.config, self.data = config, data  # type: ignore[assignment]
        if not _trains.get():
            return
        if hasattr(self, "criterion"):
            optimisation.warn_of_own(self, "criterion", config)
        else:
            self.criterion = optimisation.make_criterion(config, data)

    return construct


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Put `model` in evaluation mode without gradients, and back into its mode afterwards."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield model
    finally:
        model.train(was_training)
