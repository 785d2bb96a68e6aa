"""The forcing of a step in numbers for the kernels: features of the physical parameters, and the time step.

Shapes: P physical parameters, D features, L latents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.data.description import DataDescription
from chemnet.models.emulators.physical_features import Term
from chemnet.models.emulators.time_step import FixedStep, VariableStep
from chemnet.surrogate.engine.perceptron_arrays import Array, Layer, as_float64
from chemnet.surrogate.predictor import PHYSICAL_MARGIN

Floats = NDArray[np.float32]
# stands for no bound: compiled arithmetic knows no infinities
_UNBOUNDED = 3e38


@dataclass(frozen=True)
class Forcing:
    """What the kernels compute from parameters and time step.

    Attributes
    ----------
    terms
        `(D, 8)`: the numbers of `chemnet.models.emulators.physical_features.Term`, and the centre
        that is subtracted.
    limits
        Range that log10 of each parameter is clamped to, `(P, 2)`.
    usual
        Time step that others are measured by [yr]; 0 where the network is not shown any.
    """

    terms: Floats
    limits: Floats
    usual: float


def forcing_of(emulator: Any, data: DataDescription) -> tuple[Forcing, Array] | None:
    """Return the forcing of an emulator, and the gains `(D' + L,)` of its inputs for its first layer.

    D' counts the time step where it is shown. None for a time step that the kernels do not know.
    """
    time_step = emulator.step.time_step
    usual = {FixedStep: 0.0, VariableStep: float(time_step.usual)}.get(type(time_step))
    if usual is None:
        return None
    features = getattr(emulator.step, "features", None)
    terms, centre, width = _plain_terms(data) if features is None else _learnt_terms(features)
    table = np.column_stack([np.array([tuple(map(float, term)) for term in terms]), centre])
    gains = np.ones(len(terms) + time_step.n_features + emulator.latent_dim)
    gains[: len(terms)] = 1.0 / width
    return Forcing(bounded(table), physical_limits(data), usual), gains


def ranges_of(emulator: Any) -> Floats:
    """Return least and most of standardised latents, their centre and width, `(4, L)`."""
    space = emulator.space
    rows = (space.low, space.high, space.centre, space.width)
    return bounded(np.stack([as_float64(row) for row in rows]))


def absorb(layer: Layer, gains: Array) -> Layer:
    """Return a first layer whose inputs come without their gains."""
    return layer.after_inputs(gains, np.zeros_like(gains))


def bounded(values: Array) -> Floats:
    """Return float32 values, with the largest numbers for infinities."""
    return np.clip(values, -_UNBOUNDED, _UNBOUNDED).astype(np.float32)


def _plain_terms(data: DataDescription) -> tuple[list[Term], Array, Array]:
    low, high = (_log_physical(data, scaled) for scaled in (0.0, 1.0))
    return [Term(place) for place in range(data.n_physical)], low, high - low


def _learnt_terms(features: Any) -> tuple[list[Term], Array, Array]:
    return list(features.terms), as_float64(features.centre), as_float64(features.width)


def physical_limits(data: DataDescription) -> Floats:
    """Return the range that log10 of each parameter is clamped to, `(P, 2)`."""
    bounds = (_log_physical(data, scaled) for scaled in (-PHYSICAL_MARGIN, 1.0 + PHYSICAL_MARGIN))
    return np.column_stack(list(bounds)).astype(np.float32)


def _log_physical(data: DataDescription, scaled: float) -> Array:
    """Return log10 of the parameters with a scaled value."""
    return np.log10(data.physical_scaling.unscale(np.full(data.n_physical, scaled)))
