"""Scoring a surrogate and its rivals on the tracers of one split, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from chemnet.chemistry.stoichiometry import charges
from chemnet.datasets.preprocessed import PreprocessedData
from chemnet.progress import progress
from chemnet.surrogate.evaluation.baselines import (
    NearestNeighbour,
    PrincipalComponents,
    one_step_persistence,
    persistence,
)
from chemnet.surrogate.evaluation.histories import Histories, HistorySource
from chemnet.surrogate.evaluation.metrics import dex_error
from chemnet.surrogate.evaluation.risk import RiskCoverage
from chemnet.surrogate.evaluation.scores import Rules, Scores
from chemnet.surrogate.rollout import Rollout
from chemnet.surrogate.surrogate import Surrogate

Array = NDArray[np.float64]

# components by which the nearest neighbour of a direct emulator's initial state is found
_DIRECT_COMPONENTS = 14


@dataclass(frozen=True)
class Method:
    """One way to predict histories.

    Attributes
    ----------
    predict
        Returns abundances `(B, T, S)` of some histories.
    first_step
        First row that is scored: 1 for a forecast, whose row 0 is given; 0 for a reconstruction.
    """

    predict: Callable[[Histories], Array]
    first_step: int


@dataclass(frozen=True)
class Options:
    """The keys of ``[benchmark]`` that scoring needs, and the seed."""

    split: str
    floor: float
    visible: float
    tracers_per_batch: int
    neighbour_rows: int
    seed: int


@dataclass(frozen=True)
class Evaluation:
    """What was found.

    Attributes
    ----------
    scores
        By method, in the order of the report.
    source
        The histories that were scored.
    inside
        Share of the cell-steps whose physical parameters are inside the trained ranges.
    risk
        Errors sorted by trust; None for a surrogate that was never calibrated.
    """

    scores: dict[str, Scores]
    source: HistorySource
    inside: float
    risk: RiskCoverage | None


def evaluate(surrogate: Surrogate, data: PreprocessedData, options: Options) -> Evaluation:
    """Score the surrogate, its parts and its rivals on every tracer of a split.

    Raises
    ------
    DataError
        When the data lack a species or parameter of the surrogate, or have no tracers in the split.
    """
    source = HistorySource(data, options.split, surrogate)
    risk = RiskCoverage() if surrogate.is_calibrated else None
    methods = {
        "rollout": Method(_rollout(surrogate, risk, options.floor), 1),
        **_forecasts(surrogate),
        **_rivals(surrogate, data, source, options),
    }
    rules = Rules(
        species=surrogate.species,
        elements=surrogate.elements,
        stoichiometry=surrogate.data.stoichiometry,
        charges=charges(surrogate.species),
        floor=options.floor,
        visible=options.visible,
        n_steps=source.longest,
    )
    scores = {name: Scores(rules, method.first_step) for name, method in methods.items()}
    inside = rows = 0
    with progress(total=len(source), desc="benchmark", unit="tracer") as bar:
        for histories in source.batches(options.tracers_per_batch):
            for name, method in methods.items():
                scores[name].add(method.predict(histories), histories)
            inside += int(surrogate.in_domain(histories.physical)[histories.valid].sum())
            rows += int(histories.valid.sum())
            bar.update(len(histories))
    return Evaluation(scores, source, inside / rows, risk)


def _rollout(surrogate: Surrogate, risk: RiskCoverage | None, floor: float) -> Callable[[Histories], Array]:
    """Return what rolls the surrogate out; `risk` takes in the errors that it expects of each state."""

    def rollout(histories: Histories) -> Array:
        inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
        if risk is None:
            return surrogate.emulate(*inputs).astype(np.float64)
        predicted, trust = surrogate.emulate_with_trust(*inputs)
        counted = histories.valid.copy()
        counted[:, 0] = False
        dex = dex_error(predicted[counted], histories.abundance[counted], floor)
        risk.add(trust.expected_error[counted].astype(np.float64), dex)
        return predicted.astype(np.float64)

    return rollout


def _forecasts(surrogate: Surrogate) -> dict[str, Method]:
    """Return what the surrogate predicts without totals kept, in single steps, and its autoencoder alone."""
    components = surrogate.components

    def unconserved(histories: Histories) -> Array:
        inputs = (histories.abundance[:, 0], histories.physical, histories.dt)
        with torch.inference_mode():
            predicted = Rollout(components)(*(torch.from_numpy(x).to(surrogate.device) for x in inputs))
        return predicted.double().cpu().numpy()

    def one_step(histories: Histories) -> Array:
        rows = (histories.abundance[:, :-1], histories.physical[:, :-1], histories.dt)
        predictor = surrogate.predictor
        with torch.inference_mode():
            state, physical, dt = (torch.from_numpy(x).to(surrogate.device).flatten(0, 1) for x in rows)
            predicted = (
                predictor.abundance(predictor.step(predictor.start(state), physical, dt)).cpu().numpy()
            )
        return np.concatenate([histories.abundance[:, :1], predicted.reshape(rows[0].shape)], axis=1)

    def reconstruction(histories: Histories) -> Array:
        rows = torch.from_numpy(histories.abundance).to(surrogate.device).flatten(0, 1)
        with torch.inference_mode():
            predicted = components.decode(components.encode(rows)).double().cpu().numpy()
        return predicted.reshape(histories.abundance.shape)

    forecasts = {
        "rollout_unconserved": Method(unconserved, 1),
        "one_step": Method(one_step, 1),
    }
    return forecasts if surrogate.is_direct else {**forecasts, "reconstruction": Method(reconstruction, 0)}


def _rivals(
    surrogate: Surrogate, data: PreprocessedData, source: HistorySource, options: Options
) -> dict[str, Method]:
    """Return the baselines, and the truth itself, whose conservation is worth knowing."""
    n_components = (
        _DIRECT_COMPONENTS if surrogate.is_direct else surrogate.latent_dim // surrogate.components.size
    )
    components = PrincipalComponents.fit(data, source.species, n_components)
    neighbour = NearestNeighbour(data, source, components, options.neighbour_rows, options.seed)
    rivals = {
        "nearest_neighbour": Method(neighbour, 1),
        "persistence": Method(persistence, 1),
        "one_step_persistence": Method(one_step_persistence, 1),
        "truth": Method(lambda histories: histories.abundance, 0),
    }
    if surrogate.is_direct:
        return rivals
    return {"pca": Method(lambda histories: components.reconstruct(histories.abundance), 0), **rivals}
