"""Elements and charge stay what they were, in any network, and no abundance falls below zero."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species import parse_species
from chemnet.chemistry.network.species_and_reactions import Reaction
from chemnet.chemistry.solver.outcome_codes import SolverCode

Array = NDArray[np.float64]
Rates = dict[str, tuple[float, float]]
# s-1 for cosmic rays, up to ten times what light does to atoms nearby; cm3 s-1
NATURAL: Rates = {"CRP": (1e-19, 1e-8), "TWOBODY": (1e-14, 1e-7)}
# an atom is ionised up to 1e18 times in a step
ABSURD: Rates = {"CRP": (1e3, 1e7), "TWOBODY": (1e-14, 1e-7)}
POOL = (
    "H",
    "H2",
    "H+",
    "H2+",
    "H3+",
    "C",
    "C+",
    "CH",
    "CH+",
    "O",
    "O+",
    "OH",
    "OH+",
    "CO",
    "CO+",
    "HCO+",
    "E-",
)


def balanced_reactions() -> list[Reaction]:
    """Return every reaction of one or two species of the pool into one or two others, without a rate."""
    groups = defaultdict(list)
    for size in (1, 2):
        for side in itertools.combinations_with_replacement(POOL, size):
            total = Counter()
            for name in side:
                total.update(parse_species(name).elements)
                total["charge"] += parse_species(name).charge
            groups[tuple(sorted((key, count) for key, count in total.items() if count))].append(side)
    return [
        Reaction(before, after, "CRP" if len(before) == 1 else "TWOBODY", 0.0)
        for sides in groups.values()
        for before, after in itertools.permutations(sides, 2)
        if not set(before) & set(after)
    ]


CANDIDATES = balanced_reactions()


def random_network(
    rng: np.random.Generator, make_network: Callable[[list[str], list[Reaction]], Network], rates: Rates
) -> Network:
    """Return a network of up to 30 of the candidates, at rates between two limits for each kind."""
    chosen = rng.choice(len(CANDIDATES), size=rng.integers(1, 30), replace=False)
    reactions = [
        Reaction(one.reactants, one.products, one.kind, float(np.exp(rng.uniform(*np.log(rates[one.kind])))))
        for one in (CANDIDATES[i] for i in chosen)
    ]
    return make_network(list(POOL), reactions)


def worst_drift(network: Network, abundances: Array) -> float:
    """Return the largest change of an element or the charge along a tracer, relative to what takes part."""
    totals = np.column_stack([network.stoichiometry, network.charges])
    drift = np.abs((abundances - abundances[0]) @ totals)
    return float((drift / np.maximum(abundances[0] @ np.abs(totals), 1e-20)).max())


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_networks_keep_elements_and_charge(
    make_network: Callable[[list[str], list[Reaction]], Network], tracer: dict[str, Array], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, make_network, NATURAL)
    solution = network.solve(tracer, 10.0 ** rng.uniform(-8.0, -1.0, len(POOL)))
    assert solution.succeeded, solution.message
    assert worst_drift(network, solution.abundances) < 1e-10
    assert (solution.abundances >= 0.0).all()


@settings(max_examples=15)
@example(seed=5396213)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_rounding_does_not_let_a_solver_follow_is_given_up_and_what_it_returns_keeps_elements_and_charge(
    make_network: Callable[[list[str], list[Reaction]], Network], tracer: dict[str, Array], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, make_network, ABSURD)
    solution = network.solve(tracer, 10.0 ** rng.uniform(-8.0, -1.0, len(POOL)))
    reached = len(tracer["time"]) if solution.failed_step is None else solution.failed_step + 1
    assert solution.succeeded or solution.code is SolverCode.NOT_CONSERVED
    assert worst_drift(network, solution.abundances[:reached]) < 1e-10
    assert (solution.abundances[:reached] >= 0.0).all()
    assert np.isnan(solution.abundances[reached:]).all()


@pytest.mark.parametrize("name", ["collapse", "collapse_bulk"])
def test_shipped_networks_keep_elements_and_charge(
    request: pytest.FixtureRequest, tracer: dict[str, Array], initial: dict[str, float], name: str
) -> None:
    network = request.getfixturevalue(name)
    solution = network.solve(tracer, initial)
    assert solution.succeeded, solution.message
    assert worst_drift(network, solution.abundances) < 1e-10
    assert (solution.abundances >= 0.0).all()
    # the chemistry did something: ice formed
    assert solution.abundances[-1, network.index("#H2O")] > 1e-7


def test_a_neutral_gas_stays_neutral(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    abundances = collapse.solve(tracer, initial).abundances
    electrons = abundances[:, collapse.index("E-")]
    assert (np.abs(abundances @ collapse.charges) <= 1e-10 * electrons[0]).all()
    assert (electrons > 0.0).all()


def test_every_abundance_after_the_first_row_is_positive(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    assert (collapse.solve(tracer, initial).abundances[1:] > 0.0).all()
