"""The implicit step solves the solver's own equations, for any batch, and says where it cannot."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from solver_oracles import ATOMIC_START, CONDITIONS, RateSystem, isomer_network, tracer

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.rate_options import STANDARD_GRAIN, RateOptions
from chemnet.chemistry.solver.disagreement import rate_disagreement
from chemnet.chemistry.solver.implicit_step import ImplicitStep, Iterated, StepCode
from chemnet.chemistry.solver.step_conditions import StepConditions
from chemnet.chemistry.units import SECONDS_PER_YEAR
from chemnet.errors import DataError, ModelError

NETWORKS = {name: Network.read(name) for name in ("collapse", "collapse_bulk")}
PHYSICAL = np.array(list(CONDITIONS.values()))
STANDARD = StepConditions(PHYSICAL[None], 1e3)
TIGHT: dict[str, Any] = {"update_tolerance": 1e-11, "most_iterations": 40}
GAS = {"HCN": 0.3, "HNC": 0.5, "CNH": 0.2}


def gas_only(network: Network) -> Network:
    """Return the gas of a network."""
    gas = [one for one in network.species if one.phase == "gas"]
    names = {one.name for one in gas}
    inside = [one for one in network.reactions if names.issuperset((*one.reactants, *one.products))]
    return Network.from_parts(gas, inside, "gas")


NETWORKS["gas"] = gas_only(NETWORKS["collapse"])
CASES = list(itertools.product(NETWORKS, (False, True)))


def aged(network: Network, compatible: bool = False, **columns: Any) -> np.ndarray:
    """Return two states 1,000 yr apart of a cloud that is 1e5 yr old."""
    way = tracer([0.0, 1e5, 1.01e5], **columns)
    return network.solve(way, ATOMIC_START, uclchem_compatible=compatible).abundances[1:]


def off(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the difference [dex] above the floor of tables."""
    return np.abs(np.log10(np.maximum(one, 1e-20)) - np.log10(np.maximum(other, 1e-20)))


def step_of(network: Network, start: np.ndarray, **options: Any) -> Iterated:
    """Iterate one cell under the standard conditions for 1,000 yr."""
    return ImplicitStep.of_network(network).iterate(start[None], STANDARD, **options)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_converged_step_has_no_residual_in_the_solvers_equations(name: str) -> None:
    network = NETWORKS[name]
    start = aged(network)[0]
    iterated = step_of(network, start, **TIGHT)
    carbon = float(start[network.index("C")])
    system, x = RateSystem(network, c_abundance=carbon), iterated.abundances[0]
    residual = x - start - 1e3 * SECONDS_PER_YEAR * system.rhs(x)
    turnover = x + 1e3 * SECONDS_PER_YEAR * (np.abs(system.dense_jacobian(x)) @ x)
    assert iterated.code[0] == StepCode.CONVERGED
    assert np.abs(residual / turnover).max() < 1e-11


@pytest.mark.parametrize(("name", "compatible"), CASES)
def test_a_short_step_moves_like_the_solver(name: str, compatible: bool) -> None:
    network, dt = NETWORKS[name], 1e-6
    way = tracer([0.0, 1e5, 1e5 + dt, 1e5 + 1.0], Av=[3.0, 3.0, 1.5, 1.5], gasTemp=[15.0, 20.0, 20.0, 20.0])
    states = network.solve(way, ATOMIC_START, uclchem_compatible=compatible, rtol=1e-7).abundances
    physical = np.column_stack([way[key] for key in CONDITIONS])
    iterated = ImplicitStep.of_network(network, uclchem_compatible=compatible).iterate(
        states[1:2],
        StepConditions(physical[1:2], dt, physical_before=physical[:1], physical_next=physical[2:3]),
        **TIGHT,
    )
    assert iterated.converged.all()
    assert off(iterated.abundances[0], states[2])[states[2] > 1e-12].max() < 2e-3


def test_other_dust_shields_and_travels_as_in_the_solver() -> None:
    grain = replace(STANDARD_GRAIN, dust_to_gas=0.3 * STANDARD_GRAIN.dust_to_gas)
    network = NETWORKS["collapse"].with_rates(RateOptions(grain=grain))
    way = tracer([0.0, 1e5, 1e5 + 1.0], Av=0.5)
    states = network.solve(way, ATOMIC_START, rtol=1e-7).abundances
    cells = StepConditions(np.column_stack([way[key] for key in CONDITIONS])[1:2], 1.0)
    steps = (ImplicitStep.of_network(one) for one in (network, NETWORKS["collapse"]))
    dusty, standard = (step.iterate(states[1:2], cells, **TIGHT).abundances[0] for step in steps)
    carried = ImplicitStep.from_arrays(ImplicitStep.of_network(network).to_arrays())
    seen = states[2] > 1e-12
    assert off(dusty, states[2])[seen].max() < 0.1 * off(standard, states[2])[seen].max()
    assert np.array_equal(carried.iterate(states[1:2], cells, **TIGHT).abundances[0], dusty)


def test_the_quirks_look_at_the_rows_around() -> None:
    network = NETWORKS["collapse"]
    step, state = ImplicitStep.of_network(network, uclchem_compatible=True), aged(network, True)[:1]
    physical = PHYSICAL[None]
    thin = physical * [1.0, 1.0, 0.1, 1.0]
    nothing = np.full_like(physical, np.nan)
    same = step.iterate(state, STANDARD)
    ahead = step.iterate(state, replace(STANDARD, physical_next=thin))
    behind = step.iterate(state, replace(STANDARD, physical_before=nothing))
    last = step.iterate(state, replace(STANDARD, physical_next=nothing))
    assert not np.array_equal(same.abundances, ahead.abundances)
    assert not np.array_equal(same.abundances, behind.abundances)
    assert np.array_equal(same.abundances, last.abundances)


@pytest.mark.parametrize(("name", "compatible"), CASES)
def test_a_few_iterations_come_near_the_state_after_the_row(name: str, compatible: bool) -> None:
    network = NETWORKS[name]
    start, end = aged(network, compatible)
    iterated = ImplicitStep.of_network(network, uclchem_compatible=compatible).iterate(start[None], STANDARD)
    assert iterated.converged.all()
    assert off(iterated.abundances[0], end).mean() < 0.5 * off(start, end).mean() + 0.01


@pytest.mark.parametrize("name", NETWORKS)
def test_elements_are_conserved(name: str) -> None:
    network = NETWORKS[name]
    start = aged(network)[:1]
    after = step_of(network, start[0], **TIGHT).abundances
    np.testing.assert_allclose(after @ network.stoichiometry, start @ network.stoichiometry, rtol=1e-7)


def test_what_a_table_cut_off_does_not_matter() -> None:
    network = NETWORKS["collapse_bulk"]
    start = aged(network, gasTemp=60.0)[0]
    cut = np.maximum(start, 1e-20)
    assert (cut > start).any()
    one, other = (step_of(network, state, most_iterations=20) for state in (start, cut))
    assert one.converged.all()
    assert other.converged.all()
    difference = off(one.abundances, other.abundances)
    assert difference[one.abundances > 1e-14].max() < 0.05
    assert difference.mean() < 0.01


def mixed_batch(network: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return five cells under different conditions."""
    start = np.concatenate([aged(network), aged(network, gasTemp=30.0), aged(network, Density=1e6)[:1]])
    physical = np.tile(PHYSICAL, (5, 1))
    physical[:, 3] = [12.0, 15.0, 40.0, 90.0, 20.0]
    return start, physical, np.array([1.0, 1e2, 1e3, 1e4, 3e3])


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_and_threads_give_what_single_cells_give(name: str) -> None:
    network = NETWORKS[name]
    step = ImplicitStep.of_network(network)
    # more cells than lanes, and some are done before others
    start, physical, dt = (np.concatenate([part] * 4) for part in mixed_batch(network))
    together = step.iterate(start, StepConditions(physical, dt), threads=1)
    shared = step.iterate(start, StepConditions(physical, dt), threads=3)
    each = [(start[i : i + 1], StepConditions(physical[i : i + 1], dt[i])) for i in range(len(dt))]
    single = [step.iterate(*cell) for cell in each]
    for field in ("abundances", "update", "iterations", "code"):
        assert np.array_equal(getattr(together, field), getattr(shared, field))
        alone = np.concatenate([getattr(one, field) for one in single])
        assert np.array_equal(getattr(together, field), alone)


@pytest.mark.parametrize(("name", "compatible"), CASES)
def test_plain_arrays_carry_the_whole_step(name: str, compatible: bool) -> None:
    network = NETWORKS[name]
    step = ImplicitStep.of_network(network, uclchem_compatible=compatible)
    arrays = step.to_arrays()
    assert all(one.dtype.kind in "biuf" for one in arrays.values())
    again = ImplicitStep.from_arrays(arrays)
    start, *cells = mixed_batch(network)
    assert (again.species_names, again.uclchem_compatible) == (network.species_names, compatible)
    expected = step.iterate(start, StepConditions(*cells)).abundances
    assert np.array_equal(again.iterate(start, StepConditions(*cells)).abundances, expected)


def test_a_missing_array_is_named() -> None:
    arrays = ImplicitStep.of_network(NETWORKS["gas"]).to_arrays()
    del arrays["problem.plan.order"]
    with pytest.raises(ModelError, match=r"'problem\.plan\.order' is missing"):
        ImplicitStep.from_arrays(arrays)


def test_expressions_are_evaluated_and_cannot_be_carried() -> None:
    step = ImplicitStep.of_network(isomer_network((("HCN",), ("HNC",), 1e-10)))
    start = np.array([[0.3, 0.5, 0.2]])
    after = step.iterate(start, STANDARD, **TIGHT).abundances
    assert after[0, 0] == pytest.approx(0.3 / (1.0 + 1e-10 * 1e3 * SECONDS_PER_YEAR))
    with pytest.raises(ModelError, match="rate expressions"):
        step.to_arrays()


def test_an_expression_that_is_no_rate_spoils_its_cell_alone() -> None:
    network = isomer_network((("HCN",), ("HNC",), 1e-10))
    fading = replace(network.reactions[0], expression=lambda t_gas, *_, **__: 1e-12 * (50.0 - t_gas))
    step = ImplicitStep.of_network(Network.from_parts(network.species, [fading], "fading"))
    physical = np.tile(PHYSICAL, (2, 1))
    physical[1, 3] = 60.0
    iterated = step.iterate(np.tile([0.3, 0.5, 0.2], (2, 1)), StepConditions(physical, 1e3))
    assert iterated.code.tolist() == [StepCode.CONVERGED, StepCode.BAD_INPUT]


def spoilt(field: str, value: float) -> dict[str, np.ndarray]:
    """Return three cells of which the second is spoilt."""
    network = NETWORKS["collapse"]
    cells = {
        "abundances": np.repeat(aged(network)[:1], 3, axis=0),
        "physical": np.tile(PHYSICAL, (3, 1)),
        "dt": np.full(3, 1e3),
    }
    name, _, column = field.partition(".")
    cells[name][(1, int(column)) if column else 1] = value
    return cells


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *itertools.product(["abundances.4", "dt"], [np.nan, np.inf, -1.0, 0.0]),
        *itertools.product(["physical.0", "physical.3"], [np.nan, np.inf, -1.0, 0.0]),
        *itertools.product(["physical.1", "physical.2"], [np.nan, np.inf, -1.0]),
        ("physical.3", 1e7),
    ],
)
def test_a_bad_cell_gets_a_code_and_the_others_their_numbers(field: str, value: float) -> None:
    step, cells = ImplicitStep.of_network(NETWORKS["collapse"]), spoilt(field, value)
    iterated = step.iterate(cells.pop("abundances"), StepConditions(**cells))
    assert iterated.code.tolist() == [StepCode.CONVERGED, StepCode.BAD_INPUT, StepCode.CONVERGED]
    assert np.isnan(iterated.abundances[1]).all()
    assert np.isnan(iterated.update[1])
    assert np.isfinite(iterated.abundances[[0, 2]]).all()


def test_an_equation_without_a_finite_solution_is_singular() -> None:
    network = NETWORKS["collapse"]
    iterated = ImplicitStep.of_network(network).iterate(
        aged(network)[:1], StepConditions(PHYSICAL[None], 1e299)
    )
    assert iterated.code[0] == StepCode.SINGULAR
    assert np.isnan(iterated.abundances).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"abundances": np.ones((2, 3))}, "the step has"),
        ({"physical": np.ones((2, 4))}, "for 3 cells"),
    ],
)
def test_wrong_shapes_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    cells = {**spoilt("dt", 1.0), **change}
    with pytest.raises(ModelError, match=message):
        ImplicitStep.of_network(NETWORKS["collapse"]).iterate(
            cells.pop("abundances"), StepConditions(**cells)
        )


def test_iterations_are_as_many_as_asked_for() -> None:
    network = NETWORKS["collapse"]
    start = aged(network, gasTemp=40.0)[0]
    assert step_of(network, start, iterations=3).iterations[0] == 3
    assert step_of(network, start, least_iterations=5, update_tolerance=1.0).iterations[0] == 5
    hasty = step_of(network, start, iterations=1)
    assert hasty.code[0] == StepCode.NOT_CONVERGED
    assert hasty.update[0] > 0.05
    none = step_of(network, start, iterations=0)
    assert np.isinf(none.update[0])
    assert none.iterations[0] == 0


@pytest.mark.parametrize(("name", "compatible"), CASES)
def test_the_gradient_agrees_with_finite_differences(name: str, compatible: bool) -> None:
    network = NETWORKS[name]
    step = ImplicitStep.of_network(network, uclchem_compatible=compatible)
    start = np.maximum(aged(network, compatible)[:1], 1e-25)
    n, shift = start.shape[1], 1e-4
    iterated = step.iterate(start, STANDARD, **TIGHT)
    weights = np.random.default_rng(0).normal(size=(1, n)) * (iterated.abundances > 1e-18)
    gradient = step.pull_back(iterated, weights, largest=1e9)[0]
    sides = []
    for sign in (1.0, -1.0):
        moved = start * 10.0 ** (sign * shift * np.eye(n))
        after = step.iterate(moved, StepConditions(np.tile(PHYSICAL, (n, 1)), 1e3), **TIGHT)
        assert after.converged.all()
        sides.append(np.log10(after.abundances) @ weights[0])
    numerical = (sides[0] - sides[1]) / (2.0 * shift)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-4, atol=1e-6 * np.abs(numerical).max())


def test_gradients_are_bounded_and_pass_only_through_solutions() -> None:
    network = NETWORKS["collapse"]
    step, (start, *cells) = ImplicitStep.of_network(network), mixed_batch(network)
    iterated = step.iterate(start, StepConditions(*cells), iterations=1, update_tolerance=0.02)
    weights = np.ones_like(start)
    free, bounded = (step.pull_back(iterated, weights, largest=size) for size in (1e9, 0.1))
    assert set(iterated.converged) == {True, False}
    assert not free[~iterated.converged].any()
    length = np.linalg.norm(bounded, axis=1)[iterated.converged]
    np.testing.assert_allclose(length, 0.1 * np.sqrt(start.shape[1]))
    with pytest.raises(ModelError, match="gradient has shape"):
        step.pull_back(iterated, weights[:2])


def test_rates_of_another_network_disagree() -> None:
    network = NETWORKS["collapse"]
    way = tracer(list(np.linspace(1e5, 1.1e5, 11)), Av=1.0)
    truth = network.solve(way, aged(network)[0]).abundances[None]
    physical = np.column_stack([way[key] for key in CONDITIONS])[None]
    right, wrong = (
        rate_disagreement(ImplicitStep.of_network(network, uclchem_compatible=quirks), truth, physical, 1e3)
        for quirks in (False, True)
    )
    assert right.compared == 1.0
    assert not right.disagrees
    assert wrong.disagrees
    assert wrong.total > 3.0 * right.total
    assert f"{wrong.worst(1)[0]} " in str(wrong)
    assert wrong.worst(1)[0] in network.species_names
    with pytest.raises(DataError, match="no histories"):
        rate_disagreement(ImplicitStep.of_network(network), truth[0], physical, 1e3)


def lit(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return the state of a cloud whose shade is halved, and that 1,000 yr later by the solver."""
    way = tracer([0.0, 1e5, 1.01e5], Av=[3.0, 1.5, 1.5])
    states = network.solve(way, ATOMIC_START, rtol=1e-6, atol=1e-25).abundances
    return np.maximum(states[1], 1e-30), states[2]


LIT = np.array([[PHYSICAL[0], PHYSICAL[1], 1.5, PHYSICAL[3]]])


@pytest.mark.parametrize("name", NETWORKS)
def test_sub_steps_are_of_second_order(name: str) -> None:
    network = NETWORKS[name]
    (start, end), step = lit(network), ImplicitStep.of_network(network)
    errors = []
    for count in (12, 24, 48):
        told = step.sub_step(start[None], StepConditions(LIT, 1e3), count=count, update_tolerance=1e-4)
        assert told.converged.all()
        errors.append(off(told.abundances[0], end).mean())
    assert errors[0] < 0.01
    assert errors[1] < 0.4 * errors[0]
    assert errors[2] < 0.4 * errors[1]


def test_sub_steps_say_that_they_do_not_resolve_a_cold_start() -> None:
    network = NETWORKS["collapse_bulk"]
    start = np.full((2, len(network.species)), 1e-30)
    for species, abundance in ATOMIC_START.items():
        start[0, network.index(species)] = abundance
    start[1] = lit(network)[0]
    for compatible in (False, True):
        step = ImplicitStep.of_network(network, uclchem_compatible=compatible)
        told = step.sub_step(start, StepConditions(np.repeat(LIT, 2, axis=0), 3e3))
        assert told.converged.tolist() == [False, True]


def test_sub_steps_of_a_batch_are_those_of_its_cells() -> None:
    network = NETWORKS["collapse_bulk"]
    step, (start, physical, dt) = ImplicitStep.of_network(network), mixed_batch(network)
    start[2, 0] = np.nan
    together = step.sub_step(start, StepConditions(physical, dt), threads=2)
    each = [(start[i : i + 1], StepConditions(physical[i : i + 1], dt[i])) for i in range(5)]
    alone = [step.sub_step(*cell) for cell in each]
    for field in ("abundances", "update", "iterations", "code"):
        expected = np.concatenate([getattr(one, field) for one in alone])
        assert np.array_equal(getattr(together, field), expected, equal_nan=field != "code")
    assert together.code[2] == StepCode.BAD_INPUT
