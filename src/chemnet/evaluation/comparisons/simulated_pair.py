"""Two simulated sets, state by state: which species differ, where, and what could not be matched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.species import is_species, standard_name
from chemnet.data.abundance_errors import log_abundance
from chemnet.data.simulated_set import SimulatedSet
from chemnet.evaluation.score_sums import Tally

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

# times that differ by less than this, relative to the last one, are the same
_SAME_TIME = 1e-6
# values that are tallied at once: a histogram takes its time however little there is
_VALUES_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Thresholds:
    """Abundances relative to H nuclei.

    Attributes
    ----------
    floor
        Lower ones count as this.
    visible, abundant
        A species is compared where it is above this in either set.
    """

    floor: float
    visible: float
    abundant: float


@dataclass
class SimulatedPair:
    """How a simulated set differs from another one on the tracers, times and species that both have.

    Parameters
    ----------
    first, other
        The sets.
    thresholds
        Which abundances are compared.
    """

    first: SimulatedSet
    other: SimulatedSet
    thresholds: Thresholds

    def __post_init__(self) -> None:
        theirs = {_spelt(name): column for column, name in enumerate(self.other.species)}
        shared = [(name, column) for column, name in enumerate(self.first.species) if _spelt(name) in theirs]
        self.species = [name for name, _ in shared]
        self._columns = np.array([column for _, column in shared], dtype=np.int64)
        self._their_columns = np.array([theirs[_spelt(name)] for name in self.species], dtype=np.int64)
        positions = {name: number for number, name in enumerate(self.other.tracer_ids)}
        self.tracers = [
            (number, positions[name])
            for number, name in enumerate(self.first.tracer_ids)
            if name in positions
        ]
        count = len(self.species)
        self.visible, self.abundant = Tally(count), Tally(count)
        self.signed, self.largest = np.zeros(count), np.zeros(count)
        self.worst: list[dict[str, Any]] = [{} for _ in self.species]
        self.states, self.unmatched_states = 0, 0
        self.conditions: dict[str, float] = {}
        self.by_step: dict[int, list[float]] = {}

    def compare(self) -> dict[str, Any]:
        """Go through the shared tracers and return what was found, as plain values."""
        pending: list[tuple[Array, Array]] = []
        for mine, theirs in self.tracers:
            pending += self._compare_tracer(mine, theirs)
            if sum(dex.size for dex, _ in pending) > _VALUES_AT_ONCE:
                self._tally(pending)
                pending = []
        self._tally(pending)
        return self._to_dict()

    def _compare_tracer(self, mine: int, theirs: int) -> Iterator[tuple[Array, Array]]:
        """Note the states of one tracer; yield differences [dex] and the larger abundance, `(T, S)` each."""
        rows, their_rows = _same_times(self.first.time(mine), self.other.time(theirs))
        self.states += len(rows)
        self.unmatched_states += len(self.first.time(mine)) - len(rows)
        if not len(rows):
            return
        self._note_conditions(mine, theirs, rows, their_rows)
        a = self.first.abundances(mine)[rows][:, self._columns].astype(np.float64)
        b = self.other.abundances(theirs)[their_rows][:, self._their_columns].astype(np.float64)
        logarithm = partial(log_abundance, floor=self.thresholds.floor)
        dex, larger = logarithm(b) - logarithm(a), np.maximum(a, b)
        seen = np.where(larger > self.thresholds.visible, np.abs(dex), 0.0)
        for row, step in enumerate(rows.tolist()):
            self.by_step.setdefault(step, [0.0, 0.0])
            self.by_step[step][0] += float(seen[row].sum())
            self.by_step[step][1] += int((larger[row] > self.thresholds.visible).sum())
        for column in np.flatnonzero(seen.max(axis=0) > self.largest).tolist():
            row = int(seen[:, column].argmax())
            self.largest[column] = seen[row, column]
            self.worst[column] = {
                "dex": float(dex[row, column]),
                "tracer": self.first.tracer_ids[mine],
                "time": float(self.first.time(mine)[rows[row]]),
                "first": float(a[row, column]),
                "other": float(b[row, column]),
            }
        yield dex, larger

    def _note_conditions(self, mine: int, theirs: int, rows: Rows, their_rows: Rows) -> None:
        """Keep by how much the physical parameters differ at most, relative to the larger one."""
        ours, others = self.first.physical(mine)[rows], self.other.physical(theirs)[their_rows]
        for column, name in enumerate(self.first.physical_names):
            if name in self.other.physical_names:
                a, b = ours[:, column], others[:, self.other.physical_names.index(name)]
                apart = np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-300)
                self.conditions[name] = max(self.conditions.get(name, 0.0), float(apart.max()))

    def _tally(self, pending: list[tuple[Array, Array]]) -> None:
        if not pending:
            return
        dex = np.concatenate([one for one, _ in pending])
        larger = np.concatenate([one for _, one in pending])
        for tally, least in (
            (self.visible, self.thresholds.visible),
            (self.abundant, self.thresholds.abundant),
        ):
            _, columns = np.nonzero(larger > least)
            tally.add_values(np.abs(dex[larger > least]), columns)
        self.signed += np.where(larger > self.thresholds.visible, dex, 0.0).sum(axis=0)

    def _to_dict(self) -> dict[str, Any]:
        visible, abundant = self.visible, self.abundant
        by_species = {
            name: {
                "mean": float(visible.mlae[i]),
                "signed": float(self.signed[i] / max(1, visible.count[i])),
                "percentile_99": float(visible.lae99[i]),
                "states": int(visible.count[i]),
                "mean_abundant": float(abundant.mlae[i]) if abundant.count[i] else None,
                "states_abundant": int(abundant.count[i]),
                "worst": self.worst[i] or None,
            }
            for i, name in enumerate(self.species)
        }
        ids, their_ids = set(self.first.tracer_ids), set(self.other.tracer_ids)
        names, their_names = map(_spellings, (self.first, self.other))
        return {
            "species": len(self.species),
            "tracers": len(self.tracers),
            "states": self.states,
            "mean": _mean(visible),
            "mean_abundant": _mean(abundant),
            "by_species": by_species,
            "by_step": {
                "step": sorted(self.by_step),
                "mean": [
                    self.by_step[step][0] / max(1, self.by_step[step][1]) for step in sorted(self.by_step)
                ],
            },
            "conditions": self.conditions,
            "unmatched": {
                "species_of_first": [names[one] for one in names if one not in their_names],
                "species_of_other": [their_names[one] for one in their_names if one not in names],
                "tracers_of_first": len(ids - their_ids),
                "tracers_of_other": len(their_ids - ids),
                "states_of_first": self.unmatched_states,
            },
        }


def _mean(tally: Tally) -> float | None:
    """Return the mean over all species; None where nothing was above the threshold."""
    return float(tally.total.sum() / tally.count.sum()) if tally.count.sum() else None


def _same_times(first: Array, other: Array) -> tuple[Rows, Rows]:
    """Return the rows of two tracers that stand for the same times."""
    near = np.clip(np.searchsorted(other, first), 0, len(other) - 1)
    before = np.maximum(near - 1, 0)
    near = np.where(np.abs(other[before] - first) < np.abs(other[near] - first), before, near)
    limit = _SAME_TIME * max(float(first[-1]), float(other[-1]))
    rows = np.flatnonzero(np.abs(other[near] - first) <= limit)
    return rows, near[rows]


def _spelt(name: str) -> str:
    """Return a species' name as all spellings of it have it."""
    return standard_name(name) if is_species(name) else name


def _spellings(simulated: SimulatedSet) -> Mapping[str, str]:
    return {_spelt(name): name for name in simulated.species}
