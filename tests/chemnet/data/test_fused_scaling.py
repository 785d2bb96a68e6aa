"""One pass over the abundances gives what the plain scaling gives, and sees what no abundance can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.data.fused_scaling import scale_abundances
from chemnet.data.scaling import AbundanceScaling

FLOORS = (1e-37, 1e-30, 1e-20, 1e-14, 1e-3, 0.5)


def scaled(values: np.ndarray, floor: float, rows: np.ndarray | None = None) -> tuple[np.ndarray, bool]:
    """Return some rows, all by default, scaled in one pass, and whether they are sound."""
    rows = np.arange(len(values)) if rows is None else rows
    out = np.full((len(rows), values.shape[1]), np.nan, dtype=np.float32)
    return out, scale_abundances(values, rows, AbundanceScaling(floor), out)


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_is_the_plain_scaling_to_the_precision_of_float32(floor: float, dtype: type) -> None:
    rng = np.random.default_rng(3)
    values = (10 ** rng.uniform(np.log10(floor) - 2, 0.3, (300, 333))).astype(dtype)
    found, sound = scaled(values, floor)
    plain = AbundanceScaling(floor).scale(values.astype(np.float64))
    assert sound
    np.testing.assert_allclose(found, plain, rtol=0, atol=2e-7)


@given(value=st.floats(0.0, 2.0), floor=st.sampled_from(FLOORS))
def test_any_abundance_is_scaled_to_between_0_and_1(value: float, floor: float) -> None:
    found, sound = scaled(np.array([[value]]), floor)
    assert sound
    assert 0.0 <= found[0, 0] <= 1.0
    assert abs(found[0, 0] - AbundanceScaling(floor).scale(value)) < 2e-7


@pytest.mark.parametrize("floor", FLOORS)
def test_the_floor_and_one_are_the_ends(floor: float) -> None:
    found, _ = scaled(np.array([[0.0, 1e-300, floor, 1.0, 1.5]]), floor)
    assert found.tolist() == [[0.0, 0.0, 0.0, 1.0, 1.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1e-30, 2.001])
def test_what_no_abundance_can_be_is_seen_wherever_it_stands(value: float, dtype: type) -> None:
    for place in ((0, 0), (4, 7), (8, 16)):
        values = np.full((9, 17), 0.1, dtype=dtype)
        assert scaled(values, 1e-20)[1]
        values[place] = value
        found, sound = scaled(values, 1e-20)
        assert not sound
        assert (np.delete(found.ravel(), place[0] * 17 + place[1]) == np.float32(0.95)).all()


def test_the_chosen_rows_are_taken_in_their_order_from_any_layout() -> None:
    table = np.arange(1, 61, dtype=np.float64).reshape(6, 10) / 100
    rows = np.array([5, 0, 3])
    wanted, _ = scaled(np.ascontiguousarray(table[rows, 2:]), 1e-20)
    for values in (table[:, 2:], np.asfortranarray(table)[:, 2:]):
        found, _ = scaled(values, 1e-20, rows)
        np.testing.assert_array_equal(found, wanted)


def test_whole_numbers_are_scaled_as_well() -> None:
    assert scaled(np.array([[0, 1]]), 1e-20)[0].tolist() == [[0.0, 1.0]]
