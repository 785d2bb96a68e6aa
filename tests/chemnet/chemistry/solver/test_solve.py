"""`Network.solve` refuses bad input by tracer and step, conserves, restarts exactly and admits failure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_oracles import ATOMIC_START, dex, isomer_network, tracer

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.solver import SolverCode
from chemnet.chemistry.solver.solve import METHODS
from chemnet.errors import DataError

COLLAPSE = Network.read("collapse")
BULK = Network.read("collapse_bulk")
HEATED = tracer(
    [0.0, 1e3, 4e3, 1e4, 2e4], gasTemp=[14.0, 14.0, 90.0, 15.0, 15.0], Density=[1e4, 1e5, 1e6, 1e6, 1e6]
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gasTemp": [10.0, np.nan]}, "tracer 'a7', step 1: gasTemp is nan"),
        ({"Density": [1e4, -1.0]}, "step 1: Density is -1.0"),
        ({"Density": [0.0, 1.0]}, "step 0: Density is 0.0"),
        ({"Av": [1.0, np.inf]}, "step 1: Av is inf"),
        ({"time": [0.0, 0.0]}, "step 1: time is 0.0 yr after 0.0 yr"),
        ({"time": []}, "no steps"),
        ({"Radfield": [1.0, 1.0, 1.0]}, "column 'Radfield' has shape"),
        ({"zeta": [1.0, -1.0]}, "step 1: zeta is -1.0"),
    ],
)
def test_a_bad_tracer_is_refused_with_its_step(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        COLLAPSE.solve({**tracer([0.0, 1.0]), "id": "a7", **change}, ATOMIC_START)


def test_a_missing_column_is_named() -> None:
    way = tracer([0.0, 1.0])
    del way["Av"]
    with pytest.raises(DataError, match="column 'Av' is missing"):
        COLLAPSE.solve(way, ATOMIC_START)


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        ({"H2": 0.5, "XYZ": 1.0}, "no species 'XYZ'"),
        ({"H2": -0.5}, "initial abundance of H2 is -0.5"),
        ({"H2": float("nan")}, "initial abundance of H2 is nan"),
        (np.ones(3), "initial abundances have shape"),
    ],
)
def test_bad_initial_abundances_are_refused(initial: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        COLLAPSE.solve(tracer([0.0, 1.0]), initial)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "euler"}, "unknown method 'euler'"),
        ({"interpolation": "cubic"}, "unknown interpolation"),
        ({"rtol": 0.0}, "tolerances"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        COLLAPSE.solve(tracer([0.0, 1.0]), ATOMIC_START, **options)


def test_a_rate_expression_that_turns_negative_is_refused_with_its_step() -> None:
    network = isomer_network((("HCN",), ("HNC",), -1.0))
    with pytest.raises(DataError, match=r"step 0: the rate expression gives -1\.0"):
        network.solve(tracer([0.0, 1.0]), {"HCN": 1.0})


def test_one_row_is_its_own_solution() -> None:
    solution = COLLAPSE.solve(tracer([0.0]), ATOMIC_START)
    assert solution.succeeded
    assert solution.abundances[0, COLLAPSE.index("H")] == 0.5


@pytest.mark.parametrize("network", [COLLAPSE, BULK], ids=lambda network: network.name)
def test_elements_and_charge_are_conserved_through_heating(network: Network) -> None:
    solution = network.solve(HEATED, ATOMIC_START)
    totals = solution.abundances @ network.stoichiometry
    assert solution.code is SolverCode.SUCCESS
    np.testing.assert_allclose(totals, np.broadcast_to(totals[0], totals.shape), rtol=1e-12)
    assert np.abs(solution.abundances @ network.charges).max() < 1e-16
    assert (solution.abundances[1:] > 0.0).all()


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_random_starts_in_random_gas_are_conserved(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = COLLAPSE.solve(tracer([0.0, 10 ** rng.uniform(0, 5)]), ATOMIC_START).abundances[-1]
    gas = {"Density": 10 ** rng.uniform(3, 8), "gasTemp": rng.uniform(10, 300), "Av": rng.uniform(0, 10)}
    solution = COLLAPSE.solve(tracer([0.0, 1e3], **gas), start)
    totals = solution.abundances @ COLLAPSE.stoichiometry
    assert solution.succeeded
    np.testing.assert_allclose(totals[1], totals[0], rtol=1e-12)


@pytest.mark.parametrize("interpolation", ["constant", "linear"])
def test_a_restart_gives_bit_for_bit_what_no_restart_gives(interpolation: str) -> None:
    warmed = {**HEATED, "gasTemp": np.minimum(HEATED["gasTemp"], 20.0)}
    whole = BULK.solve(warmed, ATOMIC_START, interpolation=interpolation)
    # after a retry the tolerance that helped is tried first, which a restart cannot know
    assert whole.statistics.retries == 0
    later = {name: values[2:] for name, values in warmed.items()}
    again = BULK.solve(later, whole.abundances[2], interpolation=interpolation)
    assert np.array_equal(again.abundances, whole.abundances[2:])


def test_permuted_species_and_reactions_change_nothing_beyond_rounding() -> None:
    rng = np.random.default_rng(3)
    order = rng.permutation(len(COLLAPSE.species))
    rows = rng.permutation(len(COLLAPSE.reactions))
    shuffled = Network.from_parts([COLLAPSE.species[i] for i in order], [COLLAPSE.reactions[r] for r in rows])
    way = tracer([0.0, 1e3, 1e4])
    ours = COLLAPSE.solve(way, ATOMIC_START, rtol=1e-8).abundances
    theirs = shuffled.solve(way, ATOMIC_START, rtol=1e-8).abundances
    assert dex(ours[:, order], theirs).max() < 1e-6


def test_linear_conditions_lie_between_the_constant_ones() -> None:
    way = tracer([0.0, 1e3], gasTemp=[20.0, 60.0])
    start = COLLAPSE.solve(tracer([0.0, 1e5], gasTemp=20.0), ATOMIC_START).abundances[-1]
    cold, linear = (COLLAPSE.solve(way, start, interpolation=kind) for kind in ("constant", "linear"))
    ice = COLLAPSE.index("#CO")
    assert linear.abundances[-1, ice] < cold.abundances[-1, ice]
    steady = tracer([0.0, 1e3])
    same = [COLLAPSE.solve(steady, start, interpolation=kind).abundances for kind in ("constant", "linear")]
    assert dex(*same).max() < 1e-3


def test_a_solver_that_gives_up_says_so_and_leaves_nan() -> None:
    solution = COLLAPSE.solve(HEATED, ATOMIC_START, max_internal_steps=20)
    assert solution.code is SolverCode.TOO_MANY_STEPS
    assert solution.failed_step == 0
    assert "step 0: the cap on internal steps" in solution.message
    assert np.isnan(solution.abundances[1:]).all()
    assert solution.statistics.retries == 4


def test_a_tolerance_that_helped_is_tried_first_on_the_rows_that_follow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    way = tracer([0.0, 1e3, 2e3, 3e3], gasTemp=[10.0, 60.0, 10.0, 60.0])
    tolerances = []

    def chatters_unless_loose(*arguments: object) -> int:
        tolerances.append(arguments[4])
        return (SolverCode.TOO_MANY_STEPS if arguments[4] < 1e-3 else SolverCode.SUCCESS).value

    chatters_unless_loose.signatures = ["nothing is left to compile"]  # type: ignore[attr-defined]
    monkeypatch.setitem(METHODS, "bdf", chatters_unless_loose)
    solution = COLLAPSE.solve(way, ATOMIC_START, rtol=1e-4)
    assert solution.code is SolverCode.SUCCESS
    assert tolerances == pytest.approx([1e-4, 1e-3, 1e-3, 1e-3])
    assert solution.statistics.retries == 1


def test_dust_may_be_colder_than_gas_and_cosmic_rays_stronger() -> None:
    way = tracer([0.0, 1e4], gasTemp=60.0)
    start = COLLAPSE.solve(tracer([0.0, 1e5]), ATOMIC_START).abundances[-1]
    warm = COLLAPSE.solve(way, start).abundances[-1]
    cold_dust = COLLAPSE.solve({**way, "dustTemp": 10.0}, start).abundances[-1]
    irradiated = COLLAPSE.solve({**way, "zeta": 100.0}, start).abundances[-1]
    assert cold_dust[COLLAPSE.index("#CO")] > 1e3 * warm[COLLAPSE.index("#CO")]
    assert irradiated[COLLAPSE.index("E-")] > 2.0 * warm[COLLAPSE.index("E-")]


def test_statistics_count_what_was_done() -> None:
    counts = dict(COLLAPSE.solve(HEATED, ATOMIC_START).statistics.items())
    assert counts["steps"] > 40
    assert counts["evaluations"] >= counts["steps"]
    assert counts["factorisations"] >= counts["jacobians"] > 0
