"""Collapsing Bonnor-Ebert spheres."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.chemistry.clouds.bonnor_ebert import COLLAPSES, HIGHEST_DENSITY

SPHERE = COLLAPSES["BE1.1"]


@pytest.mark.parametrize(("name", "overdensity"), [("BE1.1", 1.1), ("BE4", 4.0)])
def test_the_centre_begins_as_that_of_aikawa_and_others_and_ends_at_the_highest_density(
    name: str, overdensity: float
) -> None:
    sphere = COLLAPSES[name]
    begin, end = sphere.density(np.zeros(2), np.array([0.0, sphere.end]))
    # a sphere in equilibrium with 1e4 H2 molecules per cm^3, 2e4 H nuclei, at its centre, made denser
    assert begin == pytest.approx(overdensity * 2e4, rel=0.05)
    assert end == pytest.approx(HIGHEST_DENSITY, rel=1e-6)


def test_shells_fall_inwards_and_keep_their_order() -> None:
    shells = np.linspace(0.0, 0.1, 6)
    radii, columns = SPHERE.follow(shells, np.linspace(0.0, SPHERE.end, 30))
    np.testing.assert_allclose(radii[:, 0], shells, rtol=1e-3, atol=1e-9)
    assert (radii[0] == 0.0).all()
    assert (np.diff(radii, axis=0) > 0.0).all()
    assert (np.diff(columns, axis=0) > 0.0).all()
    assert (radii[1:, -1] < shells[1:]).all()


def test_a_shell_keeps_the_mass_inside_it() -> None:
    time = np.array([0.0, 8e5, 1.1e6])
    radii, _ = SPHERE.follow(np.array([0.02, 0.1]), time)
    masses = []
    for row, now in enumerate(time):
        grid = np.linspace(0.0, radii[0, row], 20_001)
        masses.append(np.trapezoid(SPHERE.density(grid, now) * grid**2, grid))
    np.testing.assert_allclose(masses, masses[0], rtol=5e-3)
