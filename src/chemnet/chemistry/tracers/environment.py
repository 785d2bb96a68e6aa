"""Extinction, radiation field and temperature along a density history, and events that heat the gas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.tracers.noise import log_uniform, smooth_noise

Array = NDArray[np.float64]

# log10 limits of the reference tracers; below 13 K hydrogen and helium themselves would freeze out
RADFIELD_LIMITS = (-4.0, float(np.log10(26.0)))
AV_LIMITS = (-1.0, float(np.log10(6914.0)))
TEMPERATURE_LIMITS = (float(np.log10(13.0)), float(np.log10(133.0)))

# the column through a cloud of this density anchors the extinction of all others
_TYPICAL_LOG_DENSITY = 5.2
# gas that starts below it is diffuse: less shielded, more strongly lit, warmer
_THIN_LOG_DENSITY = 4.75
_CYCLES = (1.5, 20.0)


def extinction(rng: np.random.Generator, fraction: Array, log_density: Array) -> Array:
    """Return log10 Av [mag], ``Av = A0 (n/n0)^g`` with g between 0.35 and 0.8, slightly disturbed.

    Parameters
    ----------
    rng
        Source of the random numbers.
    fraction, log_density
        Shape ``(steps,)``: time as a fraction of the run, and log10 of the density [cm^-3].
    """
    start = log_density[0]
    first = rng.uniform(-0.4, 1.0) if start < _THIN_LOG_DENSITY else rng.uniform(-0.15, 1.65)
    first += 0.55 * (start - _TYPICAL_LOG_DENSITY)
    growth = rng.uniform(0.35, 0.8)
    disturbance = smooth_noise(rng, fraction, float(log_uniform(rng, 0.004, 0.11)), _CYCLES)
    return np.clip(first + growth * (log_density - start) + disturbance, *AV_LIMITS)


def radiation_field(rng: np.random.Generator, fraction: Array, log_density: Array, log_av: Array) -> Array:
    """Return log10 F [Habing], ``F = F0 (1 + Av/Av_s)^-q``, slightly disturbed; shapes as in `extinction`."""
    outside = rng.uniform(-0.2, 1.55) if log_density[0] < _THIN_LOG_DENSITY else rng.uniform(-0.85, 1.5)
    knee = rng.uniform(-0.5, 0.9)
    steepness = rng.uniform(0.5, 2.2)
    shielding = steepness * np.log10(1.0 + 10.0 ** (log_av - knee))
    disturbance = smooth_noise(rng, fraction, float(log_uniform(rng, 0.01, 0.15)), _CYCLES)
    return np.clip(outside - shielding + disturbance, *RADFIELD_LIMITS)


def temperature(rng: np.random.Generator, fraction: Array, log_density: Array) -> Array:
    """Return log10 T [K]: cooling by shielding, then heating by compression; shapes as in `extinction`.

    ``T = (T_b + (T_w - T_b) (n/n0)^-p) (1 + n/n_ad)^s``: warm gas T_w outside, cold T_b inside, and above the
    density n_ad the gas keeps its heat.
    """
    cold = rng.uniform(13.5, 17.0)
    warm = max(float(log_uniform(rng, 20.0 if log_density[0] < _THIN_LOG_DENSITY else 14.5, 60.0)), cold)
    compression = 10.0 ** (log_density - log_density[0])
    flicker = 10.0 ** smooth_noise(rng, fraction, float(log_uniform(rng, 0.001, 0.02)), _CYCLES)
    shielded = cold + (warm * flicker - cold) * compression ** -rng.uniform(0.3, 1.1)
    adiabatic = 10.0 ** rng.uniform(6.2, 9.0)
    heated = shielded * (1.0 + 10.0**log_density / adiabatic) ** rng.uniform(0.3, 0.5)
    return np.clip(np.log10(heated), *TEMPERATURE_LIMITS)


def heating_events(rng: np.random.Generator, fraction: Array, log_temperature: Array) -> Array:
    """Return log10 T [K] with one or two bursts added, as when a protostar lights up (a hot corino).

    Each burst rises fast and decays slowly: a bell in log T with a narrow and a wide side.
    `TEMPERATURE_LIMITS` cuts it off, which gives the plateaus of ices gone for good.
    """
    heated = log_temperature.copy()
    for _ in range(int(rng.integers(1, 3))):
        centre = rng.uniform(0.1, 0.92)
        rise, decay = rng.uniform(0.012, 0.04), rng.uniform(0.02, 0.08)
        width = np.where(fraction < centre, rise, decay)
        heated += rng.uniform(0.25, 0.95) * np.exp(-0.5 * ((fraction - centre) / width) ** 2)
    return np.clip(heated, *TEMPERATURE_LIMITS)
