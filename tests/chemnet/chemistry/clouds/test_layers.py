"""What each point of a cloud has in front of it."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.chemistry.clouds import Layers
from chemnet.chemistry.rates.photo import columns
from chemnet.chemistry.tracers import PHYSICAL_NAMES, Tracer

ROWS = 3
NUCLEI = np.array([[3e21], [2e21], [1e21]]) * np.ones(ROWS)
LAYERS = Layers(NUCLEI, base_av=1.0)


def tracer(point: int, layers: Layers = LAYERS) -> Tracer:
    ones = np.ones(ROWS)
    physical = np.stack([1e4 * ones, ones, layers.extinction[point], 10.0 * ones], axis=1)
    return Tracer(str(point + 1), np.arange(ROWS) * 1e3, physical)


def shielded(
    point: int, *outside: tuple[float, float, float], layers: Layers = LAYERS
) -> dict[str, np.ndarray]:
    held = [np.tile(one, (ROWS, 1)) for one in outside]
    carbon = held[0][:, 2] if held else np.full(ROWS, 1e-4)
    return layers.shield(tracer(point, layers), point, held, carbon).as_mapping()


def test_extinction_adds_up_from_outside() -> None:
    np.testing.assert_allclose(LAYERS.extinction[:, 0], 1.0 + np.array([6.0, 3.0, 1.0]) / 1.6)


def test_half_the_dust_dims_half_as_much() -> None:
    thin = Layers(NUCLEI, 1.0, dust_to_gas=0.005)
    np.testing.assert_allclose(thin.extinction - 1.0, 0.5 * (LAYERS.extinction - 1.0))


def test_the_outermost_point_has_the_columns_of_a_plain_tracer() -> None:
    columns_of = shielded(2)
    nuclei, h2, co = columns(float(LAYERS.extinction[2, 0]))
    assert list(columns_of)[-3:] == ["N_H2", "N_CO", "N_C"]
    np.testing.assert_array_equal(columns_of["N_H2"], h2)
    np.testing.assert_array_equal(columns_of["N_CO"], co)
    np.testing.assert_allclose(columns_of["N_C"], nuclei * 1e-4)


def test_points_outside_add_what_they_hold() -> None:
    outer, middle, inner = (
        shielded(2),
        shielded(1, (0.4, 1e-5, 2e-5)),
        shielded(0, (0.5, 5e-5, 1e-6), (0.4, 1e-5, 2e-5)),
    )
    for name, in_outer, in_middle in (("N_H2", 0.4, 0.5), ("N_CO", 1e-5, 5e-5)):
        assert (outer[name] < middle[name]).all()
        own = {point: shielded(point, *[(0.0, 0.0, 0.0)] * (2 - point))[name] for point in (0, 1)}
        np.testing.assert_allclose(middle[name] - own[1], in_outer * 1e21)
        np.testing.assert_allclose(inner[name] - own[0], in_outer * 1e21 + in_middle * 2e21)


def test_carbon_of_its_own_layer_is_that_of_the_next_point_outside() -> None:
    nuclei = columns(1.0 + 2.0 / 1.6)[0]
    expected = 2e-5 * nuclei + 2e-5 * 1e21
    np.testing.assert_allclose(shielded(1, (0.4, 1e-5, 2e-5))["N_C"], expected)


def test_further_conditions_stay() -> None:
    plain = tracer(2)
    with_zeta = Tracer(
        "3",
        plain.time,
        np.column_stack([plain.physical, np.full(ROWS, 5.0)]),
        names=(*PHYSICAL_NAMES, "zeta"),
    )
    found = LAYERS.shield(with_zeta, 2, [], np.zeros(ROWS)).as_mapping()
    assert found["zeta"] == pytest.approx(5.0)
    assert found["N_C"] == pytest.approx(0.0)
