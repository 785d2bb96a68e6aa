"""Scores of a surrogate and of the baselines on the tracers of one split, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chemnet.data.histories import HistorySource
from chemnet.evaluation.risk_coverage import RiskCoverage
from chemnet.evaluation.score_sums import Scores
from chemnet.evaluation.score_tracers import Judge, Tallies
from chemnet.progress import progress
from chemnet.workers import Workers, ordered


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
        Errors of states sorted by trust; None for a surrogate that was never calibrated.
    species_risk
        The same of single species; None for one that was not calibrated species by species.
    """

    scores: dict[str, Scores]
    source: HistorySource
    inside: float
    risk: RiskCoverage | None
    species_risk: RiskCoverage | None


def evaluate(judge: Judge, workers: Workers) -> Evaluation:
    """Score the surrogate, its parts and the baselines on every tracer of a split; workers take batches."""
    whole, batches = judge.nothing(), judge.batches
    shared = [workers.share(judge)]
    with progress(total=len(judge.source), desc="benchmark", unit="tracer") as bar:
        for batch, part in zip(batches, ordered(workers, score_batch, batches, shared), strict=True):
            whole.take(part)
            bar.update(len(batch))
    inside = whole.inside / whole.rows
    return Evaluation(whole.scores, judge.source, inside, whole.risk, whole.species_risk)


def score_batch(judge: Judge, tracers: NDArray[np.int64]) -> Tallies:
    """Score some tracers; a task of a worker."""
    return judge.score(tracers)
