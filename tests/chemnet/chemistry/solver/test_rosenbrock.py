"""RODAS3 agrees with the BDF where the equations are smooth."""

from __future__ import annotations

import numpy as np
import pytest
from solver_oracles import ATOMIC_START, decay_chain, dex, isomer_network, tracer

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.units import SECONDS_PER_YEAR
from chemnet.errors import DataError


def test_a_decay_chain_follows_its_closed_form() -> None:
    network = isomer_network((("HCN",), ("HNC",), 3e-9), (("HNC",), ("CNH",), 2e-5))
    solution = network.solve(tracer([0.0, 10.0], Density=1.0), {"HCN": 1e-4}, method="rodas3", rtol=1e-6)
    expected = decay_chain(1e-4, 3e-9, 2e-5, 10.0 * SECONDS_PER_YEAR)
    np.testing.assert_allclose(solution.abundances[-1], expected, rtol=1e-4)


def test_the_embedded_network_comes_out_as_with_the_bdf() -> None:
    network = Network.read("collapse")
    way = tracer([0.0, 1e3, 5e3, 2e4], gasTemp=[12.0, 20.0, 12.0, 12.0])
    fast = network.solve(way, ATOMIC_START, method="rodas3", rtol=1e-4)
    slow = network.solve(way, ATOMIC_START, rtol=1e-6)
    assert np.median(dex(fast.abundances[1:], slow.abundances[1:])) < 1e-4
    assert dex(fast.abundances[1:], slow.abundances[1:]).max() < 1e-2


def test_networks_with_kinks_are_refused() -> None:
    with pytest.raises(DataError, match="bulk ice"):
        Network.read("collapse_bulk").solve(tracer([0.0, 1.0]), ATOMIC_START, method="rodas3")
