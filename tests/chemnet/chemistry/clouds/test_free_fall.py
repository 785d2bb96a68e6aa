"""Free fall against theory, and against what UCLCHEM itself prints."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from chemnet.chemistry.clouds.free_fall import (
    GRAVITY,
    HYDROGEN_MASS,
    free_fall_density,
    free_fall_time,
    time_to_density,
)
from chemnet.chemistry.units import SECONDS_PER_YEAR

YEARS = np.array([2.2e6, 2.3e6, 2.4e6])


def test_the_density_solves_the_equation_of_a_collapse_under_its_own_gravity() -> None:
    pull = 24.0 * np.pi * GRAVITY * HYDROGEN_MASS

    def slope(_: float, density: np.ndarray) -> np.ndarray:
        compression = density / 1e2
        return (
            density
            * (compression * pull * 1e2 * (compression ** (1 / 3) - 1.0)) ** 0.5
            * compression ** (-1 / 6)
        )

    start = time_to_density(1e2, 1.01e2)
    seconds = np.array([start, *YEARS, 4.9e6]) * SECONDS_PER_YEAR
    solved = solve_ivp(slope, seconds[[0, -1]], [1.01e2], t_eval=seconds, rtol=1e-9, method="LSODA")
    ours = free_fall_density(seconds / SECONDS_PER_YEAR, 1e2, 1e9)
    np.testing.assert_allclose(ours, solved.y[0], rtol=2e-3)


def test_the_density_is_that_of_uclchem() -> None:
    # examples/example-output/phase1-full.dat of UCLCHEM 1355b32; it begins at 1.001 times the density
    np.testing.assert_allclose(free_fall_density(YEARS, 1e2, 1e5), [145.79, 151.30, 157.38], rtol=5e-3)


def test_the_collapse_takes_the_free_fall_time_and_rests_at_the_final_density() -> None:
    assert free_fall_time(1e2) == pytest.approx(5.14e6, rel=2e-3)
    reached = time_to_density(1e2, 1e5)
    assert 0.98 * free_fall_time(1e2) < reached < free_fall_time(1e2)
    np.testing.assert_allclose(
        free_fall_density(np.array([0.0, reached, 9e6]), 1e2, 1e5), [1e2, 1e5, 1e5], rtol=1e-4
    )
    assert time_to_density(1e2, 1e5, factor=2.0) == pytest.approx(0.5 * reached)
