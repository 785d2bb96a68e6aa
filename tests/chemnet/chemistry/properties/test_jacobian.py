"""The analytic Jacobian is the derivative of the right-hand side, in every regime of the ice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates.constants import MONOLAYER

Array = NDArray[np.float64]
CONDITIONS = np.array([3e5, 1.5, 2.0, 25.0, 25.0, 1.0])


def random_state(network: Network, seed: int, surface: float, bulk: float) -> Array:
    """Return abundances over six decades with the given totals of surface and bulk ice."""
    rng = np.random.default_rng(seed)
    y = 10.0 ** rng.uniform(-10.0, -4.0, len(network.species))
    for phase, total in (("surface", surface), ("bulk", bulk)):
        of_phase = np.array([one.phase == phase for one in network.species])
        y[of_phase] *= total / max(y[of_phase].sum(), 1e-300)
    return y


def finite_differences(rates: Callable[[Array], Array], y: Array) -> Array:
    """Return the Jacobian by central differences over 0.01 % of each abundance."""
    result = np.empty((y.size, y.size))
    for j in range(y.size):
        above, below = y.copy(), y.copy()
        above[j] *= 1.0 + 1e-4
        below[j] *= 1.0 - 1e-4
        result[:, j] = (rates(above) - rates(below)) / (above[j] - below[j])
    return result


def assert_derivative(
    network: Network, right_hand_side: Callable[..., Any], y: Array, conditions: Array = CONDITIONS
) -> None:
    system = right_hand_side(network, conditions, c_abundance=1e-5)
    analytic, numeric = system.jacobian(y), finite_differences(system.rates, y)
    # what a row's largest flux loses to rounding hides its smallest derivatives
    rounding = 1e-9 * np.abs(analytic * y).max(axis=1, keepdims=True) / y
    assert np.abs(analytic).max() > 0.0
    assert (np.abs(analytic - numeric) <= 1e-5 * np.abs(analytic) + rounding).all()


@pytest.mark.parametrize("seed", range(3))
def test_gas_only(gas_network: Network, right_hand_side: Callable[..., Any], seed: int) -> None:
    assert_derivative(gas_network, right_hand_side, random_state(gas_network, seed, 0.0, 0.0))


@pytest.mark.parametrize("layers", [1e-6, 0.5, 100.0])
def test_two_phases(collapse: Network, right_hand_side: Callable[..., Any], layers: float) -> None:
    y = random_state(collapse, 3, layers * MONOLAYER, 0.0)
    assert_derivative(collapse, right_hand_side, y)


@pytest.mark.parametrize(("on_top", "below"), [(1.5, 100.0), (1.5, 0.3), (0.1, 1e-6), (1e-6, 1e-8)])
def test_three_phases(
    collapse_bulk: Network, right_hand_side: Callable[..., Any], on_top: float, below: float
) -> None:
    y = random_state(collapse_bulk, 4, on_top * MONOLAYER, below * MONOLAYER)
    assert_derivative(collapse_bulk, right_hand_side, y)


@pytest.mark.parametrize("warm", [False, True])
def test_a_surface_that_gains_and_one_that_loses(
    collapse_bulk: Network, right_hand_side: Callable[..., Any], warm: bool
) -> None:
    y = random_state(collapse_bulk, 5, 1.5 * MONOLAYER, 30.0 * MONOLAYER)
    # hot ice evaporates; on grains at 5 K nothing moves, and gas freezes out
    density, t_gas, t_dust = (1e4, 120.0, 120.0) if warm else (1e7, 12.0, 5.0)
    conditions = np.array([density, 1.0, 5.0, t_gas, t_dust, 1.0])
    assert (right_hand_side(collapse_bulk, conditions).surface_gain(y) < 0.0) == warm
    assert_derivative(collapse_bulk, right_hand_side, y, conditions)


def test_few_electrons_slow_the_freeze_out_of_ions(
    collapse: Network, right_hand_side: Callable[..., Any]
) -> None:
    y = random_state(collapse, 6, MONOLAYER, 0.0)
    y[collapse.index("E-")] = 1e-14
    assert_derivative(collapse, right_hand_side, y)
