"""Windows of consecutive rows inside trajectories, and the time steps between rows."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from chemnet.errors import DataError


def window_starts(offsets: np.ndarray, window: int, stride: int = 1) -> np.ndarray:
    """Return the first row of every window that lies within one tracer.

    Parameters
    ----------
    offsets
        Tracer t owns rows ``offsets[t]:offsets[t + 1]``, `(n_tracers + 1,)`.
    window
        Rows per window, at least 2.
    stride
        Rows between the starts of neighbouring windows of one tracer, at least 1.

    Returns
    -------
    starts : int64 `(n_windows,)`
        In row order. A tracer of n rows has ``(n - window) // stride + 1`` of them, none when n < window.

    Raises
    ------
    DataError
        When window or stride are too small.

    Examples
    --------
    >>> window_starts(np.array([0, 4, 6, 11]), window=3, stride=2)
    array([0, 6, 8])
    """
    if window < 2:
        raise DataError(
            f"a window of {window} rows holds no transition", hint="set preprocess.window to 2 or more"
        )
    if stride < 1:
        raise DataError(
            f"a stride of {stride} rows does not advance", hint="set preprocess.stride to 1 or more"
        )
    return _window_starts(np.ascontiguousarray(offsets, dtype=np.int64), window, stride)


def window_rows(starts: np.ndarray, window: int) -> np.ndarray:
    """Return the rows of each window `(n_windows, window)`: row indices into the flat arrays of a split."""
    return np.asarray(starts)[:, None] + np.arange(window)


def time_steps(time: Any) -> Any:
    """Return the step lengths dt_BT [yr] `(..., window - 1)` between the times [yr] `(..., window)`."""
    return time[..., 1:] - time[..., :-1]


@numba.njit(cache=True)
def _window_starts(offsets: np.ndarray, window: int, stride: int) -> np.ndarray:
    """Fill the starts tracer by tracer; the first loop counts them so that the array is allocated once."""
    n_windows = 0
    for tracer in range(offsets.size - 1):
        spare = offsets[tracer + 1] - offsets[tracer] - window
        if spare >= 0:
            n_windows += spare // stride + 1
    starts = np.empty(n_windows, dtype=np.int64)
    filled = 0
    for tracer in range(offsets.size - 1):
        for start in range(offsets[tracer], offsets[tracer + 1] - window + 1, stride):
            starts[filled] = start
            filled += 1
    return starts
