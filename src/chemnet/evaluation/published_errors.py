"""The error measures in which the CODES benchmark publishes its tables.

Definitions: ``evaluate_accuracy`` and ``evaluate_UQ`` of robin-janssen/CODES-Benchmark (commit 18388f9). With
``benchmark.floor`` at its ``tolerance``, "MAE (log)" is mLAE and "99th Perc. AE (log)" is LAE99. CODES
predicts row 0 too, and counts it; a surrogate is given row 0, so here it does not count.

Shapes: M members, B tracers, T rows, S species.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.data.abundance_errors import dex_error, histogram_quantile, log_abundance
from chemnet.data.histories import Histories
from chemnet.evaluation.score_sums import Tally

Array = NDArray[np.float64]

# bins of the histogram of magnitudes: per decade, and the decades that it spans; 200 a decade are 1.2 % wide
_PER_DECADE, _LOWEST, _HIGHEST = 200, -32, 24


class Magnitudes:
    """Mean, root mean square and quantiles of numbers >= 0 that come batch by batch.

    Quantiles come from a histogram of the logarithms and are right to 1 %; what lies below 1e-32 counts as 0.
    """

    def __init__(self) -> None:
        self.count, self._total, self._squares = 0, 0.0, 0.0
        self._histogram = np.zeros(_PER_DECADE * (_HIGHEST - _LOWEST) + 1, dtype=np.int64)

    def add(self, values: Array) -> None:
        """Add numbers of any shape."""
        self.count += values.size
        self._total += float(values.sum())
        self._squares += float(np.square(values).sum())
        decades = np.log10(np.maximum(values.ravel(), 10.0**_LOWEST)) - _LOWEST
        bins = np.ceil(_PER_DECADE * decades).astype(np.int64).clip(max=len(self._histogram) - 1)
        self._histogram += np.bincount(bins, minlength=len(self._histogram))

    @property
    def mean(self) -> float:
        """Their mean; 0 of none."""
        return self._total / max(1, self.count)

    @property
    def root_mean_square(self) -> float:
        """The root of the mean of their squares."""
        return float(np.sqrt(self._squares / max(1, self.count)))

    def quantile(self, share: float) -> float:
        """Return the number below which a share of them lies."""
        reached = int(np.searchsorted(self._histogram.cumsum(), share * self.count))
        return 0.0 if reached == 0 else float(10.0 ** (_LOWEST + (reached - 0.5) / _PER_DECADE))


class PublishedErrors:
    """The measures of one surrogate.

    Parameters
    ----------
    floor
        Abundance that both sides are clipped to from below before logarithms are taken.
    relative_threshold
        Least true abundance that a relative error is taken of; smaller ones count as this.
    n_steps
        Rows of the longest history.
    """

    def __init__(self, floor: float, relative_threshold: float, n_steps: int) -> None:
        self._floor, self._threshold = floor, relative_threshold
        self._dex, self._absolute, self._relative = Magnitudes(), Magnitudes(), Magnitudes()
        self._by_step = Tally(n_steps)
        self._not_finite = 0

    def add(self, predicted: Array, truth: Histories) -> None:
        """Add what was predicted of some histories `(B, T, S)`; row 0 was given."""
        dex = dex_error(predicted, truth.abundance, self._floor)
        counted = counted_rows(truth)
        for step in range(1, dex.shape[1]):
            self._by_step.add(dex[counted[:, step], step].reshape(-1, 1), np.array([step]))
        self._dex.add(dex[counted])
        told, true = predicted[counted], truth.abundance[counted]
        finite = np.isfinite(told)
        self._not_finite += int((~finite).sum())
        # a share of all nuclei cannot be further off than 1
        absolute = np.where(finite, np.abs(np.where(finite, told, 0.0) - true), 1.0)
        self._absolute.add(absolute)
        self._relative.add(absolute / np.maximum(true, self._threshold))

    def to_dict(self) -> dict[str, Any]:
        """Return all figures: of logarithms in dex, relative ones as fractions, `by_step` from step 1."""
        total, count = self._by_step.total, self._by_step.count
        return {
            "mlae": float(total.sum() / max(1, count.sum())),
            "lae99": float(histogram_quantile(self._by_step.histogram.sum(axis=0), 0.99)),
            "median_ae_log": self._dex.quantile(0.5),
            "rmse_log": self._dex.root_mean_square,
            "mae": self._absolute.mean,
            "rmse": self._absolute.root_mean_square,
            "median_ae": self._absolute.quantile(0.5),
            "ae99": self._absolute.quantile(0.99),
            "mre": self._relative.mean,
            "median_re": self._relative.quantile(0.5),
            "re99": self._relative.quantile(0.99),
            "not_finite": self._not_finite,
            "by_step": self._by_step.mlae[1:].tolist(),
        }


class EnsembleErrors:
    """A deep ensemble: the error of the mean of its members' logarithms, and how well their spread tells it.

    Parameters
    ----------
    floor
        As for `PublishedErrors`.
    n_steps
        Rows of the longest history.
    """

    def __init__(self, floor: float, n_steps: int) -> None:
        self._floor = floor
        self._error, self._spread = Magnitudes(), Magnitudes()
        self._products = 0.0
        self._by_step = np.zeros((3, n_steps))

    def add(self, predicted: Array, truth: Histories) -> None:
        """Add what two or more members predicted of some histories `(M, B, T, S)`."""
        known = np.nan_to_num(predicted, nan=self._floor, posinf=1.0)
        logs = log_abundance(known, self._floor)
        spread = logs.std(axis=0, ddof=1)
        error = np.abs(logs.mean(axis=0) - log_abundance(truth.abundance, self._floor))
        counted = counted_rows(truth)
        self._error.add(error[counted])
        self._spread.add(spread[counted])
        self._products += float((error[counted] * spread[counted]).sum())
        for row, values in enumerate((error, spread, np.ones_like(error))):
            self._by_step[row, : error.shape[1]] += np.where(counted, values.sum(axis=2), 0.0).sum(axis=0)

    def to_dict(self) -> dict[str, Any]:
        """Return all figures [dex] and the correlation of error and spread; the curves from step 1 on."""
        counts = np.maximum(self._by_step[2, 1:], 1.0)
        return {
            "mae": self._error.mean,
            "median_ae": self._error.quantile(0.5),
            "ae99": self._error.quantile(0.99),
            "uncertainty": self._spread.mean,
            "correlation": self._correlation(),
            "error_by_step": (self._by_step[0, 1:] / counts).tolist(),
            "uncertainty_by_step": (self._by_step[1, 1:] / counts).tolist(),
        }

    def _correlation(self) -> float | None:
        """Return Pearson's coefficient of error and spread; None where one of them does not vary."""
        error, spread = self._error, self._spread
        covariance = self._products / max(1, error.count) - error.mean * spread.mean
        variances = [one.root_mean_square**2 - one.mean**2 for one in (error, spread)]
        return None if min(variances) <= 0.0 else float(covariance / np.sqrt(variances[0] * variances[1]))


def counted_rows(truth: Histories) -> NDArray[np.bool_]:
    """Return which rows of histories are scored `(B, T)`: all that tracers have, but the first."""
    counted = truth.valid.copy()
    counted[:, 0] = False
    return counted
