"""Batches that do not fit into memory, and gradients that are not finite."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from trainings import same, train, weights_of, without_times

from chemnet.errors import RunFailedError
from chemnet.models.autoencoders.autoencoder import Autoencoder
from chemnet.results import list_results
from chemnet.training.loop.gradients import GRADIENT_NORM

pytestmark = pytest.mark.usefixtures("undrawn")


def without_memory_for(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Let the autoencoder's steps have memory for fewer rows alone."""
    original = Autoencoder.train_batch

    def train_batch(self: Autoencoder, batch: Any) -> Any:
        if len(batch["abundance"]) >= rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, batch)

    monkeypatch.setattr(Autoencoder, "train_batch", train_batch)


def test_a_batch_that_does_not_fit_into_memory_is_trained_on_in_parts(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = tiny({"train.epochs": 2, "model.Autoencoder.norm": "layer"})
    whole = train(config)
    without_memory_for(monkeypatch, 20)
    parts = train(config)
    for one, other in zip(without_times(whole), without_times(parts), strict=True):
        assert other == pytest.approx(one, rel=1e-3)
    assert "batches are processed in 4 parts from now on" in caplog.text


def test_a_single_row_that_does_not_fit_into_memory_ends_the_training(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_memory_for(monkeypatch, 1)
    with pytest.raises(RunFailedError, match="out of memory with a single row"):
        train(tiny())


def spoil_gradient(monkeypatch: pytest.MonkeyPatch, steps: range) -> None:
    """Let a parameter's gradient be NaN in some steps (from 1), with losses that are what they are."""
    original, count = Autoencoder.train_batch, [0]

    def train_batch(self: Autoencoder, batch: Any) -> Any:
        count[0] += 1
        loss, terms = original(self, batch)
        if count[0] in steps:
            parameter = next(self.parameters())
            # 0 in value; the derivative of the square root at 0 is infinite, times 0: NaN
            loss = loss + (parameter.flatten()[0] * 0.0).sqrt()
        return loss, terms

    monkeypatch.setattr(Autoencoder, "train_batch", train_batch)


def test_a_gradient_that_is_not_finite_is_told_in_its_own_batch(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_gradient(monkeypatch, range(3, 4))
    with pytest.raises(RunFailedError, match=f"training epoch 1, batch 3: {GRADIENT_NORM} is nan"):
        train(tiny())
    assert not list_results(tiny()["general"]["results_dir"], "train")


def test_a_step_whose_gradient_is_not_finite_is_left_out_where_that_is_asked_for(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spoil_gradient(monkeypatch, range(3, 5))
    trained = train(tiny({"train.not_finite": "skip"}))
    assert caplog.text.count("epoch 1: a step is skipped, because its gradient is nan") == 2
    assert all(bool(tensor.isfinite().all()) for tensor in weights_of(trained).values())


def test_steps_are_not_left_out_for_ever(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil_gradient(monkeypatch, range(4, 99))
    with pytest.raises(
        RunFailedError, match=r"training epoch (2: no gradient|\d: the gradients of 10 steps)"
    ):
        train(tiny({"train.not_finite": "skip"}))


def test_looking_at_gradients_changes_no_bit(tiny: Any) -> None:
    stop, skip = (train(tiny({"train.not_finite": policy})) for policy in ("stop", "skip"))
    assert same(weights_of(stop), weights_of(skip))
    assert all(record[f"train_{GRADIENT_NORM}"] > 0 for record in stop.metrics)
