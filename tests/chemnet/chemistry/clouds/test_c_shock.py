"""The structure of a C-shock."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.chemistry.clouds.c_shock import CShock

SHOCK = CShock(velocity=40.0, density=1e4, temperature=10.0, magnetic=1.0)


def test_the_dissipation_time_is_that_of_uclchem() -> None:
    # 12 pc 1e-5 / (density x 3.16e7 s), whatever the velocity: UCLCHEM's cshock_dissipation_time
    assert SHOCK.dissipation_time == pytest.approx(12.0 * 3.086e18 * 1e-5 / 1e4 / 3.16e7)
    assert SHOCK.dissipation_time == pytest.approx(1171.9, rel=1e-4)


@pytest.mark.parametrize(
    ("velocity", "density", "expected"), [(40.0, 1e4, 2245.2), (20.0, 1e5, 892.7), (20.0, 1e6, 916.4)]
)
def test_the_highest_temperature_is_the_fit_to_draine_and_others(
    velocity: float, density: float, expected: float
) -> None:
    shock = CShock(velocity, density, 10.0, 1.0)
    assert shock.highest_temperature == pytest.approx(expected, rel=1e-3)
    years = np.linspace(0.0, shock.dissipation_time, 4000)
    assert shock.temperature_at(years).max() == pytest.approx(shock.highest_temperature, rel=1e-3)


def test_gas_is_cold_before_and_long_after_the_shock() -> None:
    ends = np.array([0.0, 1e6, 5e6])
    np.testing.assert_allclose(SHOCK.temperature_at(ends), SHOCK.temperature, rtol=1e-6)


def test_gas_is_compressed_once_as_far_as_uclchem_compresses_it() -> None:
    density = SHOCK.density_at(np.linspace(0.0, 40.0 * SHOCK.dissipation_time, 500))
    assert (np.diff(density) >= 0.0).all()
    assert density[0] == pytest.approx(SHOCK.density)
    speed, pressure, final = SHOCK.velocity, 0.5 * SHOCK.alfven_velocity**2, 2.0
    for _ in range(200):
        final = (pressure * speed**2 / (final * speed + pressure - final**2)) ** 0.5
    assert SHOCK.final_velocity == pytest.approx(final)
    assert density[-1] == pytest.approx(SHOCK.density * speed / final, rel=1e-3)


def test_a_parcel_moves_with_the_neutrals() -> None:
    years = np.linspace(0.0, 4e4, 20_001)
    distance = SHOCK._distance(years)
    speed = np.diff(distance) / np.diff(years * 3.16e7) / 1e5
    middle = SHOCK._neutral_velocity(0.5 * (distance[1:] + distance[:-1]))
    np.testing.assert_allclose(speed, middle, rtol=5e-3)
