"""The state of a training: what its decisions depend on, and how it survives a killed process.

``resume.safetensors`` holds it whole: weights, best weights, optimizer moments and random states as tensors,
everything else as JSON in the header, so that one atomic rename replaces it. ``resume.json`` is a copy of the
JSON for people. Nothing in it is ever executed.
"""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from chemnet.errors import ModelError, ResultsError
from chemnet.models.weights import fitted, read_described_tensors, renamed, write_tensors
from chemnet.results.digests import content_digest
from chemnet.training.resume.latest_training import RESUME_FILE

READABLE_FILE = "resume.json"


@dataclass
class TrainingState:
    """What the decisions of a training depend on.

    Attributes
    ----------
    epoch
        Epochs that are complete.
    best_score, best_epoch
        Lowest value of ``train.monitor`` and when it was reached.
    stagnant
        Epochs since then, or since dropout was last cut: what early stopping counts.
    dropout_cuts
        How often dropout was cut. It is an integer, so that 0.3 - 6 * 0.05 is 0.
    initial_lr
        Learning rate of each parameter group at the start.
    initial_dropout
        Probability of each dropout layer at the start.
    averaged_steps
        Steps that the averaged weights hold.
    best_weights
        Weights at `best_epoch`, on the CPU.
    averaged_weights
        Moving average of the weights, where one is taken.
    """

    epoch: int = 0
    best_score: float = math.inf
    best_epoch: int = 0
    stagnant: int = 0
    dropout_cuts: int = 0
    initial_lr: list[float] = field(default_factory=list)
    initial_dropout: list[float] = field(default_factory=list)
    averaged_steps: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict, repr=False)
    averaged_weights: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def record(self, score: float, model: nn.Module) -> bool:
        """Record the score of a finished epoch; return whether it is the best, and keep its weights if so."""
        if not score < self.best_score:
            self.stagnant += 1
            return False
        self.best_score, self.best_epoch, self.stagnant = score, self.epoch, 0
        self.best_weights = {
            name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()
        }
        return True

    def numbers(self) -> dict[str, Any]:
        """Return everything but the weights, as JSON can hold it."""
        names = [one.name for one in dataclasses.fields(self) if not one.name.endswith("_weights")]
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Resumable:
    """What `read_state` finds: the numbers, the tensors and where the run came from."""

    info: dict[str, Any]
    tensors: dict[str, Tensor]
    path: Path

    @property
    def origin(self) -> dict[str, Any]:
        """Model name and the results that the run was made from, as `write_state` was told."""
        return self.info["origin"]

    def check_records(self, records: Sequence[Mapping[str, float]]) -> None:
        """Raise `ResultsError` unless these are the figures of the epochs that the state knows."""
        # an older chemnet noted no digest
        if self.info.get("records", digest_of_records(records)) != digest_of_records(records):
            raise ResultsError(
                f"the figures of {self.path}'s {self.info['state']['epoch']} epochs (metrics.jsonl) "
                "changed after they were written (other digest)",
                hint="bring the file back, or start the training again",
            )

    def group(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors under a prefix, without it."""
        return {
            name[len(prefix) + 1 :]: t for name, t in self.tensors.items() if name.startswith(f"{prefix}.")
        }


def write_state(
    folder: Path,
    state: TrainingState,
    model: nn.Module,
    optimizer: Optimizer,
    scheduler: Any | None,
    origin: Mapping[str, Any],
    records: Sequence[Mapping[str, float]] = (),
) -> None:
    """Write the state of a training after a whole epoch; a process killed meanwhile leaves the one before.

    Of the epochs' `records`, which stand in a file of their own, it keeps the digest.
    """
    moments, settings = _split_optimizer(optimizer.state_dict())
    random_tensors, random_numbers = _random_states()
    info = {
        "state": state.numbers(),
        "optimizer": {"class": type(optimizer).__qualname__, **settings},
        "scheduler": _plain_scheduler(scheduler),
        "random": random_numbers,
        "origin": dict(origin),
        "records": digest_of_records(records),
    }
    tensors = {
        **_prefixed("model", model.state_dict()),
        **_prefixed("best", state.best_weights),
        **_prefixed("averaged", state.averaged_weights),
        **_prefixed("optimizer", moments),
        **_prefixed("random", random_tensors),
    }
    text = json.dumps(info, default=_plain)
    write_tensors(folder / RESUME_FILE, tensors, metadata={"chemnet": text})
    (folder / READABLE_FILE).write_text(json.dumps(info, default=_plain, indent=1), encoding="utf-8")


def read_state(folder: Path) -> Resumable:
    """Return the state that `write_state` left in a folder.

    Raises
    ------
    ResultsError
        When there is none, or it is damaged.
    """
    path = folder / RESUME_FILE
    if not path.is_file():
        raise ResultsError(
            f"{folder} holds no state to resume from ({RESUME_FILE})",
            hint="the run ended before its first epoch was complete; start it again without train.resume",
        )
    try:
        tensors, told = read_described_tensors(path)
        return Resumable(json.loads(told["chemnet"]), tensors, folder)
    except (ModelError, KeyError, TypeError, ValueError) as error:
        why = error.message if isinstance(error, ModelError) else error
        raise ResultsError(f"{path} is damaged: {why}", hint="start the training again") from error


def digest_of_records(records: Sequence[Mapping[str, float]]) -> str:
    """Return the digest of the figures of some epochs."""
    return content_digest([json.dumps(list(records)).encode()])


def restore(found: Resumable, model: nn.Module, optimizer: Optimizer, scheduler: Any | None) -> TrainingState:
    """Put a state back into model, optimizer, scheduler and random generators, and return its numbers.

    Raises
    ------
    ModelError
        When the weights have other names or shapes than the model, or the optimizer is another one.
    """
    wanted = model.state_dict()
    model.load_state_dict(fitted(found.group("model"), wanted, str(found.path / RESUME_FILE)))
    _restore_optimizer(found, optimizer)
    if scheduler is not None and found.info["scheduler"] is not None:
        scheduler.load_state_dict(found.info["scheduler"])
    _restore_random(found.group("random"), found.info["random"])
    return TrainingState(
        **found.info["state"],
        best_weights=renamed(found.group("best"), wanted),
        averaged_weights=renamed(found.group("averaged"), wanted),
    )


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _split_optimizer(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Part an optimizer's state into tensors, named ``<parameter>.<name>``, and plain values."""
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    for parameter, entries in state["state"].items():
        for name, value in entries.items():
            place = tensors if isinstance(value, Tensor) else values
            place[f"{parameter}.{name}"] = value
    groups = [{name: _number(value) for name, value in group.items()} for group in state["param_groups"]]
    return tensors, {"groups": groups, "values": values}


def _join_optimizer(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return an optimizer's state from what `_split_optimizer` made of it."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **settings["values"]}.items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = value
    return {"state": state, "param_groups": settings["groups"]}


def _restore_optimizer(found: Resumable, optimizer: Optimizer) -> None:
    """Put the optimizer's moments and settings back.

    Raises
    ------
    ModelError
        When they are of another class, or of another number of parameters or groups.
    """
    hint = "resume with the optimizer of that run, or start anew from train.model_weights_file"
    used, wanted = found.info["optimizer"].get("class"), type(optimizer).__qualname__
    if used not in (None, wanted):
        raise ModelError(f"{found.path} was trained with {used}, not with {wanted}", hint=hint)
    try:
        optimizer.load_state_dict(_join_optimizer(found.group("optimizer"), found.info["optimizer"]))
    except (ValueError, KeyError) as error:
        raise ModelError(
            f"the optimizer state in {found.path} does not fit {wanted}: {error}", hint=hint
        ) from error


def _plain_scheduler(scheduler: Any | None) -> dict[str, Any] | None:
    """Return a scheduler's state without what JSON cannot hold (functions, which it is built with anyway)."""
    if scheduler is None:
        return None
    return {name: _number(value) for name, value in scheduler.state_dict().items() if not callable(value)}


def _random_states() -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors = {"torch": torch.get_rng_state()}
    for index in range(torch.cuda.device_count()):
        tensors[f"cuda.{index}"] = torch.cuda.get_rng_state(index)
    name, keys, *rest = np.random.get_state()  # noqa: NPY002  (plugins may still draw from it)
    tensors["numpy"] = torch.from_numpy(np.asarray(keys, dtype=np.int64))
    return tensors, {"python": random.getstate(), "numpy": [name, *rest]}


def _restore_random(tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Put the states of `_random_states` back."""
    torch.set_rng_state(tensors["torch"])
    for index in range(torch.cuda.device_count()):
        if f"cuda.{index}" in tensors:
            torch.cuda.set_rng_state(tensors[f"cuda.{index}"], index)
    name, *rest = numbers["numpy"]
    np.random.set_state((name, tensors["numpy"].numpy().astype(np.uint32), *rest))  # noqa: NPY002
    version, internal, following = numbers["python"]
    random.setstate((version, tuple(internal), following))


def _number(value: Any) -> Any:
    """Return a scalar tensor as a number, and everything else as it is."""
    return value.item() if isinstance(value, Tensor) and value.ndim == 0 else value


def _plain(value: Any) -> Any:
    """Return what JSON does not know as something that it does."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a training state cannot hold a {type(value).__name__}: {value!r}")
