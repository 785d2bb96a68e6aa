"""Windows lie within tracers, whatever window, stride and lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.data.windows import time_steps, window_rows, window_starts
from chemnet.errors import DataError

lengths_lists = st.lists(st.integers(0, 40), max_size=8)


def starts_by_hand(lengths: list[int], window: int, stride: int) -> list[int]:
    """Plain Python, for comparison."""
    starts, first = [], 0
    for length in lengths:
        starts += [first + start for start in range(0, length - window + 1, stride)]
        first += length
    return starts


@given(lengths_lists, st.integers(2, 45), st.integers(1, 50))
def test_windows_are_all_that_fit_into_a_tracer(lengths: list[int], window: int, stride: int) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    starts = window_starts(offsets, window, stride)
    assert starts.dtype == np.int64
    assert starts.tolist() == starts_by_hand(lengths, window, stride)


@given(lengths_lists, st.integers(2, 45))
def test_no_window_crosses_from_one_tracer_to_the_next(lengths: list[int], window: int) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = window_rows(window_starts(offsets, window), window)
    tracer = np.repeat(np.arange(len(lengths)), lengths)
    assert (tracer[rows] == tracer[rows[:, :1]]).all()


def test_tracers_shorter_than_the_window_have_none() -> None:
    assert window_starts(np.array([0, 5, 8]), window=6).tolist() == []
    assert window_starts(np.array([0, 5, 8]), window=4).tolist() == [0, 1]


def test_the_reference_set_has_59_windows_of_240_rows_per_tracer() -> None:
    assert len(window_starts(np.array([0, 298]), window=240)) == 59


def test_time_steps_are_the_differences_along_the_last_axis() -> None:
    assert time_steps(np.array([[0.0, 1.0, 4.0], [2.0, 2.5, 9.0]])).tolist() == [[1.0, 3.0], [0.5, 6.5]]


@pytest.mark.parametrize(
    ("window", "stride", "message"), [(1, 1, "no transition"), (5, 0, "does not advance")]
)
def test_windows_that_lead_nowhere_are_refused(window: int, stride: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        window_starts(np.array([0, 10]), window, stride)
