"""However a training is computed, by plain operations or in many threads, it learns the same."""

from __future__ import annotations

import os
from typing import Any

import pytest
from trainings import train

from chemnet.models.fast import kernel_choice
from chemnet.models.fast.training_kernels import blocks

pytestmark = pytest.mark.usefixtures("undrawn")

# BatchNorm, GELU and the loss of rows; and a rollout
COMPONENTS: dict[str, dict[str, Any]] = {
    "Autoencoder": {},
    "DirectRelaxation": {
        "model.name": "DirectRelaxation",
        "model.DirectRelaxation.hidden": [16],
        "train.component": "emulator",
    },
}


def losses(changes: dict[str, Any], tiny: Any) -> list[float]:
    """The losses of a training and its validation, epoch by epoch."""
    return [record[key] for record in train(tiny(changes)).metrics for key in ("train_loss", "validate_loss")]


@pytest.mark.parametrize("name", COMPONENTS)
def test_training_by_plain_operations(tiny: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = losses(COMPONENTS[name], tiny)
    monkeypatch.setenv(kernel_choice.SWITCH, "0")
    plain = losses(COMPONENTS[name], tiny)
    assert plain == pytest.approx(usual, rel=1e-3)
    assert plain != usual


@pytest.mark.parametrize("name", COMPONENTS)
def test_training_with_more_threads_than_cores(tiny: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = losses({**COMPONENTS[name], "general.threads": 1}, tiny)
    # the batches of these tests are too small to be shared out otherwise
    monkeypatch.setattr(blocks, "_VALUES_PER_THREAD", 50)
    threads = 2 * (os.cpu_count() or 1) + 1
    assert losses({**COMPONENTS[name], "general.threads": threads}, tiny) == pytest.approx(alone, rel=1e-3)
