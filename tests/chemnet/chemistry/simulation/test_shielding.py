"""Points of a cloud, solved from outside inwards."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chemnet.chemistry.clouds import SHIELDING_SPECIES, build_cloud
from chemnet.chemistry.network.initial_abundances import initial_abundances
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.simulation.outcomes import FinishedTracers
from chemnet.chemistry.simulation.plan import SimulationPlan
from chemnet.chemistry.simulation.shielding import shielded_tracer
from chemnet.chemistry.simulation.simulate import integrate_tracers
from chemnet.config.manager import ConfigManager
from chemnet.workers import ThisThread

POINTS = 3
CLOUD = {"points": POINTS, "initialDens": 1e4, "baseAv": 0.1, "finalTime": 3e5}


def planned(points: int = POINTS) -> SimulationPlan:
    options = ConfigManager().config["simulate"]
    parameters = options["uclchem"].to_dict() | CLOUD | {"points": points}
    cloud = build_cloud("cloud", parameters, 10, 0.01)
    network = Network.read("collapse")
    return SimulationPlan(
        network, cloud.tracers, initial_abundances(network, {}), {"rtol": 1e-3}, layers=cloud.layers
    )


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    plan, finished = planned(), FinishedTracers(tmp_path_factory.mktemp("finished"))
    order = [outcome.index for outcome in integrate_tracers(plan, finished, ThisThread())]
    assert order == [2, 1, 0]
    return plan, finished


def abundance(solved: Any, point: int, species: str) -> np.ndarray:
    plan, finished = solved
    return finished.load(point).abundances[:, plan.network.index(species)]


def test_a_single_point_and_the_outermost_of_many_are_plain_tracers(solved: Any, tmp_path: Path) -> None:
    plan, finished = solved
    alone = planned(points=1)
    assert alone.layers is None
    for of, held in ((plan, finished), (alone, FinishedTracers(tmp_path))):
        list(integrate_tracers(of, held, ThisThread()))
        last = len(of.tracers) - 1
        expected = of.network.solve(of.tracers[last].as_mapping(), of.initial, rtol=1e-3).abundances
        np.testing.assert_array_equal(held.load(last).abundances, expected.astype(np.float32))


def test_the_inside_is_better_shielded_by_dust_h2_co_and_c(solved: Any) -> None:
    plan, finished = solved
    stored = [shielded_tracer(plan, point, finished).as_mapping() for point in range(POINTS)]
    for name in ("Av", "N_H2", "N_CO"):
        for inner, outer in pairwise(stored):
            # at the beginning there is no CO that could shield
            assert (inner[name] >= outer[name]).all(), name
            assert inner[name][-1] > outer[name][-1], name
    co, h = ([abundance(solved, point, name)[-1] for point in range(POINTS)] for name in ("CO", "H"))
    assert co[0] > co[1] > co[2]
    assert h[0] < h[1] < h[2]


def test_what_is_stored_of_a_point_makes_it_again(solved: Any) -> None:
    plan, finished = solved
    again = plan.network.solve(shielded_tracer(plan, 0, finished).as_mapping(), plan.initial, rtol=1e-3)
    np.testing.assert_array_equal(finished.load(0).abundances, again.abundances.astype(np.float32))


def test_the_columns_inside_count_what_the_outside_holds(solved: Any) -> None:
    plan, finished = solved
    outer, middle = (shielded_tracer(plan, point, finished).as_mapping() for point in (2, 1))
    for name in ("N_H2", "N_CO"):
        held = abundance(solved, 2, SHIELDING_SPECIES[name]) * plan.layers.nuclei[2]
        np.testing.assert_allclose(middle[name], outer[name] + held, rtol=1e-6)


def test_points_inside_one_that_failed_fail_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, finished = planned(), FinishedTracers(tmp_path)
    solve = Network.solve

    def fails_in_the_middle(self: Network, tracer: Any, initial: Any, **options: Any) -> Any:
        solution = solve(self, tracer, initial, **options)
        return replace(solution, abundances=solution.abundances * np.nan) if "N_H2" in tracer else solution

    monkeypatch.setattr(Network, "solve", fails_in_the_middle)
    reasons = {outcome.index: outcome.reason for outcome in integrate_tracers(plan, finished, ThisThread())}
    assert reasons[2] == ""
    assert "the abundance of" in reasons[1]
    assert reasons[0] == "what shields it is unknown: point 2, further out, failed"


def test_the_gas_of_the_layers_shows_in_the_digests() -> None:
    plan = planned()
    assert plan.layers is not None
    thicker = replace(plan, layers=replace(plan.layers, nuclei=2.0 * plan.layers.nuclei))
    ours, theirs = plan.digests(), thicker.digests()
    assert {name for name in ours if ours[name] != theirs[name]} == {"layers"}
    assert "layers" not in replace(plan, layers=None).digests()
