"""Metrics against values worked out by hand, and against NumPy on random errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chemnet.data import abundance_errors
from chemnet.evaluation import element_drift
from chemnet.models.validation_metrics import DEX_BIN

ERRORS = arrays(np.float64, st.tuples(st.integers(1, 60), st.integers(1, 3)), elements=st.floats(0.0, 19.9))


def test_dex_error_clips_both_sides_and_punishes_what_is_not_finite():
    predicted = np.array([1e-3, 1e-25, 0.0, 5.0, np.nan, np.inf])
    truth = np.array([1e-5, 1e-30, 1e-18, 1.0, 1e-5, 1.0])
    dex = abundance_errors.dex_error(predicted, truth, floor=1e-20)
    np.testing.assert_allclose(dex, [2.0, 0.0, 2.0, 0.0, 20.0, 0.0], atol=1e-12)


def test_relative_error_is_that_of_the_ratio():
    signed = np.log10(np.array([1.1, 0.5, 1.0]))
    np.testing.assert_allclose(element_drift.relative_error(signed), [0.1, 0.5, 0.0], atol=1e-12)


def test_element_drift_is_relative_to_the_start_and_zero_for_absent_elements():
    # columns H2, CO; elements H, C, N
    stoichiometry = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    initial = np.array([[0.5, 1e-4]])
    later = np.array([[0.55, 0.5e-4]])
    np.testing.assert_allclose(element_drift.element_drift(later, initial, stoichiometry), [[0.1, 0.5, 0.0]])


def test_charge_residual_is_the_net_charge():
    abundance = np.array([[1e-4, 3e-4, 1.0]])
    assert element_drift.charge_residual(abundance, np.array([1.0, -1.0, 0.0])) == pytest.approx(2e-4)


@given(ERRORS)
def test_histograms_count_every_error_once(dex):
    assert (abundance_errors.histogram(dex).sum(axis=1) == len(dex)).all()


@given(ERRORS, st.floats(0.01, 0.99))
def test_the_quantile_is_right_to_a_bin(dex, quantile):
    found = abundance_errors.histogram_quantile(abundance_errors.histogram(dex), quantile)
    for column in range(dex.shape[1]):
        lower = np.quantile(dex[:, column], quantile, method="inverted_cdf")
        assert found[column] == pytest.approx(lower, abs=DEX_BIN + 1e-9)


@given(ERRORS, ERRORS.filter(lambda dex: dex.shape[1] >= 1))
def test_batches_of_histograms_add_up(first, second):
    width = min(first.shape[1], second.shape[1])
    both = np.concatenate([first[:, :width], second[:, :width]])
    summed = abundance_errors.histogram(first[:, :width]) + abundance_errors.histogram(second[:, :width])
    np.testing.assert_array_equal(abundance_errors.histogram(both), summed)


def test_nothing_counted_has_quantile_zero():
    assert abundance_errors.histogram_quantile(
        np.zeros((2, abundance_errors.BINS), dtype=np.int64), 0.99
    ).tolist() == [
        0.0,
        0.0,
    ]
