from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from chemnet.errors import ModelError, ResultsError
from chemnet.training.resume import checkpoint as states


def parts(n_out: int = 2) -> tuple[nn.Module, Any, Any]:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, n_out), nn.Dropout(0.5))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    return model, optimizer, torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)


def steps(model: nn.Module, optimizer: Any, scheduler: Any, count: int) -> None:
    for _ in range(count):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).square().mean().backward()
        optimizer.step()
        scheduler.step(1.0)


def test_a_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    model, optimizer, scheduler = parts()
    steps(model, optimizer, scheduler, 3)
    state = states.TrainingState(epoch=3, initial_lr=[0.1], initial_dropout=[0.5], dropout_cuts=2)
    state.record(1.5, model)
    states.write_state(tmp_path, state, model, optimizer, scheduler, {"model": "M"})
    steps(model, optimizer, scheduler, 3)
    drawn = torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002

    again, other_optimizer, other_scheduler = parts()
    found = states.read_state(tmp_path)
    restored = states.restore(found, again, other_optimizer, other_scheduler)
    assert restored.numbers() == state.numbers()
    assert torch.equal(restored.best_weights["0.weight"], state.best_weights["0.weight"])
    steps(again, other_optimizer, other_scheduler, 3)
    assert torch.equal(again[0].weight, model[0].weight)
    assert other_optimizer.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] < 0.1
    assert torch.equal(torch.rand(3), drawn[0])
    np.testing.assert_array_equal(np.random.rand(3), drawn[1])  # noqa: NPY002
    assert random.random() == drawn[2]


def test_the_best_weights_are_those_of_the_lowest_score() -> None:
    model, optimizer, scheduler = parts()
    state = states.TrainingState()
    kept = None
    for epoch, score in enumerate((3.0, 2.0, 2.5, 2.0), start=1):
        state.epoch = epoch
        if state.record(score, model):
            kept = model[0].weight.detach().clone()
        steps(model, optimizer, scheduler, 1)
    assert (state.best_epoch, state.best_score, state.stagnant) == (2, 2.0, 2)
    assert torch.equal(state.best_weights["0.weight"], kept)


def test_a_score_that_is_no_number_is_never_the_best() -> None:
    model, *_ = parts()
    state = states.TrainingState()
    assert not state.record(math.nan, model)
    assert state.best_weights == {}


def test_a_state_of_another_shape_is_refused(tmp_path: Path) -> None:
    model, optimizer, scheduler = parts()
    states.write_state(tmp_path, states.TrainingState(), model, optimizer, scheduler, {"model": "M"})
    with pytest.raises(ModelError, match=r"\(2, 3\) in the file and \(5, 3\) in the model"):
        states.restore(states.read_state(tmp_path), *parts(n_out=5))


def test_a_missing_or_damaged_state_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="holds no state to resume from"):
        states.read_state(tmp_path)
    model, optimizer, scheduler = parts()
    states.write_state(tmp_path, states.TrainingState(), model, optimizer, scheduler, {"model": "M"})
    path = tmp_path / states.RESUME_FILE
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ResultsError, match="is damaged"):
        states.read_state(tmp_path)


def test_a_failed_write_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, optimizer, scheduler = parts()
    states.write_state(tmp_path, states.TrainingState(epoch=1), model, optimizer, scheduler, {"model": "M"})

    def killed(self: Path, target: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        states.write_state(
            tmp_path, states.TrainingState(epoch=2), model, optimizer, scheduler, {"model": "M"}
        )
    assert states.read_state(tmp_path).info["state"]["epoch"] == 1


def test_a_state_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    model, optimizer, scheduler = parts()
    steps(model, optimizer, scheduler, 1)
    states.write_state(tmp_path, states.TrainingState(), model, optimizer, scheduler, {})
    found = states.read_state(tmp_path)
    again, _, _ = parts()
    with pytest.raises(ModelError, match="was trained with AdamW, not with SGD"):
        states.restore(found, again, torch.optim.SGD(again.parameters()), None)
    groups = torch.optim.AdamW([{"params": [parameter]} for parameter in again.parameters()])
    with pytest.raises(ModelError, match="does not fit AdamW") as caught:
        states.restore(found, again, groups, None)
    assert "model_weights_file" in str(caught.value.hint)
