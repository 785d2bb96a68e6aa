"""Sums of prediction errors over batches of histories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.data import abundance_errors
from chemnet.data.histories import Histories
from chemnet.evaluation import element_drift

# steps that the tables show; the last one is added
SHOWN_STEPS = (1, 10, 100)
Array = NDArray[np.float64]


class Tally:
    """Sum, count and histogram of errors in dex by group.

    Parameters
    ----------
    groups
        Number of groups.
    """

    def __init__(self, groups: int) -> None:
        self.total = np.zeros(groups)
        self.count = np.zeros(groups, dtype=np.int64)
        self.histogram = np.zeros((groups, abundance_errors.BINS), dtype=np.int64)

    def add(self, dex: Array, groups: slice | NDArray[np.int64] = slice(None)) -> None:
        """Add errors `(n, groups)`."""
        self.total[groups] += dex.sum(axis=0)
        self.count[groups] += len(dex)
        self.histogram[groups] += abundance_errors.histogram(dex)

    def add_values(self, dex: Array, groups: NDArray[np.int64]) -> None:
        """Add errors `(n,)`, each to a group of its own `(n,)`."""
        n_groups = len(self.total)
        self.total += np.bincount(groups, dex, n_groups)
        self.count += np.bincount(groups, minlength=n_groups)
        self.histogram += abundance_errors.histogram_by_group(dex, groups, n_groups)

    def take(self, other: Tally) -> None:
        """Add what another tally of the same groups holds."""
        self.total += other.total
        self.count += other.count
        self.histogram += other.histogram

    @property
    def mlae(self) -> Array:
        """Mean error of each group [dex]; 0 where nothing was added."""
        return _ratio(self.total, self.count)

    @property
    def lae99(self) -> Array:
        """99th percentile of each group [dex]."""
        return abundance_errors.histogram_quantile(self.histogram, 0.99)


@dataclass(frozen=True)
class Rules:
    """What is scored, and how.

    Attributes
    ----------
    species, elements
        Names of the columns.
    stoichiometry
        Atoms of each element in each species, `(S, E)`.
    charges
        Charge of each species, `(S,)`.
    floor
        Abundance that errors are clipped at.
    thresholds
        Abundances above which a species is scored apart, by what that is called.
    n_steps
        Rows of the longest history.
    """

    species: tuple[str, ...]
    elements: tuple[str, ...]
    stoichiometry: Array
    charges: Array
    floor: float
    thresholds: Mapping[str, float]
    n_steps: int


@dataclass(frozen=True)
class Forecast:
    """What one way to predict says of some histories.

    Attributes
    ----------
    abundance
        `(B, T, S)`.
    by_solver
        Which rows a solver computed on its behalf, `(B, T)`; None where it has none.
    """

    abundance: Array
    by_solver: NDArray[np.bool_] | None = None


class Scores:
    """All figures that are reported for one prediction method.

    Parameters
    ----------
    rules
        What is scored, and how.
    first_step
        First row that is scored: 1 where row 0 is given.
    """

    def __init__(self, rules: Rules, first_step: int) -> None:
        self._rules, self._first = rules, first_step
        n_species, n_steps = len(rules.species), rules.n_steps
        self.by_species, self.by_step = Tally(n_species), Tally(n_steps)
        self.above = {name: Tally(n_steps) for name in rules.thresholds}
        self.rows_by_solver: int | None = None
        self.relative = np.zeros(n_species)
        self.drift = np.zeros((n_steps, len(rules.elements)))
        self.charge = np.zeros(n_steps)
        self.years = np.zeros(n_steps)
        self.tracers: dict[str, float] = {}
        self.not_finite = 0
        self.states: list[Array] = []

    def add(self, forecast: Forecast, truth: Histories) -> None:
        """Add what was predicted of some histories."""
        rules, first, predicted = self._rules, self._first, forecast.abundance
        dex = abundance_errors.dex_error(predicted, truth.abundance, rules.floor)
        counted = truth.valid.copy()
        counted[:, :first] = False
        self.not_finite += int(np.any(~np.isfinite(predicted[counted]), axis=-1).sum())
        self.by_species.add(dex[counted])
        self.relative += self._relative_errors(predicted[counted], truth.abundance[counted])
        for step in range(first, dex.shape[1]):
            there, group = truth.valid[:, step], np.array([step])
            self.by_step.add(dex[there, step].reshape(-1, 1), group)
            if step:
                self.years[step] += (truth.time[there, step] - truth.time[there, step - 1]).sum()
            for name, least in rules.thresholds.items():
                part = truth.abundance[there, step] > least
                self.above[name].add(dex[there, step][part][:, None], group)
        self._add_conservation(predicted, truth)
        if forecast.by_solver is not None:
            self.rows_by_solver = (self.rows_by_solver or 0) + int(forecast.by_solver[counted].sum())
        for tracer, errors, rows in zip(truth.tracer_ids, dex, counted, strict=True):
            self.tracers[tracer] = float(errors[rows].mean())
        self.states.append(np.column_stack([truth.physical[counted], dex[counted].mean(axis=1)]))

    def take(self, other: Scores) -> None:
        """Add the scores of further histories by the same rules."""
        for mine, theirs in (
            (self.by_species, other.by_species),
            (self.by_step, other.by_step),
            *((tally, other.above[name]) for name, tally in self.above.items()),
        ):
            mine.take(theirs)
        self.relative += other.relative
        self.years += other.years
        self.drift, self.charge = np.fmax(self.drift, other.drift), np.fmax(self.charge, other.charge)
        self.not_finite += other.not_finite
        if other.rows_by_solver is not None:
            self.rows_by_solver = (self.rows_by_solver or 0) + other.rows_by_solver
        self.tracers |= other.tracers
        self.states += other.states

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values; steps and species in their order."""
        rules = self._rules
        shown = [step for step in (*SHOWN_STEPS, rules.n_steps - 1) if self._first <= step < rules.n_steps]
        by_step, by_species = self.by_step, self.by_species
        worst = max(self.tracers, key=lambda tracer: self.tracers[tracer])
        return {
            "mlae": _overall(by_step.total, by_step.count),
            "lae99": _overall99(by_step.histogram),
            **self._above_thresholds(),
            "solver_share": self._solver_share(),
            "mean_relative_error": float(self.relative.sum() / max(1, by_species.count.sum())),
            "element_drift": float(self.drift.max(initial=0.0)),
            "charge_residual": float(self.charge.max(initial=0.0)),
            "not_finite": self.not_finite,
            "worst_tracer": {"id": worst, "mlae": self.tracers[worst]},
            "at_step": {
                str(step): {"mlae": float(by_step.mlae[step]), "lae99": float(by_step.lae99[step])}
                for step in dict.fromkeys(shown)
            },
            "by_element": dict(
                zip(rules.elements, self.drift.max(axis=0, initial=0.0).tolist(), strict=True)
            ),
            "by_species": {
                name: {"mlae": mlae, "lae99": lae99}
                for name, mlae, lae99 in zip(
                    rules.species, by_species.mlae.tolist(), by_species.lae99.tolist(), strict=True
                )
            },
            "by_tracer": self.tracers,
            "by_step": self._curves(),
        }

    def _above_thresholds(self) -> dict[str, float]:
        """Return mean and 99th percentile of the errors above each threshold [dex]."""
        found = {}
        for name, tally in self.above.items():
            found[f"mlae_{name}"] = _overall(tally.total, tally.count)
            found[f"lae99_{name}"] = _overall99(tally.histogram)
        return found

    def _solver_share(self) -> float | None:
        """Return the share of the rows that a solver computed; None for what has none."""
        if self.rows_by_solver is None:
            return None
        rows = int(self.by_species.count[0])
        return self.rows_by_solver / max(1, rows)

    def _curves(self) -> dict[str, list[float]]:
        """Return what changes along a history, from the first scored step on."""
        later = slice(self._first, None)
        rows = self.by_step.count // len(self._rules.species)
        return {
            "step": list(range(self._first, self._rules.n_steps)),
            # [yr] since row 0, at the mean time step of those that are still there
            "elapsed": _ratio(self.years, rows).cumsum()[later].tolist(),
            "mlae": self.by_step.mlae[later].tolist(),
            "lae99": self.by_step.lae99[later].tolist(),
            **{f"mlae_{name}": tally.mlae[later].tolist() for name, tally in self.above.items()},
            "element_drift": self.drift[later].max(axis=1, initial=0.0).tolist(),
            "charge_residual": self.charge[later].tolist(),
        }

    def _relative_errors(self, predicted: Array, truth: Array) -> Array:
        """Return relative errors summed over rows, `(S,)`; what is not finite counts as an error of 1."""
        floor = self._rules.floor
        signed = abundance_errors.log_abundance(predicted, floor) - abundance_errors.log_abundance(
            truth, floor
        )
        return np.nan_to_num(element_drift.relative_error(signed), nan=1.0).sum(axis=0)

    def _add_conservation(self, predicted: Array, truth: Histories) -> None:
        """Keep the largest drift of each element and the largest net charge at each step."""
        rules, n_steps = self._rules, predicted.shape[1]
        drift = element_drift.element_drift(predicted, truth.abundance[:, :1], rules.stoichiometry)
        drift[~truth.valid] = 0.0
        charge = np.where(truth.valid, element_drift.charge_residual(predicted, rules.charges), 0.0)
        self.drift[:n_steps] = np.fmax(self.drift[:n_steps], drift.max(axis=0))
        self.charge[:n_steps] = np.fmax(self.charge[:n_steps], charge.max(axis=0))


def _ratio(total: Array, count: NDArray[np.int64]) -> Array:
    """Return means, 0 where nothing was counted."""
    return total / np.maximum(count, 1)


def _overall(total: Array, count: NDArray[np.int64]) -> float:
    return float(total.sum() / max(1, count.sum()))


def _overall99(histogram: NDArray[np.int64]) -> float:
    return float(abundance_errors.histogram_quantile(histogram.sum(axis=0), 0.99))
