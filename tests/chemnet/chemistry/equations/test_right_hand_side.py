"""Fluxes conserve, and the Jacobian is the derivative of the right-hand side, for random networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_oracles import RateSystem

from chemnet.chemistry.network.network import Network

NETWORKS = {name: Network.read(name) for name in ("collapse", "collapse_bulk")}


def random_part(name: str, seed: int) -> Network:
    """Return a network with the species of a shipped one and a random half of its reactions."""
    whole = NETWORKS[name]
    rng = np.random.default_rng(seed)
    chosen = rng.random(len(whole.reactions)) < 0.5
    reactions = [one for one, keep in zip(whole.reactions, chosen, strict=True) if keep]
    return Network.from_parts(whole.species, reactions, name=f"{name}-{seed}")


def random_state(network: Network, seed: int) -> np.ndarray:
    """Return abundances spread over six decades."""
    return 10.0 ** np.random.default_rng(seed).uniform(-10.0, -4.0, len(network.species))


@pytest.mark.parametrize("name", list(NETWORKS))
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_rates_conserve_elements_and_charge(name: str, seed: int) -> None:
    network = random_part(name, seed)
    rate = RateSystem(network).rhs(random_state(network, seed))
    totals = np.column_stack([network.stoichiometry, network.charges])
    assert np.all(np.abs(rate @ totals) <= 1e-12 * (np.abs(rate) @ np.abs(totals)))


@pytest.mark.parametrize("compatible", [False, True])
@pytest.mark.parametrize("name", list(NETWORKS))
@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_jacobian_agrees_with_finite_differences(name: str, compatible: bool, seed: int) -> None:
    network = random_part(name, seed)
    system, y = RateSystem(network, compatible, gasTemp=30.0), random_state(network, seed)
    numerical = np.empty((len(y), len(y)))
    for j in range(len(y)):
        shift = np.zeros(len(y))
        shift[j] = 1e-5 * y[j]
        numerical[:, j] = (system.rhs(y + shift) - system.rhs(y - shift)) / (2.0 * shift[j])
    error = np.abs(system.dense_jacobian(y) - numerical) * y
    # the differences of large fluxes leave rounding of 1e-16 / 1e-5 of the largest
    turnover = np.abs(system.dense_jacobian(y)) @ y
    assert np.all(error <= 1e-6 * turnover[:, None] + 1e-9 * turnover.max())


def test_permuted_species_and_reactions_give_the_same_rates() -> None:
    network = NETWORKS["collapse_bulk"]
    rng = np.random.default_rng(5)
    order, rows = rng.permutation(len(network.species)), rng.permutation(len(network.reactions))
    species = [network.species[i] for i in order]
    shuffled = Network.from_parts(species, [network.reactions[r] for r in rows])
    y = random_state(network, 5)
    expected = RateSystem(network).rhs(y)[order]
    turnover = np.abs(RateSystem(network).dense_jacobian(y)) @ y
    assert np.all(np.abs(RateSystem(shuffled).rhs(y[order]) - expected) <= 1e-12 * turnover[order])


def test_a_growing_surface_buries_ice_and_a_shrinking_one_digs_it_up() -> None:
    network = NETWORKS["collapse_bulk"]
    y = np.full(len(network.species), 1e-12)
    ices = {
        phase: [i for i, one in enumerate(network.species) if one.phase == phase]
        for phase in ("surface", "bulk")
    }
    y[network.index("CO")], y[network.index("#H2O")], y[network.index("@H2O")] = 1e-4, 5e-6, 5e-5
    freezing = RateSystem(network, gasTemp=10.0, Density=1e6).rhs(y)
    evaporating = RateSystem(network, gasTemp=120.0, Density=1e4).rhs(y)
    assert freezing[ices["bulk"]].sum() > 0.0
    assert evaporating[ices["bulk"]].sum() < 0.0
