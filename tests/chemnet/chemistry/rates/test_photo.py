"""Photorates: dust, self-shielding, and the way UCLCHEM reads its CO table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from chemnet.chemistry.rates.photo import (
    CO_COLUMN_GRID,
    CO_SHIELDING,
    H2_COLUMN_GRID,
    co_line_shielding,
    co_shielding_tables,
    columns,
    h2_dissociation,
    h2_self_shielding,
    scattering,
    spline_curvature,
)


def test_knots_of_the_co_table_are_met() -> None:
    tables = co_shielding_tables(False)
    for i, h2 in enumerate(H2_COLUMN_GRID):
        for j, co in enumerate(CO_COLUMN_GRID):
            assert np.log10(co_line_shielding(10**h2, 10**co, *tables)) == pytest.approx(
                CO_SHIELDING[i, j], abs=1e-9
            )


def test_columns_beyond_the_table_keep_its_edge() -> None:
    tables = co_shielding_tables(False)
    assert co_line_shielding(1e25, 1e21, *tables) == pytest.approx(10.0 ** CO_SHIELDING[-1, -1])
    assert co_line_shielding(0.0, 0.0, *tables) == pytest.approx(1.0)


def test_uclchem_shifts_the_table_and_loses_its_end() -> None:
    grid, table, _ = co_shielding_tables(True)
    assert (len(grid), table.shape) == (7, (7, 6))
    assert table[0, 1] == CO_SHIELDING[0, 7]


def test_curvature_is_that_of_the_natural_spline() -> None:
    x, y = np.array([0.0, 1.0, 2.5, 4.0]), np.array([1.0, 0.0, 2.0, 1.5])
    expected = CubicSpline(x, y, bc_type="natural")(x, 2)
    np.testing.assert_allclose(spline_curvature(x, y), expected, atol=1e-12)


def test_dust_dims_short_wavelengths_more() -> None:
    assert scattering(1000.0, 0.0) == 1.0
    assert scattering(1000.0, 2.0) < scattering(3000.0, 2.0) < 1.0


def test_h2_shields_itself() -> None:
    shielding = [h2_self_shielding(column) for column in (0.0, 1e14, 1e16, 1e18, 1e21)]
    assert shielding == sorted(shielding, reverse=True)
    assert shielding[-1] < 1e-4


def test_h2_dissociation_without_matter_is_the_rate_in_the_field() -> None:
    assert h2_dissociation(0.0, 1.7, 0.0) == pytest.approx(5.18e-11, rel=0.05)


def test_columns_follow_the_extinction() -> None:
    nuclei, h2, co = columns(10.0)
    assert nuclei == pytest.approx(10.0 / 5.348e-22)
    assert h2 == pytest.approx(0.5 * nuclei)
    assert co == pytest.approx(1e-4 * nuclei, rel=1e-3)
