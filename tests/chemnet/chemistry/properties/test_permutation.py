"""The order of species and reactions is no property of a network: it changes nothing beyond rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network

Array = NDArray[np.float64]
CONDITIONS = np.array([3e5, 1.5, 2.0, 25.0, 25.0, 1.0])


def shuffled(
    network: Network, seed: int, species: bool, reactions: bool
) -> tuple[Network, NDArray[np.int64]]:
    """Return the network in another order, and for each of its species the position in the old order."""
    rng = np.random.default_rng(seed)
    s, r = np.arange(len(network.species)), np.arange(len(network.reactions))
    if species:
        rng.shuffle(s)
    if reactions:
        rng.shuffle(r)
    return Network.from_parts([network.species[i] for i in s], [network.reactions[i] for i in r]), s


@pytest.mark.parametrize(("species", "reactions"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("name", ["gas_network", "collapse", "collapse_bulk"])
def test_the_rates_of_change_are_the_same(
    request: pytest.FixtureRequest,
    right_hand_side: Callable[..., Any],
    name: str,
    species: bool,
    reactions: bool,
) -> None:
    network: Network = request.getfixturevalue(name)
    other, order = shuffled(network, 1, species, reactions)
    y = 10.0 ** np.random.default_rng(2).uniform(-12.0, -5.0, len(network.species))
    first, second = right_hand_side(network, CONDITIONS), right_hand_side(other, CONDITIONS)
    turnover = np.abs(first.jacobian(y) * y).max(axis=1)
    assert (np.abs(first.rates(y)[order] - second.rates(y[order])) <= 1e-12 * turnover[order]).all()


@pytest.mark.parametrize(("species", "reactions"), [(True, False), (False, True)])
@pytest.mark.parametrize(
    ("name", "rtol", "agreement"),
    [
        ("collapse", 1e-4, 1e-7),
        # the kink where layers turn from loss to gain magnifies rounding up to the tolerance, and no further
        ("collapse_bulk", 1e-4, 1e-2),
        ("collapse_bulk", 1e-8, 1e-6),
    ],
)
def test_the_solution_is_the_same(
    request: pytest.FixtureRequest,
    tracer: dict[str, Array],
    initial: dict[str, float],
    name: str,
    rtol: float,
    agreement: float,
    species: bool,
    reactions: bool,
) -> None:
    network: Network = request.getfixturevalue(name)
    other, order = shuffled(network, 3, species, reactions)
    expected = network.solve(tracer, initial, rtol=rtol).abundances[:, order]
    found = other.solve(tracer, initial, rtol=rtol).abundances
    seen = expected > 1e-12
    assert seen.sum() > 300
    np.testing.assert_allclose(found[seen], expected[seen], rtol=agreement)
