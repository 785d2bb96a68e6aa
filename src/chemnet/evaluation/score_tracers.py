"""Scoring some tracers: the surrogate, its parts and the baselines, ready to predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.chemistry.network.stoichiometry import charges
from chemnet.config import ConfigDict
from chemnet.data.abundance_errors import dex_error
from chemnet.data.histories import Histories, HistorySource
from chemnet.data.preprocessed import PreprocessedData
from chemnet.evaluation.baselines import (
    NearestNeighbour,
    PrincipalComponents,
    one_step_persistence,
    persistence,
)
from chemnet.evaluation.risk_coverage import RiskCoverage
from chemnet.evaluation.score_sums import Forecast, Rules, Scores
from chemnet.evaluation.scored_data import surrogate_to_score
from chemnet.models.emulators.steps.step import SOLVER_STEPS
from chemnet.results import ResultDirectory
from chemnet.surrogate.predictor import Predictor
from chemnet.surrogate.rollout import read, rollout_states
from chemnet.surrogate.surrogate import Surrogate

Array = NDArray[np.float64]

# components by which the nearest neighbour of a direct emulator's initial state is found
_DIRECT_COMPONENTS = 14


@dataclass(frozen=True)
class Method:
    """One method of predicting histories.

    Attributes
    ----------
    predict
        Forecasts some histories.
    first_step
        First row that is scored: 1 for a forecast, whose row 0 is given; 0 for a reconstruction.
    """

    predict: Callable[[Histories], Forecast]
    first_step: int


@dataclass(frozen=True)
class Options:
    """The keys of ``[benchmark]`` that scoring needs, and the seed."""

    split: str
    floor: float
    visible: float
    abundant: float
    tracers_per_batch: int
    neighbour_rows: int
    seed: int

    @classmethod
    def of(cls, config: ConfigDict) -> Self:
        """Return what the configuration says."""
        table = config["benchmark"]
        names = ("split", "floor", "visible", "abundant", "tracers_per_batch", "neighbour_rows")
        return cls(**{name: table[name] for name in names}, seed=config["general"]["seed"])


@dataclass
class Tallies:
    """Scores of some tracers; `take` adds those of further ones.

    Attributes
    ----------
    scores
        By method, in the order of the report.
    inside, rows
        Cell-steps whose physical parameters are inside the trained ranges, and all.
    risk
        Errors of states sorted by trust; None for a surrogate that was never calibrated.
    species_risk
        The same of single species; None for one that was not calibrated species by species.
    """

    scores: dict[str, Scores]
    risk: RiskCoverage | None
    species_risk: RiskCoverage | None
    inside: int = 0
    rows: int = 0

    def take(self, other: Tallies) -> None:
        """Add the scores of other tracers."""
        for name, score in self.scores.items():
            score.take(other.scores[name])
        for mine, theirs in ((self.risk, other.risk), (self.species_risk, other.species_risk)):
            if mine is not None and theirs is not None:
                mine.take(theirs)
        self.inside += other.inside
        self.rows += other.rows


class Judge:
    """Scores a surrogate, its parts and the baselines on tracers of one split.

    A worker in another process rebuilds it, from the configuration and the same files.

    Parameters
    ----------
    surrogate
        What is scored.
    data
        Holds the split.
    options
        How.
    config
        What a worker makes it from; None where there are no workers elsewhere.

    Raises
    ------
    DataError
        When the data lack a species or parameter of the surrogate, or have no tracers in the split.
    """

    def __init__(
        self, surrogate: Surrogate, data: PreprocessedData, options: Options, config: ConfigDict | None = None
    ) -> None:
        self._surrogate, self._options, self._config, self._data = surrogate, options, config, data
        self.source = HistorySource(data, options.split, surrogate.data)
        #: ways to predict, beside the full rollout
        self.methods = {**_forecasts(surrogate), **_baselines(surrogate, data, self.source, options)}
        self.rules = rules_of(surrogate, options, self.source.longest)

    def __reduce__(self) -> tuple[Any, ...]:
        return judge_elsewhere, (self._config, self._data.directory.path)

    @property
    def batches(self) -> list[NDArray[np.int64]]:
        """All tracers of the split, in groups that are scored at the same time."""
        size, count = self._options.tracers_per_batch, len(self.source)
        return [np.arange(first, min(first + size, count)) for first in range(0, count, size)]

    def nothing(self) -> Tallies:
        """Return the tallies of no tracers."""
        first_steps = {"rollout": 1} | {name: method.first_step for name, method in self.methods.items()}
        scores = {name: Scores(self.rules, first) for name, first in first_steps.items()}
        calibrated = self._surrogate.is_calibrated
        by_species = calibrated and self._surrogate.judgement.calibration.species is not None
        return Tallies(scores, RiskCoverage() if calibrated else None, RiskCoverage() if by_species else None)

    def score(self, tracers: NDArray[np.int64]) -> Tallies:
        """Score some tracers, by their index in the split."""
        histories, tallies = self.source.read(tracers), self.nothing()
        tallies.scores["rollout"].add(self._rolled_out(histories, tracers, tallies), histories)
        for name, method in self.methods.items():
            tallies.scores[name].add(method.predict(histories), histories)
        tallies.inside = int(self._surrogate.in_domain(histories.physical)[histories.valid].sum())
        tallies.rows = int(histories.valid.sum())
        return tallies

    def _rolled_out(self, histories: Histories, tracers: NDArray[np.int64], tallies: Tallies) -> Forecast:
        """Roll the surrogate out; the tallies take in the errors that it expects of states and species."""
        if tallies.risk is None:
            return rolled_out(self._surrogate.predictor, self._surrogate.device, histories)
        inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
        predicted, trust = self._surrogate.emulate_with_trust(*inputs)
        counted = histories.valid.copy()
        counted[:, 0] = False
        dex = dex_error(predicted[counted], histories.abundance[counted], self._options.floor)
        tracer = np.broadcast_to(tracers[:, None], counted.shape)[counted]
        tallies.risk.add(trust.expected_error[counted].astype(np.float64), dex, tracer)
        if tallies.species_risk is not None:
            expected = trust.by_species(predicted)[counted].astype(np.float64)
            of_each = np.repeat(tracer, dex.shape[1])
            tallies.species_risk.add(expected.ravel(), dex.reshape(-1, 1), of_each)
        done = trust.solver_steps
        return Forecast(predicted.astype(np.float64), None if done is None else _newly_solved(done))


def rules_of(surrogate: Surrogate, options: Options, n_steps: int) -> Rules:
    """Return how predictions of a surrogate's species are scored, over at most `n_steps` rows."""
    return Rules(
        species=surrogate.species,
        elements=surrogate.elements,
        stoichiometry=surrogate.data.stoichiometry,
        charges=charges(surrogate.species),
        floor=options.floor,
        thresholds={"visible": options.visible, "abundant": options.abundant},
        n_steps=n_steps,
    )


def rolled_out(predictor: Predictor, device: torch.device, histories: Histories) -> Forecast:
    """Return what a predictor makes of histories from their first row, and what the solver did for it."""
    inputs = (histories.abundance[:, 0], histories.physical, histories.dt)
    with torch.inference_mode():
        start, physical, dt = (torch.from_numpy(array).to(device) for array in inputs)
        states = rollout_states(predictor, predictor.start(start), physical, dt)
        later = {name: values[:, 1:] for name, values in states.items()}
        predicted = read(later, predictor.abundance).double().cpu().numpy()
    done = states.get(SOLVER_STEPS)
    return Forecast(
        np.concatenate([histories.abundance[:, :1], predicted], axis=1),
        None if done is None else _newly_solved(done.cpu().numpy()),
    )


def _newly_solved(done: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows the solver did, from how many it had done up to each `(B, T)`."""
    solved: NDArray[np.bool_] = np.diff(done, axis=1, prepend=0) > 0
    return solved


def judge_elsewhere(config: ConfigDict, data: Path) -> Judge:
    """Make a judge again in another process."""
    surrogate = surrogate_to_score(config)
    return Judge(surrogate, PreprocessedData(ResultDirectory.open(data)), Options.of(config), config)


def _forecasts(surrogate: Surrogate) -> dict[str, Method]:
    """Return the surrogate without conservation, its single steps, and its autoencoder alone."""
    components, predictor = surrogate.components, surrogate.predictor

    def on_device(function: Callable[..., Tensor], *arrays: Array) -> Array:
        with torch.inference_mode():
            tensors = (torch.from_numpy(array).to(surrogate.device) for array in arrays)
            return function(*tensors).double().cpu().numpy()

    def unconserved(histories: Histories) -> Forecast:
        return rolled_out(components, surrogate.device, histories)

    def step(*inputs: Tensor) -> Tensor:
        start, physical, dt = (values.flatten(0, 1) for values in inputs)
        state = predictor.step(predictor.start(start), physical, dt)
        done = state.get(SOLVER_STEPS, torch.full_like(dt, torch.nan))
        return torch.cat([predictor.abundance(state).double(), done.double()[:, None]], dim=1)

    def one_step(histories: Histories) -> Forecast:
        start = histories.abundance[:, :-1]
        predicted = on_device(step, start, histories.physical[:, :-1], histories.dt)
        predicted = predicted.reshape(*start.shape[:2], -1)
        told = np.concatenate([histories.abundance[:, :1], predicted[..., :-1]], axis=1)
        done = np.pad(predicted[..., -1], ((0, 0), (1, 0)))
        return Forecast(told, None if np.isnan(done).any() else done > 0.0)

    def reconstruction(histories: Histories) -> Forecast:
        rows = histories.abundance.reshape(-1, histories.abundance.shape[-1])
        predicted = on_device(lambda abundance: components.decode(components.encode(abundance)), rows)
        return Forecast(predicted.reshape(histories.abundance.shape))

    forecasts = {
        "rollout_unconserved": Method(unconserved, 1),
        "one_step": Method(one_step, 1),
    }
    return forecasts if surrogate.is_direct else {**forecasts, "reconstruction": Method(reconstruction, 0)}


def _baselines(
    surrogate: Surrogate, data: PreprocessedData, source: HistorySource, options: Options
) -> dict[str, Method]:
    """Return the baselines, and the truth itself, whose conservation is worth knowing."""
    n_components = (
        _DIRECT_COMPONENTS if surrogate.is_direct else surrogate.latent_dim // surrogate.components.size
    )
    components = PrincipalComponents.fit(data, source.species, n_components)
    neighbour = NearestNeighbour(data, source, components, options.neighbour_rows, options.seed)
    baselines = {
        "nearest_neighbour": _plain(neighbour, 1),
        "persistence": _plain(persistence, 1),
        "one_step_persistence": _plain(one_step_persistence, 1),
        "truth": _plain(lambda histories: histories.abundance, 0),
    }
    if surrogate.is_direct:
        return baselines
    return {"pca": _plain(lambda histories: components.reconstruct(histories.abundance), 0), **baselines}


def _plain(predict: Callable[[Histories], Array], first_step: int) -> Method:
    """Return a way to predict that asks no solver."""
    return Method(lambda histories: Forecast(predict(histories)), first_step)
