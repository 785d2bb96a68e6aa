"""Risk against coverage: what leaving out the least trusted states is worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.evaluation.risk_coverage import RiskCoverage


def measured(expected, dex, n_tracers=20):
    risk = RiskCoverage()
    tracer = np.arange(len(expected)) % n_tracers
    half = len(expected) // 2
    risk.add(expected[:half], dex[:half], tracer[:half])
    risk.add(expected[half:], dex[half:], tracer[half:])
    return risk.to_dict()


def made(seed=0, n=2000, noise=0.0):
    rng = np.random.default_rng(seed)
    true = 10.0 ** rng.uniform(-2, 0.5, n)
    return true * 10.0 ** rng.normal(0, noise, n), np.repeat(true[:, None], 3, axis=1)


def test_a_perfect_order_is_the_oracle():
    found = measured(*made())
    np.testing.assert_allclose(found["mlae"], found["oracle_mlae"], rtol=1e-6)
    np.testing.assert_allclose(found["lae99"], found["oracle_lae99"], rtol=1e-6)


def test_errors_of_the_kept_are_those_of_the_sorted_states():
    expected, dex = made(noise=0.3)
    found = measured(expected, dex)
    kept = dex[np.argsort(expected)[: int(0.8 * len(expected))]]
    assert found["at_coverage"]["0.8"]["mlae"] == pytest.approx(kept.mean(), rel=0.02)
    assert found["at_coverage"]["0.8"]["lae99"] == pytest.approx(np.quantile(kept, 0.99), rel=0.05)
    assert found["at_coverage"]["1"]["mlae"] == pytest.approx(dex.mean())


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_no_order_beats_the_oracle(seed, noise):
    found = measured(*made(seed, 500, noise))
    assert (np.array(found["mlae"]) >= np.array(found["oracle_mlae"]) * 0.97).all()
    assert found["mlae"][-1] == pytest.approx(found["oracle_mlae"][-1])


def test_an_honest_expectation_lies_on_the_diagonal():
    groups = measured(*made())["reliability"]
    assert sum(group["states"] for group in groups) == 2000
    for group in groups:
        assert group["found"] == pytest.approx(group["expected"], rel=0.02)


def test_states_outside_the_trained_ranges_are_left_out_first():
    expected, dex = made()
    worst = dex.mean(axis=1).argsort()[-200:]
    expected[worst] = np.inf
    found = measured(expected, dex)
    assert found["at_coverage"]["0.9"]["mlae"] == pytest.approx(np.delete(dex, worst, 0).mean(), rel=0.02)


def test_states_outside_are_a_group_of_their_own_and_have_no_expected_error():
    expected, dex = made()
    expected[:300] = np.inf
    found = measured(expected, dex)
    assert found["outside"] == {"states": 300, "found": pytest.approx(dex[:300].mean())}
    assert sum(group["states"] for group in found["reliability"]) == 1700
    assert all(group["expected"] < 10.0 for group in found["reliability"])
    assert measured(*made())["outside"] == {"states": 0, "found": 0.0}


def test_all_states_outside_leave_no_groups():
    _, dex = made(n=50)
    found = measured(np.full(50, np.inf), dex)
    assert (found["reliability"], found["outside"]["states"]) == ([], 50)
    assert found["at_coverage"]["1"]["mlae"] == pytest.approx(dex.mean())


def test_standard_errors_are_those_over_tracers():
    expected, dex = made()
    found = measured(expected, dex)
    assert found["mlae_error"][-1] == pytest.approx(dex.mean(axis=1).std() / len(dex) ** 0.5, rel=0.6)
    assert 0.0 < found["at_coverage"]["0.8"]["beside_all_error"] < 0.2
    assert found["at_coverage"]["1"]["beside_all_error"] == 0.0
    assert all(group["found_error"] > 0.0 for group in found["reliability"])


def test_two_tracers_tell_no_standard_error():
    found = measured(*made(), n_tracers=2)
    assert found["mlae_error"] is found["lae99_error"] is None
    assert found["at_coverage"]["0.8"]["beside_all_error"] is None
    assert {group["found_error"] for group in found["reliability"]} == {None}
