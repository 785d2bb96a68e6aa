"""The warm-up of a hot core."""

from __future__ import annotations

import numpy as np

from chemnet.chemistry.clouds.hot_core import STELLAR_MASSES, hot_core_temperature


def test_the_temperature_is_that_of_uclchem() -> None:
    # examples/example-output/phase2-full.dat of UCLCHEM 1355b32: 10 solar masses, one point
    years = np.array([0.0, 5.61e3, 2.601e4, 7.701e4, 1e6])
    expected = [10.0, 21.01, 49.92, 109.30, 300.0]
    np.testing.assert_allclose(hot_core_temperature(years, 1.0, 3, 10.0, 300.0), expected, atol=0.02)


def test_every_star_warms_its_core_up_to_the_maximum_and_no_further() -> None:
    years = np.geomspace(1.0, 5e6, 200)
    for index in range(1, len(STELLAR_MASSES) + 1):
        temperature = hot_core_temperature(years, 1.0, index, 10.0, 200.0)
        assert (np.diff(temperature) >= 0.0).all()
        assert temperature[0] < 11.0
        assert temperature[-1] == 200.0


def test_gas_closer_to_the_star_is_warmer() -> None:
    inner, edge = hot_core_temperature(np.array([1e4]), np.array([[0.25], [1.0]]), 3, 10.0, 300.0)
    np.testing.assert_allclose(inner - 10.0, 2.0 * (edge - 10.0))
