"""Digests of a plan change with everything that changes an abundance, and with nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.simulation.plan import SimulationPlan, network_digest
from chemnet.chemistry.tracers import generate_tracers

SPECIES = [NetworkSpecies("H", 1.0), NetworkSpecies("H2", 2.0)]
REACTION = Reaction(("H", "H"), ("H2",), "TWOBODY", alpha=1e-17, source="a.csv:2", reference="somebody 1990")


def plan(reaction: Reaction = REACTION, seed: int = 0, **options: object) -> SimulationPlan:
    network = Network.from_parts(SPECIES, [reaction])
    return SimulationPlan(
        network, generate_tracers(3, seed, n_steps=4), np.array([1.0, 0.0]), {"rtol": 1e-4, **options}
    )


def test_equal_plans_have_equal_digests() -> None:
    assert plan().digests() == plan().digests()


@pytest.mark.parametrize(
    ("other", "part"),
    [
        (plan(replace(REACTION, alpha=2e-17)), "network"),
        (plan(seed=1), "tracers"),
        (replace(plan(), initial=np.array([0.5, 0.25])), "initial abundances"),
        (plan(rtol=1e-5), "solver options"),
    ],
)
def test_each_part_shows_in_its_own_digest(other: SimulationPlan, part: str) -> None:
    ours, theirs = plan().digests(), other.digests()
    assert {name for name in ours if ours[name] != theirs[name]} == {part}


def test_where_a_row_stood_does_not_matter() -> None:
    moved = replace(REACTION, source="b.csv:17", reference="somebody else 1991")
    assert network_digest(plan(moved).network) == network_digest(plan().network)
