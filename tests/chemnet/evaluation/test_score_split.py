"""A surrogate is rolled out once, for its errors and for what it expected of them."""

from __future__ import annotations

import pytest

from chemnet.evaluation.score_split import evaluate
from chemnet.evaluation.score_tracers import Judge, Options
from chemnet.workers import ThisThread, Threads

RULES = {"floor": 1e-20, "visible": 1e-14, "abundant": 1e-8, "neighbour_rows": 50, "seed": 0}


def test_errors_and_trust_come_from_the_same_rollout(surrogate, tiny_data, monkeypatch):
    calls = []
    judged = type(surrogate).emulate_with_trust

    def counted(self, *inputs):
        calls.append(inputs)
        return judged(self, *inputs)

    monkeypatch.setattr(type(surrogate), "emulate_with_trust", counted)
    monkeypatch.delattr(type(surrogate), "emulate")
    options = Options("validate", tracers_per_batch=1, **RULES)
    found = evaluate(Judge(surrogate, tiny_data, options), ThisThread())
    assert len(calls) == len(found.source)
    whole = found.risk.to_dict()["at_coverage"]["1"]
    assert found.scores["rollout"].to_dict()["mlae"] == pytest.approx(whole["mlae"])


@pytest.mark.parametrize("tracers_per_batch", [1, 5])
def test_batches_and_workers_change_no_figure(surrogate, tiny_data, tracers_per_batch):
    def scores_of(size, workers):
        options = Options("train", tracers_per_batch=size, **RULES)
        with workers:
            found = evaluate(Judge(surrogate, tiny_data, options), workers)
        return {name: score.to_dict()["mlae"] for name, score in found.scores.items()}

    whole = scores_of(100, ThisThread())
    assert scores_of(tracers_per_batch, Threads(2)) == pytest.approx(whole, rel=1e-6)
