"""What counts as a failed integration."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.simulation.simulate import _failure
from chemnet.chemistry.solver.outcome_codes import SolverCode


def test_an_element_that_is_not_there_has_no_total_to_keep() -> None:
    network = Network.read("collapse")
    initial = np.full(len(network.species), 1e-30)
    initial[network.index("H2")] = 0.5
    solution: Any = SimpleNamespace(code=SolverCode.SUCCESS, abundances=np.tile(initial, (3, 1)))
    solution.abundances[1:, network.index("O")] *= 50.0
    assert _failure(network, solution, initial) == ""
    solution.abundances[2, network.index("H2")] *= 1.1
    assert "the total of H drifted by 1.0e-01 of itself" in _failure(network, solution, initial)
