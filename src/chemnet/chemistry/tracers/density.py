"""Density histories: seven families, each a function of a random source and of time.

All of them return log10 of the density in H nuclei cm^-3. The ranges follow the Lagrangian tracers of
collapsing clouds for which gas-grain surrogates are published: 1e4 to 1e9 cm^-3 within 1 Myr.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.tracers.noise import log_uniform, smooth_noise

Array = NDArray[np.float64]

# free-fall time of a uniform sphere: 4.35e7 yr / sqrt(n_H), for a mean mass of 1.4 amu per H nucleus
FREE_FALL_YEARS = 4.35e7
LOWEST, HIGHEST = 4.0, 9.12

_CLOUD = (4.86, 5.50)  # log10 density in which a core begins
_CORE = (5.65, 9.05)  # log10 density at which it ends
_REBOUND_LIMIT = 7.5  # a core that comes apart again never gets denser than this


def free_fall(rng: np.random.Generator, time: Array) -> Array:
    """Hold, collapse as a cold uniform sphere slowed by a factor of up to 5, and stop smoothly at a core.

    ``n = n0 cos^-6 xi``, ``t = f t_ff (2/pi) (xi + sin(2 xi)/2)`` (Spitzer 1978, section 13.3).
    """
    start, core = rng.uniform(*_CLOUD), rng.uniform(*_CORE)
    free_fall_time = FREE_FALL_YEARS / 10 ** (0.5 * start)
    collapse_end = max(rng.uniform(0.22, 1.0) * time[-1], free_fall_time)
    duration = min(rng.uniform(1.2, 5.0) * free_fall_time, collapse_end)
    falling = start + collapse_profile((time - (collapse_end - duration)) / duration)
    return _smooth_cap(falling, max(core, start + 0.3), sharpness=rng.uniform(3.0, 9.0))


def collapse_profile(fraction: Array) -> Array:
    """Return log10 of the compression of a pressureless sphere.

    Parameters
    ----------
    fraction
        Time in units of the free-fall time; below 0 nothing has happened yet, from 1 on the density is
        infinite and is returned as its value just before.

    Examples
    --------
    >>> round(float(collapse_profile(np.array([0.5]))[0]), 3)
    0.232
    """
    # the angle that is left, pi/2 - xi, is smooth in the time that is left: interpolating it stays precise
    angle_left = np.linspace(1e-3, 0.5 * np.pi, 4001)
    time_left = (2.0 / np.pi) * (angle_left - 0.5 * np.sin(2.0 * angle_left))
    left = np.interp(1.0 - np.clip(fraction, 0.0, 1.0), time_left, angle_left)
    return -6.0 * np.log10(np.sin(left))


def sigmoid(rng: np.random.Generator, time: Array) -> Array:
    """Rise once, along a logistic curve in log density."""
    start, core = rng.uniform(*_CLOUD), rng.uniform(*_CORE)
    fraction = time / time[-1]
    return start + (core - start) * _logistic(fraction, rng.uniform(0.2, 0.9), rng.uniform(0.015, 0.11))


def two_stage(rng: np.random.Generator, time: Array) -> Array:
    """Rise twice with a rest between: first a core, then its centre."""
    start, core = rng.uniform(*_CLOUD), rng.uniform(5.65, 8.8)
    fraction, share = time / time[-1], rng.uniform(0.2, 0.8)
    first = rng.uniform(0.1, 0.5)
    second = rng.uniform(first + 0.1, 0.95)
    rise = share * _logistic(fraction, first, rng.uniform(0.015, 0.06))
    rise += (1.0 - share) * _logistic(fraction, second, rng.uniform(0.015, 0.06))
    return start + (core - start) * rise


def turbulent(rng: np.random.Generator, time: Array) -> Array:
    """Drift towards higher density under strong, irregular compression and expansion."""
    start, core = rng.uniform(5.0, 5.7), rng.uniform(5.6, 8.4)
    fraction = time / time[-1]
    drift = start + (core - start) * _logistic(fraction, rng.uniform(0.2, 0.8), rng.uniform(0.08, 0.25))
    return drift + smooth_noise(rng, fraction, float(log_uniform(rng, 0.07, 0.35)), (2.0, 22.0))


def rebound(rng: np.random.Generator, time: Array) -> Array:
    """Contract, then come apart again: a bell in log density."""
    start = rng.uniform(*_CLOUD)
    peak = min(start + rng.uniform(0.7, 3.2), _REBOUND_LIMIT)
    centre = rng.uniform(0.28, 0.79)
    width = np.where(time / time[-1] < centre, rng.uniform(0.045, 0.15), rng.uniform(0.045, 0.15))
    bell = np.exp(-0.5 * ((time / time[-1] - centre) / width) ** 2)
    end = start + rng.uniform(-0.05, 0.25)
    return np.where(time / time[-1] < centre, start + (peak - start) * bell, end + (peak - end) * bell)


def diffuse(rng: np.random.Generator, time: Array) -> Array:
    """Stay thin: a slow drift between 1e4 and 3e5 cm^-3 under mild disturbances."""
    fraction = time / time[-1]
    drift = rng.uniform(4.1, 4.6) + rng.uniform(0.2, 0.9) * fraction
    return drift + smooth_noise(rng, fraction, float(log_uniform(rng, 0.012, 0.17)), (2.0, 18.0))


def static(rng: np.random.Generator, time: Array) -> Array:
    """Hardly change at all."""
    fraction = time / time[-1]
    return rng.uniform(4.85, 6.8) + smooth_noise(rng, fraction, rng.uniform(0.005, 0.03), (2.5, 7.0))


FAMILIES: dict[str, Callable[[np.random.Generator, Array], Array]] = {
    "freefall": free_fall,
    "sigmoid": sigmoid,
    "turbulent": turbulent,
    "rebound": rebound,
    "diffuse": diffuse,
    "twostage": two_stage,
    "static": static,
}


def _logistic(fraction: Array, centre: float, width: float) -> Array:
    """Return a smooth step from 0 to 1 around `centre`."""
    return 1.0 / (1.0 + np.exp(-(fraction - centre) / width))


def _smooth_cap(log_density: Array, cap: float, sharpness: float) -> Array:
    """Return `log_density` bent over so that it never exceeds `cap`."""
    scale = sharpness * np.log(10.0)
    return cap - np.logaddexp(0.0, scale * (cap - log_density)) / scale
