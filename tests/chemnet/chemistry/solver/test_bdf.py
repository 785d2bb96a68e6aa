"""The BDF against closed forms and against other solvers."""

from __future__ import annotations

import numpy as np
import pytest
from solver_oracles import ATOMIC_START, RateSystem, decay_chain, dex, isomer_network, tracer

from chemnet.chemistry.network.initial_abundances import initial_abundances
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.tracers import generate_tracers
from chemnet.chemistry.units import SECONDS_PER_YEAR

YEAR = SECONDS_PER_YEAR


@pytest.mark.parametrize("rtol", [1e-4, 1e-7])
def test_a_decay_chain_follows_its_closed_form(rtol: float) -> None:
    first, second = 3e-9, 2e-5
    network = isomer_network((("HCN",), ("HNC",), first), (("HNC",), ("CNH",), second))
    times = [0.0, 0.001, 1.0, 10.0, 30.0]
    solution = network.solve(tracer(times, Density=1.0), {"HCN": 1e-4}, rtol=rtol)
    for row, t in enumerate(times):
        expected = decay_chain(1e-4, first, second, t * YEAR)
        np.testing.assert_allclose(solution.abundances[row], expected, rtol=300 * rtol, atol=1e-14)


def test_robertsons_problem_is_solved_over_eleven_decades() -> None:
    network = isomer_network(
        (("HCN",), ("HNC",), 0.04),
        (("HNC", "HNC"), ("CNH", "HNC"), 3e7),
        (("HNC", "CNH"), ("HCN", "CNH"), 1e4),
    )
    # values of the example in LSODE's documentation (Hindmarsh 1983), by time [s]
    expected = {
        0.4: (9.8517e-1, 3.3864e-5, 1.4794e-2),
        40.0: (7.1580e-1, 9.1851e-6, 2.8420e-1),
        4e3: (1.8320e-1, 8.9424e-7, 8.1680e-1),
        4e5: (4.9387e-3, 1.9850e-8, 9.9506e-1),
        4e7: (5.2026e-5, 2.0815e-10, 9.9995e-1),
    }
    times = [0.0, *(seconds / YEAR for seconds in expected)]
    solution = network.solve(tracer(times, Density=1.0), {"HCN": 1.0}, rtol=1e-6, atol=1e-14)
    np.testing.assert_allclose(solution.abundances[1:], list(expected.values()), rtol=2e-3)
    np.testing.assert_allclose(solution.abundances.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("name", ["collapse", "collapse_bulk"])
def test_one_step_agrees_with_cvode(name: str) -> None:
    pytest.importorskip("sksundae")
    network = Network.read(name)
    warm = network.solve(tracer([0.0, 1e4, 2e4]), ATOMIC_START).abundances[-1]
    system = RateSystem(network, c_abundance=float(warm[network.index("C")]))
    expected = system.cvode(warm, 1e3 * YEAR, 1e-8, 1e-22)
    ours = network.solve(tracer([0.0, 1e3]), warm, rtol=1e-6).abundances[-1]
    assert np.median(dex(ours, expected)) < 1e-5
    assert dex(ours, expected).max() < 1e-3


def test_one_step_agrees_with_scipys_bdf() -> None:
    network = Network.read("collapse")
    warm = network.solve(tracer([0.0, 1e4, 2e4]), ATOMIC_START).abundances[-1]
    system = RateSystem(network, c_abundance=float(warm[network.index("C")]))
    expected = system.scipy_bdf(warm, 100.0 * YEAR, 1e-7, 1e-20)
    ours = network.solve(tracer([0.0, 100.0]), warm, rtol=1e-6).abundances[-1]
    assert dex(ours, expected).max() < 1e-3


def test_slow_species_do_not_gather_errors_along_a_tracer() -> None:
    # C decays by six decades over these rows, and remembers every error on the way
    network = Network.read("collapse")
    way = generate_tracers(11, seed=7, pre_phase_share=0.0)[10].as_mapping()
    rows = {name: values[:90] for name, values in way.items()}
    initial = initial_abundances(network)
    found = network.solve(rows, initial).abundances[1:]
    expected = network.solve(rows, initial, rtol=1e-7).abundances[1:]
    assert np.abs(np.log10(found / expected))[expected > 1e-12].max() < 3e-3
