"""Whole tracers from a seed: a density family, its surroundings, perhaps heating and a phase before."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.tracers import environment
from chemnet.chemistry.tracers.density import FAMILIES, HIGHEST, LOWEST
from chemnet.chemistry.tracers.noise import log_uniform
from chemnet.chemistry.tracers.tracer import StaticPhase, Tracer
from chemnet.errors import ConfigError, suggest

# conditions of the phase before the first row, which know nothing of that row's: a cloud that was elsewhere.
# Initial states of reference tracers lie near those of such phases (docs/how-to/simulate.md)
_PRE_PHASE_DURATION = (2e4, 1.5e6)  # [yr]
_PRE_PHASE_DENSITY = (10**3.4, 10**5.6)  # [cm^-3]
_PRE_PHASE_RADFIELD = (0.02, 2.5)  # [Habing]
_PRE_PHASE_EXTINCTION = (1.0, 20.0)  # [mag]
_PRE_PHASE_TEMPERATURE = (12.0, 45.0)  # [K]

# share of each family in the reference tracers
DEFAULT_WEIGHTS: Mapping[str, float] = {
    "freefall": 0.27,
    "sigmoid": 0.18,
    "turbulent": 0.22,
    "rebound": 0.10,
    "diffuse": 0.11,
    "twostage": 0.09,
    "static": 0.03,
}


def generate_tracers(
    n_tracers: int,
    seed: int,
    *,
    n_steps: int = 298,
    end_time: float = 1e6,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    pre_phase_share: float = 1 / 3,
    heating_share: float = 1 / 3,
) -> list[Tracer]:
    """Return `n_tracers` varied tracers; tracer i depends on the seed and on i alone.

    Parameters
    ----------
    n_tracers, seed
        How many, and the seed of all.
    n_steps, end_time
        Rows per tracer, equally spaced from 0 to `end_time` [yr].
    weights
        Relative frequency per family (see `FAMILIES`).
    pre_phase_share, heating_share
        Fraction of tracers with a static phase before step 0, and with heating events.

    Raises
    ------
    ConfigError
        No tracers, fewer than 2 steps, no time, an unknown family, a negative weight, weights that are all 0.

    Examples
    --------
    >>> tracer = generate_tracers(1, seed=0, n_steps=50)[0]
    >>> len(tracer), sorted(tracer.as_mapping())
    (50, ['Av', 'Density', 'Radfield', 'gasTemp', 'time'])
    """
    check_options(n_tracers, n_steps, end_time, weights)
    time = np.linspace(0.0, end_time, n_steps)
    return [
        generate_tracer(index, seed, time, weights, pre_phase_share, heating_share)
        for index in range(n_tracers)
    ]


def generate_tracer(
    index: int,
    seed: int,
    time: NDArray[np.float64],
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    pre_phase_share: float = 1 / 3,
    heating_share: float = 1 / 3,
) -> Tracer:
    """Return tracer `index` of the set of this `seed`, over `time`, shape ``(steps,)`` [yr]."""
    rng = np.random.default_rng([seed, index])
    names = list(weights)
    chances = np.array([weights[name] for name in names], dtype=float)
    family = names[int(rng.choice(len(names), p=chances / chances.sum()))]
    has_pre_phase, is_heated = rng.random() < pre_phase_share, rng.random() < heating_share
    physical = _physical(rng, time, family, is_heated)
    pre_phase = _static_phase(rng) if has_pre_phase else None
    return Tracer(str(index), time, physical, family, pre_phase)


def check_options(n_tracers: int, n_steps: int, end_time: float, weights: Mapping[str, float]) -> None:
    """Raise a ConfigError for options from which no tracer can be made."""
    if n_tracers < 1:
        raise ConfigError(
            f"a set needs at least 1 tracer, got {n_tracers}", hint="set simulate.n_tracers to 1 or more"
        )
    if n_steps < 2:
        raise ConfigError(
            f"a tracer needs at least 2 steps, got {n_steps}", hint="set simulate.n_steps to 2 or more"
        )
    if not end_time > 0.0:
        raise ConfigError(
            f"a tracer must last longer than 0 yr, got {end_time}", hint="set simulate.end_time [yr]"
        )
    for name, weight in weights.items():
        if name not in FAMILIES:
            raise ConfigError(f"there is no tracer family {name!r}", hint=suggest(name, FAMILIES))
        if not weight >= 0.0:
            raise ConfigError(
                f"the weight of tracer family {name!r} is {weight}; it must be 0 or greater",
                hint=f"set simulate.families.{name}; 0 leaves the family out",
            )
    if not sum(weights.values()) > 0.0:
        raise ConfigError(
            "the weights of all tracer families are 0, so there is nothing to draw from",
            hint="give at least one family of simulate.families a positive weight",
        )


def _physical(
    rng: np.random.Generator, time: NDArray[np.float64], family: str, is_heated: bool
) -> NDArray[np.float64]:
    """Return density, radiation field, extinction and temperature, shape ``(steps, 4)``."""
    fraction = time / time[-1]
    log_density = np.clip(FAMILIES[family](rng, time), LOWEST, HIGHEST)
    log_av = environment.extinction(rng, fraction, log_density)
    log_radfield = environment.radiation_field(rng, fraction, log_density, log_av)
    log_temperature = environment.temperature(rng, fraction, log_density)
    if is_heated:
        log_temperature = environment.heating_events(rng, fraction, log_temperature)
    return 10.0 ** np.stack([log_density, log_radfield, log_av, log_temperature], axis=1)


def _static_phase(rng: np.random.Generator) -> StaticPhase:
    """Return conditions before the first row, each drawn evenly in its logarithm."""
    return StaticPhase(
        duration=float(log_uniform(rng, *_PRE_PHASE_DURATION)),
        density=float(log_uniform(rng, *_PRE_PHASE_DENSITY)),
        radfield=float(log_uniform(rng, *_PRE_PHASE_RADFIELD)),
        av=float(log_uniform(rng, *_PRE_PHASE_EXTINCTION)),
        gas_temperature=float(log_uniform(rng, *_PRE_PHASE_TEMPERATURE)),
    )
