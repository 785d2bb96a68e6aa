"""Risk against coverage: the error of the states that are kept, by the fraction that is kept.

States are sorted by the error that the surrogate expects of them, and the worst are left out first. The
oracle, which sorts by the true error, is the best that any order could give. States outside the trained
ranges, of which an infinite error is expected, are left out before all others, and reported on their own.
Standard errors are those over tracers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.data import abundance_errors
from chemnet.evaluation.jackknife import PlacedErrors, TracerGroups
from chemnet.evaluation.score_sums import Tally

Array = NDArray[np.float64]

# errors that states are sorted by [dex], in bins of one percent
_LEAST, _MOST, _BIN_WIDTH = 1e-3, 1e2, np.log(1.02)
_BINS = int(np.log(_MOST / _LEAST) / _BIN_WIDTH) + 3
# of what is not finite, and of what is beyond `_MOST`
_NOT_FINITE, _BEYOND = _BINS - 1, _BINS - 2
# shares of the states that are kept, in the curves and in the table
COVERAGES = np.round(np.arange(0.02, 1.001, 0.02), 2)
SHOWN_COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.5)
# groups of states whose expected and true errors are compared
_GROUPS = 12


class RiskCoverage:
    """Errors in dex, sorted by what was expected and by what was true."""

    def __init__(self) -> None:
        self._by_expected, self._by_true = Tally(_BINS), Tally(_BINS)
        self._states = np.zeros(_BINS, dtype=np.int64)
        self._true_states = np.zeros(_BINS, dtype=np.int64)
        self._expected = np.zeros(_BINS)
        self._by_tracer = TracerGroups(_BINS)

    def add(self, expected: Array, dex: Array, tracers: NDArray[np.int64]) -> None:
        """Add states with expected errors `(n,)` [dex], errors by species `(n, S)` and tracers `(n,)`."""
        true = dex.mean(axis=1)
        groups, true_groups = _bin(expected), _bin(true)
        self._states += np.bincount(groups, minlength=_BINS)
        self._true_states += np.bincount(true_groups, minlength=_BINS)
        finite = np.isfinite(expected)
        self._expected += np.bincount(groups[finite], expected[finite], _BINS)
        for tally, places in ((self._by_expected, groups), (self._by_true, true_groups)):
            tally.add_values(dex.ravel(), np.repeat(places, dex.shape[1]))
        self._by_tracer.add(dex.ravel(), *(np.repeat(one, dex.shape[1]) for one in (groups, tracers)))

    def take(self, other: RiskCoverage) -> None:
        """Add further states."""
        self._by_expected.take(other._by_expected)
        self._by_true.take(other._by_true)
        self._states += other._states
        self._true_states += other._true_states
        self._expected += other._expected
        self._by_tracer.take(other._by_tracer)

    def to_dict(self) -> dict[str, Any]:
        """Return curves, the figures at some coverages, and expected beside true errors.

        What ends in `_error` is a standard error; None where too few tracers tell one.
        """
        kept = _curve(self._by_expected, self._states, COVERAGES)
        oracle = _curve(self._by_true, self._true_states, COVERAGES)
        shown = _curve(self._by_expected, self._states, np.array(SHOWN_COVERAGES))
        errors = self._by_tracer.standard_errors(_figures)
        at = {
            f"{coverage:g}": {
                **{name: float(values[i]) for name, values in shown.items()},
                "beside_all_error": float(errors["beside_all"][i]) if errors else None,
            }
            for i, coverage in enumerate(SHOWN_COVERAGES)
        }
        return {
            "coverage": COVERAGES.tolist(),
            **{name: values.tolist() for name, values in kept.items()},
            **{f"{name}_error": errors[name].tolist() if errors else None for name in kept},
            **{f"oracle_{name}": values.tolist() for name, values in oracle.items()},
            "at_coverage": at,
            "reliability": self._reliability(),
            "outside": self._outside(),
        }

    def _outside(self) -> dict[str, float]:
        """Return how many states no finite error was expected of, and their true error; 0 for none."""
        found = self._by_expected.mlae[_NOT_FINITE]
        return {"states": int(self._states[_NOT_FINITE]), "found": float(found)}

    def _reliability(self) -> list[dict[str, Any]]:
        """Return mean expected and true errors of some groups of states inside, the best first."""
        inside = self._states[:_NOT_FINITE]
        share = np.append(inside.cumsum() / max(1, inside.sum()), np.inf)
        group = np.where(np.isfinite(share), np.minimum(share * _GROUPS - 1e-9, _GROUPS - 1), -1).astype(int)
        members = np.array([(group == number) & (self._states > 0) for number in range(_GROUPS)], dtype=float)
        members = members[members @ self._states > 0]

        def found(errors: Tally | PlacedErrors) -> Array:
            return (members @ errors.total) / np.maximum(members @ errors.count, 1)

        n_states, spread = (
            members @ self._states,
            self._by_tracer.standard_errors(lambda e: {"found": found(e)}),
        )
        expected, means = (members @ self._expected) / n_states, found(self._by_expected)
        return [
            {
                "states": int(n_states[i]),
                "expected": float(expected[i]),
                "found": float(means[i]),
                "found_error": float(spread["found"][i]) if spread else None,
            }
            for i in range(len(members))
        ]


def _figures(errors: PlacedErrors) -> dict[str, Array]:
    """Return the curves, and LAE99 at the shown coverages beside that of all, of errors in bins."""
    used = errors.count > 0
    total, count = errors.total[used].cumsum(), errors.count[used].cumsum()
    share, lae99 = errors.lae99()
    shown = np.interp(SHOWN_COVERAGES, share, lae99)
    return {
        "mlae": np.interp(COVERAGES, count / count[-1], total / count),
        "lae99": np.interp(COVERAGES, share, lae99),
        "beside_all": shown / np.maximum(shown[0], 1e-9),
    }


def _bin(error: Array) -> NDArray[np.int64]:
    inside = np.log(np.clip(np.nan_to_num(error, nan=_MOST), _LEAST, _MOST) / _LEAST) / _BIN_WIDTH
    places = np.where(error > _MOST, _BEYOND, np.minimum(inside.astype(np.int64), _BEYOND - 1))
    return np.where(np.isfinite(error), places, _NOT_FINITE)


def _curve(tally: Tally, states: NDArray[np.int64], coverages: Array) -> dict[str, Array]:
    """Return mLAE and LAE99 of the best states, at some shares of all."""
    used = states > 0
    share = states[used].cumsum() / max(1, states.sum())
    mlae = tally.total[used].cumsum() / tally.count[used].cumsum()
    lae99 = abundance_errors.histogram_quantile(tally.histogram[used].cumsum(axis=0), 0.99)
    return {"mlae": np.interp(coverages, share, mlae), "lae99": np.interp(coverages, share, lae99)}
