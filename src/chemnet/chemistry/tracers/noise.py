"""Smooth random disturbances: sums of a few sine waves, so that rates of change stay bounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST_WAVES = 5


def smooth_noise(
    rng: np.random.Generator, fraction: NDArray[np.float64], spread: float, cycles: tuple[float, float]
) -> NDArray[np.float64]:
    """Return a sum of two to five sine waves with random phases.

    Parameters
    ----------
    rng
        Source of the random numbers.
    fraction
        Shape ``(steps,)``: time as a fraction of the whole run.
    spread
        Root mean square of the result, averaged over phases.
    cycles
        Fewest and most full waves over the run; drawn uniformly in the logarithm.

    Returns
    -------
    NDArray
        Shape ``(steps,)``, mean near zero.
    """
    n_waves = int(rng.integers(2, _MOST_WAVES + 1))
    wave_number = log_uniform(rng, *cycles, size=n_waves)
    weight = rng.rayleigh(size=n_waves) / wave_number**0.5
    weight *= spread * np.sqrt(2.0 / np.sum(weight**2))
    phase = rng.uniform(0.0, 2.0 * np.pi, size=n_waves)
    return np.sin(2.0 * np.pi * np.outer(fraction, wave_number) + phase) @ weight


def log_uniform(
    rng: np.random.Generator, low: float, high: float, size: int | None = None
) -> NDArray[np.float64]:
    """Return numbers between `low` and `high` whose logarithm is uniform; a scalar array without `size`."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size=size))
