"""Calibration of trust: indicators of error against true errors, on the validation split.

Shapes: B cells, T steps, S species, K indicators, Q knots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.data.abundance_errors import dex_error
from chemnet.data.histories import HistorySource, has_histories
from chemnet.data.preprocessed import PreprocessedData
from chemnet.progress import get_logger
from chemnet.surrogate.rollout import read, rollout_states
from chemnet.surrogate.trust.error_indicators import MonitoredPredictor
from chemnet.surrogate.trust.expected_error import SMALLEST_INDICATOR, Calibration
from chemnet.surrogate.trust.novelty import ReferenceStates
from chemnet.surrogate.trust.species_errors import SpeciesErrors
from chemnet.surrogate.wrappers.conservation import ConservingPredictor
from chemnet.surrogate.wrappers.surrogate_ensemble import Components

Array = NDArray[np.float64]

# states of the training split that are kept, and tracers of the validation split that are rolled out
REFERENCE_STATES, VALIDATION_TRACERS = 1000, 100
# tracers that are rolled out together
_TRACERS_PER_BATCH = 25
_N_KNOTS = 33
# knots that are averaged to smooth the errors; odd
_SMOOTHED = 5
# smaller errors count as this [dex]
_SMALLEST_ERROR = 1e-3
# of the mean square of the indicators' logarithms: keeps weights finite on tiny splits
_RIDGE = 1e-3
_log = get_logger(__name__)


@dataclass(frozen=True)
class Judgement:
    """What a surrogate needs to judge its own predictions.

    Attributes
    ----------
    reference
        States that it was trained on.
    calibration
        What its indicators mean.
    """

    reference: ReferenceStates
    calibration: Calibration


def judgement_of(predictor: ConservingPredictor[Components], data: PreprocessedData) -> Judgement | None:
    """Return how a predictor judges itself, calibrated on the validation split of its data.

    None where that split has no tracer of two rows: the training split would flatter the predictor.
    """
    reference = reference_states(predictor.inner, data)
    if not has_histories(data.split("validate")):
        _log.warning("%s has no validation tracers: trust cannot be calibrated", data.path)
        return None
    monitored = MonitoredPredictor(predictor, reference.to(predictor.inner.device))
    indicators, dex, predicted = _validation_errors(monitored, data)
    errors = dex.mean(axis=1, dtype=np.float64)
    calibration = calibrate(indicators, errors, monitored.indicators, signed=monitored.parameters)
    expected = calibration.expected_error(torch.from_numpy(indicators)).double().numpy()
    floor = predictor.inner.data.abundance_scaling.floor
    species = SpeciesErrors.fitted(expected, dex, predicted, floor)
    return Judgement(reference, replace(calibration, species=species))


def reference_states(components: Components, data: PreprocessedData) -> ReferenceStates:
    """Return evenly spaced rows of the training split, with the parameters that led to them."""
    train, wanted = data.split("train"), components.data
    rows = np.unique(np.linspace(0, train.n_rows - 1, REFERENCE_STATES).astype(np.int64))
    species = [data.species.index(name) for name in wanted.species]
    columns = [data.physical_names.index(name) for name in wanted.physical_names]
    forcing = rows
    if train.is_ordered:
        forcing = np.maximum(rows - 1, train.offsets[:-1][train.tracer_of_row[rows]])
    with torch.inference_mode():
        abundance = torch.from_numpy(train.raw_abundance(rows)[:, species]).to(components.device)
        physical = torch.from_numpy(train.raw_physical(forcing)[:, columns]).to(components.device)
        latent = components.start(abundance)["latent"]
        return ReferenceStates.of(latent, components.scaled_physical(physical)).to(torch.device("cpu"))


def calibrate(
    indicators_NK: Array, errors_N: Array, names: tuple[str, ...], signed: Sequence[str] = ()
) -> Calibration:
    """Calibrate indicators against the error.

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


def isotonic(values: Array, counts: NDArray[np.int64]) -> Array:
    """Return the isotonic regression; values of no weight, at knots that coincide, take the one before."""
    from scipy.optimize import isotonic_regression

    used = counts > 0
    fitted: Array = isotonic_regression(values[used], weights=counts[used]).x
    return fitted[np.maximum(used.cumsum() - 1, 0)]


def _smoothed(values: Array) -> Array:
    """Return values averaged with their neighbours, so that plateaus do not tie many states."""
    padded = np.pad(values, _SMOOTHED // 2, mode="edge")
    return np.convolve(padded, np.full(_SMOOTHED, 1.0 / _SMOOTHED), mode="valid")


def _validation_errors(
    monitored: MonitoredPredictor, data: PreprocessedData
) -> tuple[Array, NDArray[np.float32], NDArray[np.float32]]:
    """Return indicators `(n, K)`, errors and abundances `(n, S)` along rollouts of the validation split."""
    components = monitored.components
    source = HistorySource(data, "validate", components.data)
    tracers = np.unique(np.linspace(0, len(source) - 1, VALIDATION_TRACERS).astype(np.int64))
    indicators, errors, abundances = [], [], []
    for batch in np.array_split(tracers, -(-len(tracers) // _TRACERS_PER_BATCH)):
        histories = source.read(batch)
        inputs = (histories.abundance[:, 0], histories.physical, histories.dt)
        with torch.inference_mode():
            observed = _observed(monitored, *(torch.from_numpy(x).to(components.device) for x in inputs))
        counted = histories.valid[:, 1:]
        predicted, seen = np.split(observed.double().cpu().numpy()[counted], [monitored.n_species], axis=1)
        truth = histories.abundance[:, 1:][counted]
        dex = dex_error(predicted, truth, components.data.abundance_scaling.floor)
        errors.append(dex.astype(np.float32))
        abundances.append(predicted.astype(np.float32))
        indicators.append(seen)
    return np.concatenate(indicators), np.concatenate(errors), np.concatenate(abundances)


def _observed(monitored: MonitoredPredictor, abundance: Tensor, physical: Tensor, dt: Tensor) -> Tensor:
    """Return abundances and indicators of all rows but the first, `(B, T - 1, S + K)`."""
    later = torch.arange(1, physical.shape[1])
    return read(rollout_states(monitored, monitored.start(abundance), physical, dt, later), monitored.observe)
