"""A network says which temperatures it covers, refuses others, and warns once where much of it is off."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.rates.temperature_coverage import TemperatureCoverage, temperature_coverage
from chemnet.chemistry.simulation.plan import SimulationPlan
from chemnet.chemistry.tracers import generate_tracers
from chemnet.config import load_config
from chemnet.data.readers.forcing_table import read_tracers
from chemnet.errors import DataError

COLLAPSE = Network.read("collapse")
RANGE = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted)


def isomers(*ranges: tuple[float, float], kind: str = "TWOBODY", extrapolate: bool = False) -> Network:
    """Return a network of one reaction in as many pieces as there are ranges."""
    species = [NetworkSpecies(name, 1.0) for name in ("H", "H2", "#H", "#H2")]
    rows = [
        Reaction(("H", "H"), ("H2",), kind, 1e-17, t_min=low, t_max=high, extrapolate=extrapolate)
        for low, high in ranges
    ]
    return Network.from_parts(species, rows, name="pieces")


def without_rate(network: Network, *temperatures: float) -> list[int]:
    return TemperatureCoverage(network).without_rate(temperatures).tolist()


def test_pieces_of_one_reaction_stand_in_for_one_another() -> None:
    network = isomers((10, 300), (300, 2500), (298, 298), (3000, 4000))
    assert without_rate(network, 9, 10, 298, 300, 2500, 2999, 3500) == [1, 0, 0, 0, 0, 0, 0]


@given(st.lists(RANGE, min_size=1, max_size=6), st.integers(-1, 51))
def test_a_reaction_has_a_rate_from_its_first_limit_to_its_last(
    ranges: list[list[float]], temperature: float
) -> None:
    covered = min(low for low, _ in ranges) <= temperature <= max(high for _, high in ranges)
    assert without_rate(isomers(*map(tuple, ranges)), temperature) == [0 if covered else 1]


def test_rates_kept_at_a_limit_bound_nothing_and_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    listed = isomers((10, 300))
    kept = Network.from_parts(
        listed.species, [replace(one, outside="clamp") for one in listed.reactions], "kept"
    )
    coverage = TemperatureCoverage(kept)
    assert (coverage.lowest, coverage.highest) == (0.0, np.inf)
    with caplog.at_level(logging.WARNING):
        coverage.check(np.array([50.0, 8.0]), "step {}".format)
        coverage.check(np.array([50.0, 8.0]), "step {}".format)
    assert [record.getMessage() for record in caplog.records] == [
        "step 1: at 8 K 1 of the 1 gas-phase reactions of network 'kept' keep the rate at the limit "
        "of their range "
        "(network.outside_range): it is outside their temperature range"
    ]


def test_what_is_extrapolated_or_on_ice_or_without_limits_bounds_nothing() -> None:
    on_ice = Reaction(("#H", "#H"), ("#H2",), "LH", 1.0, t_min=10, t_max=20)
    free = isomers((10, 300), extrapolate=True)
    ice = Network.from_parts(free.species, [on_ice])
    for network in (free, ice, isomers((0, np.inf))):
        coverage = TemperatureCoverage(network)
        assert (coverage.lowest, coverage.highest) == (0.0, np.inf)
        assert without_rate(network, 1.0, 1e6) == [0, 0]


def test_a_few_rows_with_limits_do_not_bound_a_network_without() -> None:
    free = isomers((0, np.inf))
    others = [Reaction(("H2",), ("H", "H"), kind, 1.0) for kind in ("CRP", "CRPHOT")]
    limited = Reaction(("H2", "H2"), ("H2", "H", "H"), "TWOBODY", 1.0, t_min=10, t_max=300)
    coverage = TemperatureCoverage(Network.from_parts(free.species, [*others, limited]))
    assert (coverage.lowest, coverage.highest) == (0.0, np.inf)
    assert coverage.without_rate([5.0, 100.0]).tolist() == [1, 0]


@pytest.mark.parametrize("temperature", [2.0, 5e4])
def test_the_solver_refuses_gas_that_no_reaction_covers(temperature: float) -> None:
    way = {"time": [0.0, 1.0], "Density": 1e4, "Radfield": 1.0, "Av": 1.0, "gasTemp": [20.0, temperature]}
    message = rf"tracer 'a7', step 1: gasTemp is {temperature:g} K; network 'collapse' covers 4 to 41000 K"
    with pytest.raises(DataError, match=message.replace("+", r"\+")):
        COLLAPSE.solve({**way, "id": "a7"}, {"H2": 0.5})


def test_the_shipped_network_covers_made_tracers_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    tracers = generate_tracers(40, 42, n_steps=20, pre_phase_share=1.0, heating_share=1.0)
    SimulationPlan(Network.read("collapse"), tracers, np.ones(1), {}).check_temperatures()
    assert not caplog.records


def test_real_tracers_are_covered_without_a_word(shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    tracers = read_tracers(shared_data / "network_tracers_plain.h5", load_config())
    caplog.clear()
    for network in (COLLAPSE, Network.read(shared_data / "network")):
        SimulationPlan(network, tracers, np.ones(1), {}).check_temperatures()
        few_hundred = np.array([10.0, 30.0, 298.0, 300.0, 301.0, 500.0])
        temperature_coverage(network).check(few_hundred, str)
    assert not caplog.records


def test_one_line_tells_where_much_of_the_network_is_off(caplog: pytest.LogCaptureFixture) -> None:
    tracers = generate_tracers(3, 1, n_steps=5, pre_phase_share=0.0)
    cold = replace(tracers[1], physical=np.where(np.arange(4) == 3, 8.0, tracers[1].physical))
    plan = SimulationPlan(Network.read("collapse"), [tracers[0], cold], np.ones(1), {})
    with caplog.at_level(logging.WARNING):
        plan.check_temperatures()
        plan.check_temperatures()
    assert [record.getMessage() for record in caplog.records] == [
        f"tracer {cold.tracer_id!r}, step 0: at 8 K 452 of the 476 gas-phase reactions of network 'collapse' "
        "have no rate, because it is outside their temperature range"
    ]


def test_a_phase_before_a_tracer_is_checked_too() -> None:
    tracer = generate_tracers(1, 1, n_steps=5, pre_phase_share=1.0)[0]
    assert tracer.pre_phase is not None
    hot = replace(tracer, pre_phase=replace(tracer.pre_phase, gas_temperature=5e4))
    with pytest.raises(DataError, match="in the static phase before step 0: gasTemp is 50000 K"):
        SimulationPlan(COLLAPSE, [hot], np.ones(1), {}).check_temperatures()
