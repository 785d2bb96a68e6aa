"""A rollout ten times as long as the tracers stays finite, bounded and conserving."""

from __future__ import annotations

import pytest

from chemnet.data.histories import HistorySource
from chemnet.evaluation.long_rollout import LONG_FACTOR, long_rollout


@pytest.fixture(scope="module")
def found(surrogate, tiny_data):
    source = HistorySource(tiny_data, "test", surrogate.data)
    return long_rollout(surrogate, source, 1e-20)


def test_it_is_ten_times_as_long_as_the_tracers(found):
    assert found["steps"] == LONG_FACTOR * 29
    assert found["step"][-1] == found["steps"]
    assert len(found["step"]) == len(found["drift"]) == len(found["change"])
    assert found["step_years"] > 0.0
    assert all(worst >= mean for worst, mean in zip(found["worst_change"], found["change"], strict=True))


def test_it_stays_finite_bounded_and_conserving(found):
    assert found["not_finite"] == 0
    assert 0.0 <= found["least"] < found["most"] <= 1.0
    assert found["element_drift"] == pytest.approx(max(found["drift"]))
    assert found["element_drift"] <= 1e-6
