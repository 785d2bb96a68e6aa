"""What shields each point of a cloud: the H2, CO and C that the points outside it turned out to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.clouds import SHIELDING_SPECIES
from chemnet.chemistry.simulation.outcomes import FinishedTracers, Outcome
from chemnet.chemistry.simulation.plan import SimulationPlan
from chemnet.chemistry.tracers import Tracer

if TYPE_CHECKING:
    from chemnet.chemistry.network.network import Network

_CARBON = list(SHIELDING_SPECIES).index("N_C")


def shielded_tracer(plan: SimulationPlan, point: int, finished: FinishedTracers) -> Tracer:
    """Return the tracer of a point with the columns that shielded it; of no cloud, the tracer as it is.

    The outermost point has no columns until it is finished: its own carbon shields it as it forms.
    """
    tracer, outermost = plan.tracers[point], len(plan.tracers) - 1
    if plan.layers is None or (point == outermost and point not in finished):
        return tracer
    outside = [_shielding(plan.network, finished.load(i)) for i in range(point + 1, len(plan.tracers))]
    nearest = outside[0] if outside else _shielding(plan.network, finished.load(point))
    return plan.layers.shield(tracer, point, outside, nearest[:, _CARBON])


def _shielding(network: Network, outcome: Outcome) -> NDArray[np.float64]:
    """Return the abundances of H2, CO and C of a finished point, ``(rows, 3)``; 0 where there are none."""
    assert outcome.abundances is not None  # points inside a failed one are not integrated
    known = network.species_names
    held = np.zeros((len(outcome.abundances), len(SHIELDING_SPECIES)))
    for column, name in enumerate(SHIELDING_SPECIES.values()):
        if name in known:
            held[:, column] = outcome.abundances[:, network.index(name)]
    return held
