"""Scaling maps logarithms onto [0, 1], and back, for arrays and tensors alike."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.data.scaling import AbundanceScaling, PhysicalScaling, round_down, round_up
from chemnet.errors import DataError

abundances = st.lists(st.floats(0.0, 2.0), min_size=1, max_size=20).map(np.array)
positive = st.floats(1e-12, 1e12)


@given(abundances, st.sampled_from([1e-20, 1e-16, 1e-30]))
def test_scaled_abundances_lie_between_0_and_1(abundance: np.ndarray, floor: float) -> None:
    scaled = AbundanceScaling(floor).scale(abundance)
    assert ((scaled >= -1e-12) & (scaled <= 1.0)).all()


@given(abundances)
def test_unscaling_returns_the_clipped_abundance(abundance: np.ndarray) -> None:
    scaling = AbundanceScaling(1e-20)
    np.testing.assert_allclose(
        scaling.unscale(scaling.scale(abundance)), np.clip(abundance, 1e-20, 1.0), rtol=1e-10
    )


def test_scaled_abundances_follow_the_formula() -> None:
    abundance = np.array([1e-25, 1e-20, 3e-7, 0.5, 1.0])
    expected = (np.log10(np.clip(abundance, 1e-16, 1)) - np.log10(1e-16)) / -np.log10(1e-16)
    np.testing.assert_allclose(AbundanceScaling(1e-16).scale(abundance), expected, atol=1e-15)


def test_float32_stays_float32_and_keeps_its_precision() -> None:
    abundance = np.logspace(-20, 0, 1000)
    scaling = AbundanceScaling(1e-20)
    scaled = scaling.scale(abundance.astype(np.float32))
    assert scaled.dtype == np.float32
    assert scaling.unscale(scaled).dtype == np.float32
    np.testing.assert_allclose(scaled, scaling.scale(abundance), atol=3e-7)


def test_tensors_scale_as_arrays_do_and_carry_gradients() -> None:
    import torch

    values = np.array([[1e-12, 1e-3], [1e-30, 1.0]])
    tensor = torch.tensor(values, requires_grad=True)
    scaling = AbundanceScaling(1e-20)
    scaled = scaling.scale(tensor)
    scaled.sum().backward()
    np.testing.assert_allclose(scaled.detach().numpy(), scaling.scale(values))
    assert tensor.grad is not None
    assert tensor.grad[0, 0] > 0

    physical = PhysicalScaling((1e2, 10.0), (1e6, 1e3))
    conditions = torch.tensor([[1e4, 100.0]], dtype=torch.float32)
    np.testing.assert_allclose(physical.scale(conditions).numpy(), [[0.5, 0.5]], atol=1e-6)
    assert physical.unscale(physical.scale(conditions)).dtype == torch.float32


@pytest.mark.parametrize("floor", [0.0, -1e-20, 1.0, 1e-40, float("nan")])
def test_a_floor_without_a_usable_logarithm_is_refused(floor: float) -> None:
    with pytest.raises(DataError, match="abundance floor"):
        AbundanceScaling(floor)


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=5))
def test_physical_values_in_the_range_scale_into_0_to_1_and_back(bounds: list[tuple[float, float]]) -> None:
    low, high = np.min(bounds, axis=1), np.max(bounds, axis=1)
    scaling = PhysicalScaling.from_range(low, high)
    for values in (low, high):
        scaled = scaling.scale(values)
        assert ((scaled > -1e-9) & (scaled < 1 + 1e-9)).all()
        np.testing.assert_allclose(scaling.unscale(scaled), values, rtol=1e-9)


@given(positive)
def test_rounding_goes_outward_and_keeps_two_figures(value: float) -> None:
    low, high = round_down(value), round_up(value)
    assert low <= value <= high
    assert high <= value * 1.1 * (1 + 1e-12)
    assert low >= value / 1.1 * (1 - 1e-12)
    for bound in (low, high):
        assert len(Decimal(repr(bound)).normalize().as_tuple().digits) <= 2


def test_the_reference_ranges_are_rounded_as_published() -> None:
    scaling = PhysicalScaling.from_range([68481.0, 1e-4, 0.1, 13.0], [1284211415.0, 26.0, 6914.0, 133.0])
    assert scaling.minimum == (68000.0, 1e-4, 0.1, 13.0)
    assert scaling.maximum == (1.3e9, 26.0, 7000.0, 140.0)


def test_a_constant_parameter_is_scaled_to_0_and_comes_back() -> None:
    scaling = PhysicalScaling.from_range([10.0], [10.0])
    assert scaling.scale(np.array([[10.0]])).tolist() == [[0.0]]
    assert scaling.unscale(np.array([[0.0]])) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("low", "high"), [((0.0,), (1.0,)), ((2.0,), (1.0,)), ((1.0,), (1.0, 2.0)), ((1.0,), (np.inf,))]
)
def test_ranges_without_a_logarithm_are_refused(low: tuple[float, ...], high: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="0 < minimum <= maximum"):
        PhysicalScaling(low, high)


def test_both_scalings_survive_as_plain_values() -> None:
    abundance, physical = AbundanceScaling(1e-18), PhysicalScaling((1.0, 2.0), (10.0, 20.0))
    together = {**abundance.to_dict(), **physical.to_dict()}
    assert AbundanceScaling.from_dict(together) == abundance
    assert PhysicalScaling.from_dict(together) == physical
