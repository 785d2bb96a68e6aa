"""Totals that reactions conserve: their drift is measured, and what rounding added is taken out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.solver.outcome_codes import SolverCode
from chemnet.compiling import compiled, inner

Array = NDArray[np.float64]

ABUNDANCE_FLOOR = 1e-30
"""Least abundance that a tracer step returns."""
_DRIFT_LIMIT = 1e-8  # relative drift of a conserved total over one tracer step, before it is taken out
_WATCHED_LIMIT = 1e-3  # the same for totals that the network itself does not conserve
_ABSENT = 1e-20  # a total of less is left alone
_DEPENDENT = 1e-12  # of one; a total that the others determine leaves less after elimination

_SUCCESS = SolverCode.SUCCESS.value
_NOT_FINITE = SolverCode.NOT_FINITE.value
_NOT_CONSERVED = SolverCode.NOT_CONSERVED.value


@compiled
def settle(invariants: Array, watched: Array, before: Array, after: Array) -> int:
    """Lift `after` to the floor, check its totals against `before`, take out what rounding added.

    Parameters
    ----------
    invariants, watched
        Weights of the totals that must hold and of those that the network itself breaks, shape (n, n_totals).
    before, after
        Abundances, shape (n,); the latter is changed in place.

    Returns
    -------
    int
        A `SolverCode`.
    """
    for i in range(after.size):
        if not math.isfinite(after[i]):
            return _NOT_FINITE
        after[i] = max(after[i], ABUNDANCE_FLOOR)
    if (
        worst_drift(watched, before, after) > _WATCHED_LIMIT
        or worst_drift(invariants, before, after) > _DRIFT_LIMIT
    ):
        return _NOT_CONSERVED
    restore_totals(invariants, before, after)
    return _SUCCESS


@compiled
def worst_drift(totals: Array, before: Array, after: Array) -> float:
    """Return the largest change of a total, relative to the amount that takes part in it (at least 1e-15).

    Parameters
    ----------
    totals
        Weight of each species in each total, shape (n, n_totals).
    before, after
        Abundances, shape (n,).
    """
    worst = 0.0
    for t in range(totals.shape[1]):
        change, amount = 0.0, 1e-15
        for i in range(before.size):
            change += (after[i] - before[i]) * totals[i, t]
            amount += before[i] * abs(totals[i, t])
        worst = max(worst, abs(change) / amount)
    return worst


@compiled
def restore_totals(totals: Array, before: Array, after: Array) -> None:
    """Scale `after` in place by 1 + totals x multipliers, the least change that brings back all totals.

    Takes what `worst_drift` takes; `before` holds the right totals.
    """
    n, size = totals.shape
    system, right = np.zeros((size, size)), np.zeros(size)
    for t in range(size):
        for i in range(n):
            right[t] += (before[i] - after[i]) * totals[i, t]
        for u in range(size):
            for i in range(n):
                system[t, u] += totals[i, t] * totals[i, u] * after[i]
    _solve_totals(system, right)
    for i in range(n):
        share = 1.0
        for t in range(size):
            share += totals[i, t] * right[t]
        after[i] *= share


@inner
def _solve_totals(system: Array, right: Array) -> None:
    """Solve in place with a positive semi-definite matrix; unknowns that are not determined become 0."""
    size = right.size
    scale = np.zeros(size)
    for t in range(size):
        if system[t, t] > _ABSENT:
            scale[t] = 1.0 / math.sqrt(system[t, t])
    for t in range(size):  # with ones on the diagonal, totals of any size weigh the same
        right[t] *= scale[t]
        for u in range(size):
            system[t, u] *= scale[t] * scale[u]
    for t in range(size):
        if system[t, t] < _DEPENDENT:
            right[t] = 0.0
            continue
        for u in range(t + 1, size):
            multiplier = system[u, t] / system[t, t]
            right[u] -= multiplier * right[t]
            for v in range(t, size):
                system[u, v] -= multiplier * system[t, v]
    for t in range(size - 1, -1, -1):
        if system[t, t] >= _DEPENDENT:
            for u in range(t + 1, size):
                right[t] -= system[t, u] * right[u]
            right[t] /= system[t, t]
    for t in range(size):
        right[t] *= scale[t]
