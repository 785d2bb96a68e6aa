"""What tests of `chemnet train` share: a short training, its weights, a step that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from chemnet.models.autoencoders.autoencoder import Autoencoder
from chemnet.models.weights import read_tensors
from chemnet.verbs.train import Train, TrainResult

EMULATOR = {"model.name": "LatentEmulator", "train.component": "emulator"}


def train(config: Any, **arguments: Any) -> TrainResult:
    return Train(config).run(**arguments)


def without_times(result: TrainResult) -> list[dict[str, float]]:
    times = ("wall_s", "cpu_s")
    return [{key: value for key, value in record.items() if key not in times} for record in result.metrics]


def weights_of(result: TrainResult, name: str = "weights.safetensors") -> dict[str, torch.Tensor]:
    return read_tensors(result.path / name)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def failing_at(monkeypatch: pytest.MonkeyPatch, step: int, fail: Callable[[], Any]) -> None:
    """Let the autoencoder's training step number `step` (from 1) call `fail`."""
    steps, original = [0], Autoencoder.train_batch

    def train_batch(self: Autoencoder, batch: Any) -> Any:
        steps[0] += 1
        loss, terms = original(self, batch)
        return (fail() * loss, terms) if steps[0] == step else (loss, terms)

    monkeypatch.setattr(Autoencoder, "train_batch", train_batch)


def interrupt() -> Any:
    raise KeyboardInterrupt
