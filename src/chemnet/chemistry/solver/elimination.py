"""LU factorisation for a static sparse pattern: order and fill worked out once, no pivoting, dense tail.

The rows of a chemical Jacobian differ by many decades, but the iteration matrix I - cJ of a stiff integrator
is dominated by its diagonal where it matters, so that one Markowitz order serves all steps. Hydrogen,
electrons and the common radicals couple to everything; last in the order, they form a block that is full and
is treated as such.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chemnet.compiling import compiled, inner

Array = NDArray[np.float64]
_FULL_ENOUGH = 0.9
"""Least share of non-zeros in the trailing block that is treated as dense."""


class Elimination(NamedTuple):
    """The elimination's plan for one pattern; positions count in elimination order.

    Rows below `n_sparse` keep sparse factors; later ones only their part left of the dense tail.
    """

    size: int
    n_sparse: int
    order: NDArray[np.uint32]
    entry_start: NDArray[np.uint32]
    entry: NDArray[np.uint32]
    entry_column: NDArray[np.uint32]
    lower_start: NDArray[np.uint32]
    lower_column: NDArray[np.uint32]
    upper_start: NDArray[np.uint32]
    upper_column: NDArray[np.uint32]


class Factors(NamedTuple):
    """Storage for the factors of one matrix, and a work row."""

    lower: Array
    upper: Array
    inverse_pivot: Array
    tail: Array
    work: Array


def plan_elimination(
    rows: NDArray[np.int32], columns: NDArray[np.int32], size: int, n_border: int = 0
) -> Elimination:
    """Choose the order, find the fill and lay out the factors.

    Parameters
    ----------
    rows, columns
        The pattern, one pair per entry; the diagonal is implied.
    size
        Rows of the matrix.
    n_border
        How many of the last unknowns must be eliminated last.
    """
    pattern = np.eye(size, dtype=bool)
    pattern[rows, columns] = True
    order = _markowitz_order(pattern, n_border)
    filled = pattern[np.ix_(order, order)]
    n_sparse = size - _tail_size(filled)
    position = np.empty(size, np.int64)
    position[order] = np.arange(size)
    by_row = np.argsort(position[rows], kind="stable")
    lower = np.tril(filled, -1)[:, :n_sparse]
    upper = np.triu(filled, 1)[:n_sparse]
    entry_counts = np.bincount(position[rows], minlength=size)
    return Elimination(
        size=size,
        n_sparse=n_sparse,
        order=order.astype(np.uint32),
        entry_start=_starts(entry_counts),
        entry=by_row.astype(np.uint32),
        entry_column=position[columns[by_row]].astype(np.uint32),
        lower_start=_starts(lower.sum(axis=1)),
        lower_column=np.nonzero(lower)[1].astype(np.uint32),
        upper_start=_starts(upper.sum(axis=1)),
        upper_column=np.nonzero(upper)[1].astype(np.uint32),
    )


def _starts(counts: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return where each group starts."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)


def _markowitz_order(pattern: NDArray[np.bool_], n_border: int) -> NDArray[np.int64]:
    """Return the elimination order, least row x column count first (Markowitz); add fill to `pattern`."""
    size = len(pattern)
    active = np.ones(size, bool)
    order = np.empty(size, np.int64)
    row_counts, column_counts = pattern.sum(axis=1), pattern.sum(axis=0)
    for step in range(size):
        candidates = np.flatnonzero(active[: size - n_border] if step < size - n_border else active)
        cost = (row_counts[candidates] - 1) * (column_counts[candidates] - 1)
        pivot = candidates[np.argmin(cost)]
        order[step] = pivot
        active[pivot] = False
        rows, columns = np.flatnonzero(pattern[:, pivot] & active), np.flatnonzero(pattern[pivot] & active)
        block = pattern[np.ix_(rows, columns)]
        row_counts[rows] += len(columns) - block.sum(axis=1) - 1
        column_counts[columns] += len(rows) - block.sum(axis=0) - 1
        pattern[np.ix_(rows, columns)] = True
    return order


def _tail_size(filled: NDArray[np.bool_]) -> int:
    """Return the size of the largest trailing block that is nearly full."""
    size = len(filled)
    full = (
        tail for tail in range(size, 0, -1) if filled[size - tail :, size - tail :].mean() >= _FULL_ENOUGH
    )
    return next(full)


def allocate_factors(plan: Elimination) -> Factors:
    """Return storage for the factors of one matrix; a thread needs its own."""
    tail = plan.size - plan.n_sparse
    return Factors(
        lower=np.zeros(len(plan.lower_column)),
        upper=np.zeros(len(plan.upper_column)),
        inverse_pivot=np.zeros(plan.size),
        tail=np.zeros((tail, tail)),
        work=np.zeros(plan.size),
    )


@compiled
def factorise(plan: Elimination, values: Array, c: float, n: int, factors: Factors) -> None:
    """Factorise I - C J, where C is `c` in the first `n` rows and 1 in the border's.

    Parameters
    ----------
    plan
        From `plan_elimination`.
    values
        Entries of J in the order of the pattern.
    c
        Step size times the method's coefficient.
    n
        Number of rows that `c` multiplies.
    factors
        Output.
    """
    w, split = factors.work, plan.n_sparse
    for i in range(plan.size):
        _scatter_row(plan, values, -c if plan.order[i] < n else -1.0, i, w)
        for p in range(plan.lower_start[i], plan.lower_start[i + 1]):
            pivot = plan.lower_column[p]
            multiplier = w[pivot] * factors.inverse_pivot[pivot]
            factors.lower[p] = multiplier
            w[pivot] = 0.0
            if multiplier != 0.0:
                for q in range(plan.upper_start[pivot], plan.upper_start[pivot + 1]):
                    w[plan.upper_column[q]] -= multiplier * factors.upper[q]
        if i < split:
            factors.inverse_pivot[i] = 1.0 / w[i]
            w[i] = 0.0
            for q in range(plan.upper_start[i], plan.upper_start[i + 1]):
                factors.upper[q] = w[plan.upper_column[q]]
                w[plan.upper_column[q]] = 0.0
        else:
            for j in range(split, plan.size):
                factors.tail[i - split, j - split] = w[j]
                w[j] = 0.0
    _factorise_tail(factors.tail, factors.inverse_pivot[split:])


@inner
def _scatter_row(plan: Elimination, values: Array, scale: float, i: int, w: Array) -> None:
    """Write row `i` of the matrix into the work row, which holds zeros."""
    for p in range(plan.entry_start[i], plan.entry_start[i + 1]):
        w[plan.entry_column[p]] = scale * values[plan.entry[p]]
    w[i] += 1.0


@inner(fastmath={"contract"})
def _factorise_tail(a: Array, inverse_pivot: Array) -> None:
    """Factorise the dense block in place, four pivots at a time to cut the traffic to a quarter."""
    size = a.shape[0]
    blocked = size // 4 * 4
    for k in range(0, blocked, 4):
        _factorise_rows(a, inverse_pivot, k, k + 4)
        r0, r1, r2, r3 = a[k], a[k + 1], a[k + 2], a[k + 3]
        for i in range(k + 4, size):
            row = a[i]
            m0 = row[k] * inverse_pivot[k]
            m1 = (row[k + 1] - m0 * r0[k + 1]) * inverse_pivot[k + 1]
            m2 = (row[k + 2] - m0 * r0[k + 2] - m1 * r1[k + 2]) * inverse_pivot[k + 2]
            m3 = (row[k + 3] - m0 * r0[k + 3] - m1 * r1[k + 3] - m2 * r2[k + 3]) * inverse_pivot[k + 3]
            row[k], row[k + 1], row[k + 2], row[k + 3] = m0, m1, m2, m3
            for j in range(k + 4, size):
                row[j] -= m0 * r0[j] + m1 * r1[j] + m2 * r2[j] + m3 * r3[j]
    _factorise_rows(a, inverse_pivot, blocked, size)


@inner
def _factorise_rows(a: Array, inverse_pivot: Array, first: int, last: int) -> None:
    """Eliminate rows `first` to `last` among themselves."""
    for i in range(first, last):
        for k in range(first, i):
            multiplier = a[i, k] * inverse_pivot[k]
            a[i, k] = multiplier
            for j in range(k + 1, a.shape[0]):
                a[i, j] -= multiplier * a[k, j]
        inverse_pivot[i] = 1.0 / a[i, i]


@compiled
def solve_factorised(plan: Elimination, factors: Factors, b: Array) -> None:
    """Solve in place for the right-hand side `b`, shape (size,), in the order of the unknowns."""
    x, split = factors.work, plan.n_sparse
    for i in range(plan.size):
        total = b[plan.order[i]]
        for p in range(plan.lower_start[i], plan.lower_start[i + 1]):
            total -= factors.lower[p] * x[plan.lower_column[p]]
        x[i] = total
    _solve_tail(factors.tail, factors.inverse_pivot[split:], x[split:])
    for i in range(split - 1, -1, -1):
        total = x[i]
        for q in range(plan.upper_start[i], plan.upper_start[i + 1]):
            total -= factors.upper[q] * x[plan.upper_column[q]]
        x[i] = total * factors.inverse_pivot[i]
    for i in range(plan.size):
        b[plan.order[i]] = x[i]
        x[i] = 0.0


@inner(fastmath={"reassoc", "contract"})
def _solve_tail(a: Array, inverse_pivot: Array, x: Array) -> None:
    """Solve with the dense factors in place."""
    size = x.size
    for i in range(size):
        total = x[i]
        for j in range(i):
            total -= a[i, j] * x[j]
        x[i] = total
    for i in range(size - 1, -1, -1):
        total = x[i]
        for j in range(i + 1, size):
            total -= a[i, j] * x[j]
        x[i] = total * inverse_pivot[i]


@compiled
def solve_transposed(plan: Elimination, factors: Factors, b: Array) -> None:
    """Solve with the transposed matrix in place, shape (size,), in the order of the unknowns."""
    x, split = factors.work, plan.n_sparse
    for i in range(plan.size):
        x[i] = b[plan.order[i]]
    for i in range(split):
        x[i] *= factors.inverse_pivot[i]
        for q in range(plan.upper_start[i], plan.upper_start[i + 1]):
            x[plan.upper_column[q]] -= factors.upper[q] * x[i]
    _solve_tail_transposed(factors.tail, factors.inverse_pivot[split:], x[split:])
    for i in range(plan.size - 1, -1, -1):
        for p in range(plan.lower_start[i], plan.lower_start[i + 1]):
            x[plan.lower_column[p]] -= factors.lower[p] * x[i]
    for i in range(plan.size):
        b[plan.order[i]] = x[i]
        x[i] = 0.0


@inner
def _solve_tail_transposed(a: Array, inverse_pivot: Array, x: Array) -> None:
    """Solve with the transposed dense factors in place."""
    size = x.size
    for i in range(size):
        x[i] *= inverse_pivot[i]
        for j in range(i + 1, size):
            x[j] -= a[i, j] * x[i]
    for i in range(size - 1, -1, -1):
        for j in range(i):
            x[j] -= a[i, j] * x[i]
