"""TensorBoard's event files, on request."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from trainings import train

pytestmark = [pytest.mark.usefixtures("undrawn"), pytest.mark.filterwarnings("ignore")]


def test_each_epochs_figures_are_there_once_for_tensorboard_and_it_is_said_how_to_look(
    tiny: Any, caplog: pytest.LogCaptureFixture
) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with caplog.at_level(logging.INFO, logger="chemnet"):
        result = train(tiny({"train.tensorboard": True, "train.epochs": 2}))
    results_dir = result.directory.config["general"]["results_dir"]
    assert f"tensorboard --logdir {results_dir}" in caplog.text
    events = accumulator.EventAccumulator(str(result.path / "tensorboard")).Reload()
    shown = [(event.step, event.value) for event in events.Scalars("validate_loss")]
    assert [step for step, _ in shown] == [1, 2]
    assert [value for _, value in shown] == pytest.approx([one["validate_loss"] for one in result.metrics])
    result.directory.verify()


def test_without_the_key_nothing_is_written(tiny: Any) -> None:
    assert not (train(tiny({"train.epochs": 1})).path / "tensorboard").exists()
