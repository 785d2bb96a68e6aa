"""The solver does the steps for which the surrogate is not to be trusted, and says how many."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_network import write_made_network

from chemnet import Fallback
from chemnet.chemistry import Network, Reaction
from chemnet.errors import ChemNetError, DataError, ModelError
from chemnet.surrogate.rollout import Rollout
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.wrappers.fallback import Status


class MovingNetwork:
    """A stand-in for a network whose solver moves C+ to C at a rate of its own; it fails in hot gas."""

    name = "moving"
    reactions = ()  # none, and so none with a temperature range

    def __init__(self, species):
        # another order than the surrogate's
        self.species_names = tuple(reversed(species))
        self.calls = 0

    def solve(self, tracer, initial, **options):
        self.calls += 1
        place = {name: i for i, name in enumerate(self.species_names)}
        years = np.asarray(tracer["time"])
        share = np.exp(-1e-6 * np.concatenate([[0.0], np.cumsum(np.diff(years) * tracer["Av"][:-1])]))
        abundances = np.tile(initial, (len(years), 1))
        abundances[:, place["C+"]] *= share
        abundances[:, place["C"]] += initial[place["C+"]] - abundances[:, place["C+"]]
        return SimpleNamespace(abundances=abundances, code=int(np.max(tracer["gasTemp"]) > 1e4))


@pytest.fixture
def network(surrogate):
    return MovingNetwork(surrogate.species)


def inputs(histories):
    return histories.physical, histories.abundance[:, 0], histories.dt


def by_solver(network, surrogate, histories):
    """What the solver alone gives, step by step, in the surrogate's order."""
    order = [surrogate.species.index(name) for name in network.species_names]
    result = np.empty_like(histories.abundance)
    for cell, start in enumerate(histories.abundance[:, 0]):
        columns = {name: histories.physical[cell, :, i] for i, name in enumerate(surrogate.physical_names)}
        time = np.concatenate([[0.0], np.cumsum(histories.dt[cell])])
        result[cell][:, order] = network.solve({"time": time, **columns}, start[order]).abundances
    return result


def test_no_tolerance_at_all_is_the_solver(surrogate, network, histories):
    run = Fallback(surrogate, network, tolerance=0.0).emulate(*inputs(histories))
    expected = by_solver(network, surrogate, histories)
    np.testing.assert_allclose(run.abundances, expected, rtol=1e-10)
    assert run.by_solver[:, 1:].all()
    assert (
        str(run) == f"{run.status[:, 1:].size} of {run.status[:, 1:].size} steps (100.0 %) went to the solver"
    )


def test_any_error_tolerated_is_the_surrogate(surrogate, network, histories):
    run = Fallback(surrogate, network, tolerance=1e6).emulate(*inputs(histories))
    expected = surrogate.emulate(*inputs(histories))
    np.testing.assert_allclose(run.abundances, expected, rtol=1e-4)
    inside = np.isfinite(surrogate.trust(*inputs(histories)).expected_error)
    assert not (run.by_solver & inside).any()


@settings(max_examples=8)
@given(st.floats(0.05, 2.0))
def test_what_is_expected_within_the_tolerance_stays_with_the_surrogate(surrogate, histories, tolerance):
    network = MovingNetwork(surrogate.species)
    run = Fallback(surrogate, network, tolerance).emulate(*inputs(histories))
    assert network.calls == run.by_solver.sum() + run.failed.sum()
    first = surrogate.trust(*inputs(histories)).expected_error[:, 1]
    np.testing.assert_array_equal(run.by_solver[:, 1], first > tolerance)
    assert (run.status[:, 0] == Status.INPUT).all()


def test_elements_are_kept_through_every_change_of_hands(surrogate, network, histories):
    trust = surrogate.trust(*inputs(histories))
    median = float(np.median(trust.expected_error[:, 1:]))
    run = Fallback(surrogate, network, median).emulate(*inputs(histories))
    assert 0 < run.by_solver.sum() < run.status[:, 1:].size
    totals = run.abundances @ surrogate.data.stoichiometry
    np.testing.assert_allclose(totals, np.broadcast_to(totals[:, :1], totals.shape), rtol=1e-6)


def test_what_leaves_the_trained_ranges_goes_to_the_solver(surrogate, network, histories):
    physical = histories.physical.copy()
    physical[1, 5, 0] = 1e15
    run = Fallback(surrogate, network, 1e6).emulate(physical, histories.abundance[:, 0], histories.dt)
    assert run.status[1, 6] == Status.SOLVER


def test_a_solver_that_gives_up_is_flagged_and_told(surrogate, network, histories, caplog):
    physical = histories.physical.copy()
    physical[0, 3, 3] = 1e5
    run = Fallback(surrogate, network, 0.0).emulate(physical, histories.abundance[:, 0], histories.dt)
    assert np.argwhere(run.failed).tolist() == [[0, 4]]
    assert np.isfinite(run.abundances).all()
    assert "failed in 1 steps, first in cell 0, step 4" in caplog.text
    assert "it failed in 1 more" in str(run)


def test_it_keeps_the_contract_of_a_predictor(surrogate, network, histories):
    fallback = Fallback(surrogate, network, 0.3)
    physical, start, dt = (torch.from_numpy(x) for x in inputs(histories))
    with torch.inference_mode():
        rolled = Rollout(fallback)(start, physical, dt)
    expected = fallback.emulate(*inputs(histories)).abundances
    np.testing.assert_allclose(rolled.numpy(), expected, rtol=1e-5)


def test_the_solver_is_given_its_options(surrogate, network, histories):
    seen = []
    network.solve = lambda tracer, initial, **options: (
        seen.append(options) or MovingNetwork.solve(network, tracer, initial)
    )
    Fallback(surrogate, network, 0.0, options={"rtol": 1e-6}, workers=1).emulate(*inputs(histories))
    assert seen[0] == {"rtol": 1e-6}


def test_other_species_or_no_calibration_or_no_tolerance_are_refused(surrogate, network):
    with pytest.raises(DataError, match="different species: 'moving' has 'SO2', 'made' has not"):
        Fallback(surrogate, MovingNetwork([*surrogate.species, "SO2"]), 0.3)
    first = surrogate.species[0]
    with pytest.raises(DataError, match=f"'made' has '{first}', 'moving' has not"):
        Fallback(surrogate, MovingNetwork(surrogate.species[1:]), 0.3)
    bare = Surrogate(surrogate.parts, surrogate.domain, "bare", {})
    with pytest.raises(ModelError, match="'bare' was never calibrated"):
        Fallback(bare, network, 0.3)
    for tolerance in (-0.1, float("nan"), "0.3", None):
        with pytest.raises(DataError, match="tolerance = "):
            Fallback(surrogate, network, tolerance)


@pytest.mark.parametrize("rows", [[-1], [0, 4]])
def test_only_wanted_rows_are_kept_and_every_step_is_accounted_for(surrogate, network, histories, rows):
    hybrid = Fallback(surrogate, network, 0.0)
    whole, some = hybrid.emulate(*inputs(histories)), hybrid.emulate(*inputs(histories), rows=rows)
    np.testing.assert_array_equal(some.abundances, whole.abundances[:, rows])
    np.testing.assert_array_equal(some.status, whole.status)


def test_a_wrong_option_or_number_of_workers_is_refused_at_once(surrogate, network):
    with pytest.raises(DataError, match="no option 'rtoll'") as caught:
        Fallback(surrogate, network, 0.3, options={"rtoll": 1})
    assert "rtol" in caught.value.hint
    for workers in (-2, 1.5, "all"):
        with pytest.raises(DataError, match="workers = ") as caught:
            Fallback(surrogate, network, 0.3, workers=workers)
        assert "simulate" not in caught.value.hint


def test_a_network_may_be_named(surrogate, tmp_path):
    with pytest.raises(DataError, match="different species"):
        Fallback(surrogate, write_made_network(tmp_path / "network"), 0.3)
    with pytest.raises(ChemNetError, match="collaps"):
        Fallback(surrogate, "collaps", 0.3)


def test_gas_that_the_network_does_not_cover_is_refused_by_cell_and_step(surrogate, network, histories):
    network.reactions = (Reaction(("C+", "E-"), ("C",), "TWOBODY", 1e-12, t_min=10.0, t_max=4e4),)
    physical = histories.physical.copy()
    physical[1, 2, 3] = 5e4
    with pytest.raises(DataError, match="cell 1, step 2: gasTemp is 50000 K; network 'moving' covers 10 to"):
        Fallback(surrogate, network, 0.3).emulate(physical, histories.abundance[:, 0], histories.dt)
    assert network.calls == 0


def test_bad_input_is_refused_as_by_the_surrogate(surrogate, network, histories):
    with pytest.raises(DataError, match="dt, cell 0, step 0"):
        Fallback(surrogate, network, 0.3).emulate(
            histories.physical, histories.abundance[:, 0], -histories.dt
        )


def test_the_real_solver_gives_the_same_step_by_step_as_in_one_go(tmp_path):
    network = Network.read(write_made_network(tmp_path / "network"))
    initial = [0.5, 0.25, 0.1, 1e-5, 1e-4, 1e-4]
    tracer = {
        "time": np.array([0.0, 1e3, 3e3, 1e4]),
        "Density": np.array([1e3, 1e4, 1e5, 1e5]),
        "Radfield": np.ones(4),
        "Av": np.array([1.0, 2.0, 5.0, 5.0]),
        "gasTemp": np.array([50.0, 20.0, 10.0, 10.0]),
    }
    whole = network.solve(tracer, initial).abundances
    state = whole[0]
    for i in range(3):
        step = {name: np.repeat(values[i], 2) for name, values in tracer.items()}
        step["time"] = np.array([0.0, tracer["time"][i + 1] - tracer["time"][i]])
        state = network.solve(step, state).abundances[-1]
        np.testing.assert_allclose(state, whole[i + 1], rtol=1e-12)
