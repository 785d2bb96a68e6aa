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
from chemnet.evaluation.score_sums import Rules, Scores
from chemnet.evaluation.scored_data import surrogate_to_score
from chemnet.results import ResultDirectory
from chemnet.surrogate.rollout import Rollout
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

    @classmethod
    def of(cls, config: ConfigDict) -> Self:
        """Return what the configuration says."""
        table = config["benchmark"]
        names = ("split", "floor", "visible", "tracers_per_batch", "neighbour_rows")
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
        Errors sorted by trust; None for a surrogate that was never calibrated.
    """

    scores: dict[str, Scores]
    risk: RiskCoverage | None
    inside: int = 0
    rows: int = 0

    def take(self, other: Tallies) -> None:
        """Add the scores of other tracers."""
        for name, score in self.scores.items():
            score.take(other.scores[name])
        if self.risk is not None and other.risk is not None:
            self.risk.take(other.risk)
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
        self.rules = Rules(
            species=surrogate.species,
            elements=surrogate.elements,
            stoichiometry=surrogate.data.stoichiometry,
            charges=charges(surrogate.species),
            floor=options.floor,
            visible=options.visible,
            n_steps=self.source.longest,
        )

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
        return Tallies(scores, RiskCoverage() if self._surrogate.is_calibrated else None)

    def score(self, tracers: NDArray[np.int64]) -> Tallies:
        """Score some tracers, by their index in the split."""
        histories, tallies = self.source.read(tracers), self.nothing()
        tallies.scores["rollout"].add(self._rolled_out(histories, tallies.risk), histories)
        for name, method in self.methods.items():
            tallies.scores[name].add(method.predict(histories), histories)
        tallies.inside = int(self._surrogate.in_domain(histories.physical)[histories.valid].sum())
        tallies.rows = int(histories.valid.sum())
        return tallies

    def _rolled_out(self, histories: Histories, risk: RiskCoverage | None) -> Array:
        """Roll the surrogate out; `risk` takes in the errors that it expects of each state."""
        inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
        if risk is None:
            return self._surrogate.emulate(*inputs).astype(np.float64)
        predicted, trust = self._surrogate.emulate_with_trust(*inputs)
        counted = histories.valid.copy()
        counted[:, 0] = False
        dex = dex_error(predicted[counted], histories.abundance[counted], self._options.floor)
        risk.add(trust.expected_error[counted].astype(np.float64), dex)
        return predicted.astype(np.float64)


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

    def unconserved(histories: Histories) -> Array:
        inputs = (histories.abundance[:, 0], histories.physical, histories.dt)
        return on_device(Rollout(components), *inputs)

    def step(*inputs: Tensor) -> Tensor:
        start, physical, dt = (values.flatten(0, 1) for values in inputs)
        return predictor.abundance(predictor.step(predictor.start(start), physical, dt))

    def one_step(histories: Histories) -> Array:
        start = histories.abundance[:, :-1]
        predicted = on_device(step, start, histories.physical[:, :-1], histories.dt)
        return np.concatenate([histories.abundance[:, :1], predicted.reshape(start.shape)], axis=1)

    def reconstruction(histories: Histories) -> Array:
        rows = histories.abundance.reshape(-1, histories.abundance.shape[-1])
        predicted = on_device(lambda abundance: components.decode(components.encode(abundance)), rows)
        return predicted.reshape(histories.abundance.shape)

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
        "nearest_neighbour": Method(neighbour, 1),
        "persistence": Method(persistence, 1),
        "one_step_persistence": Method(one_step_persistence, 1),
        "truth": Method(lambda histories: histories.abundance, 0),
    }
    if surrogate.is_direct:
        return baselines
    return {"pca": Method(lambda histories: components.reconstruct(histories.abundance), 0), **baselines}
