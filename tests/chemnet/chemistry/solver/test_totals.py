"""Totals: drift is measured, small drift taken out, large drift reported."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.solver.outcome_codes import SolverCode
from chemnet.chemistry.solver.problem import compile_network
from chemnet.chemistry.solver.totals import restore_totals, settle, worst_drift

NETWORK = Network.read("collapse")
COMPILED = compile_network(NETWORK, False)


def state(seed: int) -> np.ndarray:
    """Return abundances over ten decades."""
    return 10.0 ** np.random.default_rng(seed).uniform(-14.0, -4.0, len(NETWORK.species))


@given(seed=st.integers(0, 1000), error=st.floats(1e-12, 1e-3))
def test_totals_are_restored_and_abundances_stay_positive(seed: int, error: float) -> None:
    before = state(seed)
    after = before * (1.0 + error * np.random.default_rng(seed + 1).normal(size=before.size))
    restore_totals(COMPILED.invariants, before, after)
    assert worst_drift(COMPILED.invariants, before, after) < 1e-13
    assert (after > 0.0).all()


def test_an_absent_element_is_no_obstacle() -> None:
    before = state(1)
    before[NETWORK.stoichiometry[:, NETWORK.elements.index("S")] > 0] = 0.0
    after = before * 1.0001
    restore_totals(COMPILED.invariants, before, after)
    assert worst_drift(COMPILED.invariants, before, after) < 1e-13


@pytest.mark.parametrize(
    ("species", "value", "code"),
    [
        ("H2", float("nan"), SolverCode.NOT_FINITE),
        ("H2", 0.3, SolverCode.NOT_CONSERVED),
        ("HE", 0.1 * (1.0 + 1e-10), SolverCode.SUCCESS),
        ("CO", -1e-25, SolverCode.SUCCESS),
    ],
)
def test_a_state_is_settled_or_refused(species: str, value: float, code: SolverCode) -> None:
    before = np.zeros(len(NETWORK.species))
    before[NETWORK.index("H2")], before[NETWORK.index("HE")] = 0.5, 0.1
    after = before.copy()
    after[NETWORK.index(species)] = value
    assert settle(COMPILED.invariants, COMPILED.watched, before, after) == code
    if code is SolverCode.SUCCESS:
        assert worst_drift(COMPILED.invariants, before, after) < 1e-13
        assert (after > 0.0).all()


def test_every_code_explains_itself() -> None:
    assert all(code.explanation for code in SolverCode)


def test_a_total_that_others_determine_is_no_obstacle() -> None:
    twice = np.column_stack([COMPILED.invariants, COMPILED.invariants.sum(axis=1)])
    before = state(2)
    after = before * (1.0 + 1e-6 * np.random.default_rng(3).normal(size=before.size))
    restore_totals(twice, before, after)
    assert worst_drift(twice, before, after) < 1e-13
    assert (after > 0.0).all()
