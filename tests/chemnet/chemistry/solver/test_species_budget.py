"""What forms and destroys a species adds up to the solver's right-hand side, reaction by reaction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chemnet.chemistry.formats import shipped_networks
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.solver.species_budget import LAYERS, SpeciesBudget, species_budget
from chemnet.errors import DataError

ROUNDING = 1e-12
ROWS = 3
SPARSELY = 3  # look at one species in three, to keep the tests short


def histories(network: Network) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return three rows of conditions, and random states over twelve decades."""
    rng = np.random.default_rng(4)
    tracer = {
        "time": np.array([0.0, 1e3, 2e3]),
        "Density": np.array([1e4, 1e5, 1e7]),
        "Radfield": np.array([30.0, 1.0, 1e-3]),
        "Av": np.array([0.5, 3.0, 30.0]),
        "gasTemp": np.array([80.0, 20.0, 10.0]),
    }
    return tracer, 10.0 ** rng.uniform(-16.0, -4.0, (ROWS, len(network.species)))


def assert_all_add_up(network: Network, compatible: bool) -> None:
    tracer, states = histories(network)
    ices = {f"${name[1:]}" for name in network.species_names if name[0] in "#@"}
    for name in [*network.species_names[::SPARSELY], *sorted(ices)[::SPARSELY], "E-", "H2"]:
        budget = species_budget(network, tracer, states, name, uclchem_compatible=compatible)
        assert budget.residual < ROUNDING, (name, budget.residual)
        np.testing.assert_allclose(
            budget.formation - budget.destruction,
            budget.derivative,
            atol=ROUNDING * float(np.max(budget.turnover)),
        )


@pytest.mark.parametrize("name", shipped_networks())
@pytest.mark.parametrize("compatible", [False, True])
def test_fluxes_of_every_species_add_up_on_every_shipped_network(name: str, compatible: bool) -> None:
    assert_all_add_up(Network.read(name), compatible)


def test_fluxes_add_up_on_a_full_network(shared_data: Path) -> None:
    network = Network.read(shared_data / "network")
    tracer, states = histories(network)
    for name in ("CO", "#H2O", "@H2O", "$H2O", "E-", "H2", "#CH3OH"):
        assert species_budget(network, tracer, states, name, uclchem_compatible=True).residual < ROUNDING


@pytest.fixture
def two_reactions() -> Network:
    rows = [
        Reaction(("C", "O"), ("CO",), "TWOBODY", 2e-10),
        Reaction(("CO+", "E-"), ("CO",), "TWOBODY", 3e-10),
        Reaction(("CO",), ("C", "O"), "CRP", 1e3),
    ]
    return Network.from_parts([NetworkSpecies(name, 12.0) for name in ("C", "O", "CO", "CO+", "E-")], rows)


def budget_of_co(network: Network) -> SpeciesBudget:
    tracer = {key: values[:1] for key, values in histories(network)[0].items()}
    return species_budget(network, tracer, [[1e-5, 2e-5, 3e-5, 1e-8, 1e-8]], "CO")


def test_a_flux_is_rate_times_density_times_abundances(two_reactions: Network) -> None:
    budget = budget_of_co(two_reactions)
    flux = dict(zip(budget.reactions, budget.fluxes[:, 0], strict=True))
    assert flux["C + O -> CO (TWOBODY)"] == pytest.approx(2e-10 * 1e4 * 1e-5 * 2e-5, rel=1e-9)
    assert flux["CO -> C + O (CRP)"] < 0.0
    assert LAYERS not in flux


def test_the_largest_part_comes_first_and_shares_add_up(two_reactions: Network) -> None:
    budget = budget_of_co(two_reactions)
    assert budget.reactions[-1] == "CO+ + E- -> CO (TWOBODY)"
    assert [share.sum() for share in budget.shares()] == pytest.approx([1.0, 1.0])


def test_imbalance_is_zero_where_formation_equals_destruction(two_reactions: Network) -> None:
    budget = budget_of_co(two_reactions)
    both = np.array([[2.0], [-2.0]])
    balanced = SpeciesBudget(
        "CO", budget.time, budget.abundance, ("a", "b"), both, np.zeros(1), np.full(1, 4.0)
    )
    assert balanced.imbalance == pytest.approx(0.0)
    assert abs(budget.imbalance[0]) > 0.0


def test_one_row_alone_is_ordered_anew() -> None:
    network = Network.read("collapse")
    tracer, states = histories(network)
    whole = species_budget(network, tracer, states, "CO")
    last = whole.at(-1)
    assert last.time.tolist() == [2e3]
    assert last.derivative[0] == whole.derivative[-1]
    part = np.maximum(*last.shares())
    assert np.all(np.diff(part) <= 0.0)


def test_an_unknown_species_and_wrong_shapes_are_refused(two_reactions: Network) -> None:
    tracer, states = histories(two_reactions)
    with pytest.raises(DataError, match="no species 'CN'"):
        species_budget(two_reactions, tracer, states, "CN")
    with pytest.raises(DataError, match=r"abundances have shape \(2, 5\)"):
        species_budget(two_reactions, tracer, states[:2], "CO")
