from __future__ import annotations

import pytest
import torch

from chemnet.models.emulators.time_step import FixedStep, VariableStep, time_step


def test_the_usual_step_is_the_median_of_steps_that_lead_somewhere() -> None:
    step = VariableStep()
    step.learn(torch.tensor([0.0, 0.0, 10.0, 20.0, 90.0]))
    assert step.usual.item() == 20.0
    step.learn(torch.zeros(3))
    assert step.usual.item() == 20.0


def test_the_gate_is_proportional_to_short_steps_one_at_the_usual_and_two_at_most() -> None:
    step = VariableStep()
    step.learn(torch.tensor([100.0]))
    gate = step.gate(torch.tensor([0.0, 1e-3, 100.0, 1e9]))[:, 0]
    assert gate.tolist() == pytest.approx([0.0, 2e-5, 1.0, 2.0], rel=1e-4)


def test_features_are_finite_at_no_time() -> None:
    features = VariableStep().features(torch.tensor([[0.0, 1.0, 10.0]]))
    assert features.shape == (1, 3, 1)
    assert features.flatten().tolist() == pytest.approx([-6.0, 0.0, 1.0])


def test_without_time_steps_every_step_is_the_usual_one() -> None:
    step, dt = FixedStep(), torch.tensor([0.0, 5.0, 1e9])
    step.learn(dt)
    assert step.features(dt).shape == (3, 0)
    assert step.gate(dt)[:, 0].tolist() == step.relative(dt).tolist() == [1.0, 1.0, 1.0]


def test_the_key_decides() -> None:
    assert isinstance(time_step(True), VariableStep)
    assert isinstance(time_step(False), FixedStep)
