"""Standard errors over tracers agree with what many draws of tracers would show."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.evaluation.jackknife import GROUPS, PlacedErrors, TracerGroups


def groups_of(errors: np.ndarray) -> TracerGroups:
    """Of tracers with one value each, all at the same place."""
    groups = TracerGroups(4)
    groups.add(errors, np.full(len(errors), 2), np.arange(len(errors)))
    return groups


def mean(errors: PlacedErrors) -> dict[str, np.ndarray]:
    return {"mean": errors.total.sum() / errors.count.sum()}


def test_the_error_of_a_mean_is_its_deviation_over_the_root_of_the_tracers() -> None:
    errors = np.random.default_rng(1).uniform(0.0, 1.0, 1600)
    found = groups_of(errors).standard_errors(mean)["mean"]
    # one draw of 16 groups knows its own deviation to about a fifth
    assert found == pytest.approx(errors.std() / 40.0, rel=0.5)


def test_tracers_that_agree_have_no_error_and_those_that_differ_have_one() -> None:
    states = np.tile([0.1, 0.3], 50)
    alike, unlike = TracerGroups(1), TracerGroups(1)
    nothing, tracer = np.zeros(100, dtype=int), np.repeat(np.arange(10), 10)
    alike.add(states, nothing, tracer)
    unlike.add(np.sort(states), nothing, tracer)
    assert alike.standard_errors(mean)["mean"] == pytest.approx(0.0, abs=1e-12)
    # ten tracers of which five are 0.2 above the others
    assert unlike.standard_errors(mean)["mean"] == pytest.approx(0.1 / 3.0, rel=1e-6)


def test_the_99th_percentile_of_all_is_that_of_the_values() -> None:
    errors = np.linspace(0.0, 2.0, 4001)
    found = groups_of(errors)._without(GROUPS - 1).lae99()[1][-1]
    assert found == pytest.approx(1.98, abs=0.02)


def test_sums_of_batches_add_up() -> None:
    errors = np.random.default_rng(2).uniform(0.0, 1.0, 60)
    whole, parts = groups_of(errors), TracerGroups(4)
    for first in (0, 30):
        part = TracerGroups(4)
        part.add(errors[first : first + 30], np.full(30, 2), np.arange(first, first + 30))
        parts.take(part)
    assert parts.standard_errors(mean)["mean"] == pytest.approx(whole.standard_errors(mean)["mean"])


@pytest.mark.parametrize("tracers", [1, 2])
def test_too_few_tracers_tell_no_error(tracers: int) -> None:
    assert groups_of(np.ones(tracers)).standard_errors(mean) == {}
