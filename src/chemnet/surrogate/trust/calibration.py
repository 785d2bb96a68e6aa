"""Comparing what a surrogate sees of its error with true errors, on the validation split.

Shapes: B cells, T steps, S species, K indicators, Q knots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.data.preprocessed import PreprocessedData
from chemnet.progress import get_logger
from chemnet.surrogate.rollout import Rollout, read
from chemnet.surrogate.trust.error_signs import Watched
from chemnet.surrogate.trust.novelty import FamiliarStates
from chemnet.surrogate.trust.trust import SMALLEST_INDICATOR, Calibration

if TYPE_CHECKING:
    from chemnet.surrogate.surrogate import Surrogate

Array = NDArray[np.float64]

# states of the training split that are known, and tracers of the validation split that are rolled out
FAMILIAR_STATES, VALIDATION_TRACERS = 1000, 100
_N_KNOTS = 33
# knots that are averaged to smooth the errors; odd
_SMOOTHED = 5
# smaller errors are not told apart [dex]
_SMALLEST_ERROR = 1e-3
# of the mean square of the indicators' logarithms: keeps weights finite on tiny splits
_RIDGE = 1e-3
_log = get_logger(__name__)


@dataclass(frozen=True)
class Judgement:
    """What a surrogate needs to judge its own predictions.

    Attributes
    ----------
    familiar
        States that it was trained on.
    calibration
        What its indicators mean.
    """

    familiar: FamiliarStates
    calibration: Calibration


def judgement_of(surrogate: Surrogate, data: PreprocessedData) -> Judgement | None:
    """Return how a surrogate judges itself, calibrated on the validation split of its data.

    None where that split has no tracer of two rows: a report on the training split would flatter.
    """
    familiar = familiar_states(surrogate, data)
    measured = _validation_errors(surrogate, data, familiar)
    if measured is None:
        _log.warning("%s has no validation tracers: trust cannot be calibrated", data.path)
        return None
    indicators, errors, names = measured
    return Judgement(familiar, calibrate(indicators, errors, names, signed=surrogate.physical_names))


def familiar_states(surrogate: Surrogate, data: PreprocessedData) -> FamiliarStates:
    """Return evenly spaced rows of the training split, with the parameters that drove them there."""
    train = data.split("train")
    rows = np.unique(np.linspace(0, train.n_rows - 1, FAMILIAR_STATES).astype(np.int64))
    species = [data.species.index(name) for name in surrogate.species]
    columns = [data.physical_names.index(name) for name in surrogate.physical_names]
    driving = rows
    if train.is_ordered:
        driving = np.maximum(rows - 1, train.offsets[:-1][train.tracer_of_row[rows]])
    components = surrogate.components
    with torch.inference_mode():
        abundance = torch.from_numpy(train.raw_abundance(rows)[:, species]).to(surrogate.device)
        physical = torch.from_numpy(train.raw_physical(driving)[:, columns]).to(surrogate.device)
        place = components.start(abundance)["latent"]
        return FamiliarStates.of(place, components.scaled_physical(physical)).to(torch.device("cpu"))


def calibrate(
    indicators_NK: Array, errors_N: Array, names: tuple[str, ...], signed: Sequence[str] = ()
) -> Calibration:
    """Return what indicators say of the error.

    Weights are those of a regression of the logarithms, without negative ones for signs of error; the errors
    at the knots are the isotonic regression of the true error on the weighted sum.

    Parameters
    ----------
    indicators_NK, errors_N
        Of some states, and their true errors [dex].
    names
        Of the indicators.
    signed
        Names of those that are no signs of error: more of them may be better or worse.
    """
    logs = np.log(np.maximum(indicators_NK, SMALLEST_INDICATOR))
    target = np.log(np.maximum(errors_N, _SMALLEST_ERROR))
    weights = _regression(logs, target, np.array([name in signed for name in names]))
    # none of the indicators says anything: the first one, faintly, so that there is an order
    weights = weights if weights.any() else np.eye(len(names))[0] * _RIDGE
    warning = logs @ weights
    knots = np.quantile(warning, np.linspace(0.0, 1.0, _N_KNOTS))
    nearest = np.searchsorted(0.5 * (knots[1:] + knots[:-1]), warning)
    count = np.bincount(nearest, minlength=_N_KNOTS)
    mean = np.bincount(nearest, errors_N, _N_KNOTS) / np.maximum(count, 1)
    errors = _smoothed(isotonic(mean, count))
    return Calibration(
        dict(zip(names, weights.tolist(), strict=True)), tuple(knots.tolist()), tuple(errors.tolist())
    )


def _regression(logs: Array, target: Array, signed: NDArray[np.bool_]) -> Array:
    """Return the weights `(K,)` that fit the target best, negative ones only for what is signed."""
    from scipy.optimize import nnls

    centred = logs - logs.mean(axis=0)
    # rows that pull the weights to 0, as in ridge regression
    pull = np.sqrt(_RIDGE * len(logs)) * np.eye(len(signed))
    stacked = np.concatenate([centred, pull])
    wanted = np.concatenate([target - target.mean(), np.zeros(len(signed))])
    # a signed weight is the difference of two that are not negative
    both = np.concatenate([stacked, -stacked[:, signed]], axis=1)
    found = nnls(both, wanted)[0]
    weights = found[: len(signed)]
    weights[signed] -= found[len(signed) :]
    return weights


def isotonic(values: Array, weights: Array) -> Array:
    """Return the never falling values that are nearest to `values` in weighted least squares.

    Pool adjacent violators (Barlow et al. 1972); values of weight 0 take that of the one before.

    Examples
    --------
    >>> isotonic(np.array([1.0, 3.0, 2.0, 4.0]), np.ones(4))
    array([1. , 2.5, 2.5, 4. ])
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pool = (float(value), float(weight), 1)
        while pools and (pools[-1][0] >= pool[0] or not pool[1]):
            before = pools.pop()
            weight = before[1] + pool[1]
            mean = (before[0] * before[1] + pool[0] * pool[1]) / weight if weight else 0.0
            pool = (mean, weight, before[2] + pool[2])
        pools.append(pool)
    return np.repeat([pool[0] for pool in pools], [pool[2] for pool in pools])


def _smoothed(values: Array) -> Array:
    """Return never falling values averaged with their neighbours, so that plateaus do not tie many states."""
    padded = np.pad(values, _SMOOTHED // 2, mode="edge")
    return np.convolve(padded, np.full(_SMOOTHED, 1.0 / _SMOOTHED), mode="valid")


def _validation_errors(
    surrogate: Surrogate, data: PreprocessedData, familiar: FamiliarStates
) -> tuple[Array, Array, tuple[str, ...]] | None:
    """Return indicators, errors and the indicators' names of the validation split's rollouts."""
    from chemnet.data.histories import HistorySource, has_histories

    if not has_histories(data.split("validate")):
        return None
    source = HistorySource(data, "validate", surrogate.data)
    watched = Watched(surrogate.predictor, familiar.to(surrogate.device))
    tracers = np.unique(np.linspace(0, len(source) - 1, VALIDATION_TRACERS).astype(np.int64))
    indicators, errors = [], []
    for tracer in np.array_split(tracers, -(-len(tracers) // 25)):
        histories = source.read(tracer)
        inputs = (histories.abundance[:, 0], histories.physical, histories.dt)
        with torch.inference_mode():
            observed = _observe(watched, *(torch.from_numpy(x).to(surrogate.device) for x in inputs))
        counted = histories.valid[:, 1:]
        predicted, seen = np.split(observed.double().cpu().numpy()[counted], [len(surrogate.species)], axis=1)
        floor = surrogate.data.abundance_scaling.floor
        logs = [np.log10(np.clip(x, floor, 1.0)) for x in (predicted, histories.abundance[:, 1:][counted])]
        errors.append(np.abs(logs[0] - logs[1]).mean(axis=1))
        indicators.append(seen)
    return np.concatenate(indicators), np.concatenate(errors), watched.indicators


def _observe(watched: Watched, abundance: Tensor, physical: Tensor, dt: Tensor) -> Tensor:
    """Return abundances and indicators of all rows but the first, `(B, T - 1, S + K)`."""
    states = Rollout(watched).states(watched.start(abundance), physical, dt)
    return read(states, torch.arange(1, physical.shape[1]), watched.observe)
