"""What is worth trying next follows from the figures of a benchmark."""

from __future__ import annotations

from typing import Any

import pytest

from chemnet.evaluation.advice import next_steps


def figures(member: str = "DirectRelaxation", tracers: int = 40, **errors: float) -> dict[str, Any]:
    """A benchmark's metrics with the errors [dex] of some methods."""
    named = {"rollout": 0.5, "nearest_neighbour": 1.5, "persistence": 6.0, **errors}
    scores = {name: {"mlae": value} for name, value in named.items()}
    surrogate = {"name": "mine", "networks": {"emulator": member}, "member": member}
    return {"scores": scores, "surrogate": surrogate, "data": {"tracers": tracers}}


def told(*arguments: Any) -> str:
    return " | ".join(next_steps(*arguments))


@pytest.mark.parametrize("rival", ["nearest_neighbour", "persistence"])
def test_what_no_rival_needs_to_learn_comes_first(rival: str) -> None:
    metrics = figures(rollout=2.0, **{"nearest_neighbour": 3.0, "persistence": 3.0, rival: 1.9})
    assert "no better than" in next_steps(metrics)[0]
    assert "no better than" not in told(figures())


def test_a_step_that_is_worse_than_none_is_told() -> None:
    assert "worse than predicting no change" in told(figures(one_step=0.4, one_step_persistence=0.07))
    assert "worse than predicting no change" not in told(figures(one_step=0.05, one_step_persistence=0.07))


def test_a_surrogate_of_the_same_species_is_offered_unless_it_was_the_start() -> None:
    assert "train.start_from=uclchem" in told(figures(), None, ["uclchem"])
    assert "start_from" not in told(figures(), {"started_from": "uclchem"}, ["uclchem"])
    assert "start_from" not in told(figures(), None, [])


def test_a_network_is_offered_to_what_has_none() -> None:
    assert "data_set.network" in told(figures())
    assert "data_set.network" not in told(figures("ImplicitEmulator"))
    assert "data_set.network" not in told(figures(rollout=0.02))


def test_compression_that_costs_most_is_told() -> None:
    assert "Compression alone costs 0.40" in told(figures("LatentEmulator", reconstruction=0.4))
    assert "Compression" not in told(figures("LatentEmulator", reconstruction=0.1))


def test_unseen_tracers_beside_trained_ones_tell_data_from_training() -> None:
    implicit = figures("ImplicitEmulator")
    assert "more tracers" in told(implicit, {"train_loss": 0.2, "validate_loss": 0.9})
    assert "the data are not the limit" in told(implicit, {"train_loss": 0.2, "validate_loss": 0.21})
    assert told(implicit, {"epochs": 3}) == ""


def test_a_solver_that_does_much_is_told_with_its_key() -> None:
    metrics = figures("ImplicitEmulator", rollout=0.05)
    metrics["scores"]["rollout"]["solver_share"] = 0.2
    assert "20 % of the steps" in told(metrics)
    assert "model.ImplicitEmulator.solver_error" in told(metrics)
    metrics["scores"]["rollout"]["solver_share"] = 0.01
    assert told(metrics) == ""


def test_few_tracers_are_called_uncertain() -> None:
    assert "preprocess.test_size" in told(figures("ImplicitEmulator", tracers=5))


def test_there_are_never_more_than_three_lines() -> None:
    metrics = figures(tracers=2, rollout=2.0, reconstruction=1.9, one_step=1.0, one_step_persistence=0.1)
    assert len(next_steps(metrics, {"train_loss": 1.0, "validate_loss": 9.0}, ["uclchem"])) == 3
