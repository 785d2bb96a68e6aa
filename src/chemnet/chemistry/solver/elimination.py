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

from chemnet.chemistry.solver.dense_tail import (
    block_count,
    factorise_blocks,
    fill_up,
    solve_blocks,
    solve_transposed_blocks,
    store_row,
)
from chemnet.chemistry.solver.vectors import (
    LANES,
    aligned_zeros,
    less,
    less_product,
    load,
    store,
    total,
    zeros,
)
from chemnet.compiling import UNCOUNTED, compiled, inner

Array = NDArray[np.float64]
_FULL_ENOUGH = 0.9
"""Least share of non-zeros in the trailing block that is treated as dense."""
_WIDE_ENOUGH = 0.15
"""Least share of non-zeros in the tail's part of a row that is treated as dense."""


class Elimination(NamedTuple):
    """The elimination's plan for one pattern; positions count in elimination order.

    Rows below `n_sparse` keep sparse factors; later ones only their part left of the dense tail. Rows from
    `first_wide` on, whose pivots are the common species, keep their part in the tail dense. `lower_wide` is
    where the multipliers of such pivots begin. `whole_start` and `whole_column` are `upper_start` and
    `upper_column` with the tail's part of wide rows, for those who keep it sparse.
    """

    size: int
    n_sparse: int
    first_wide: int
    order: NDArray[np.uint32]
    entry_start: NDArray[np.uint32]
    entry: NDArray[np.uint32]
    entry_column: NDArray[np.uint32]
    lower_start: NDArray[np.uint32]
    lower_wide: NDArray[np.uint32]
    lower_column: NDArray[np.uint32]
    upper_start: NDArray[np.uint32]
    upper_column: NDArray[np.uint32]
    whole_start: NDArray[np.uint32]
    whole_column: NDArray[np.uint32]


class Factors(NamedTuple):
    """Storage for the factors of one matrix, and a work row; `wide` and `tail` have whole vectors."""

    lower: Array
    upper: Array
    wide: Array
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
    whole = upper.copy()
    first_wide = _first_wide(upper[:, n_sparse:])
    upper[first_wide:, n_sparse:] = False
    entry_counts = np.bincount(position[rows], minlength=size)
    return Elimination(
        size=size,
        n_sparse=n_sparse,
        first_wide=first_wide,
        order=order.astype(np.uint32),
        entry_start=_starts(entry_counts),
        entry=by_row.astype(np.uint32),
        entry_column=position[columns[by_row]].astype(np.uint32),
        lower_start=_starts(lower.sum(axis=1)),
        lower_wide=_starts(lower.sum(axis=1))[:-1] + lower[:, :first_wide].sum(axis=1, dtype=np.uint32),
        lower_column=np.nonzero(lower)[1].astype(np.uint32),
        upper_start=_starts(upper.sum(axis=1)),
        upper_column=np.nonzero(upper)[1].astype(np.uint32),
        whole_start=_starts(whole.sum(axis=1)),
        whole_column=np.nonzero(whole)[1].astype(np.uint32),
    )


def _starts(counts: NDArray[np.int64]) -> NDArray[np.uint32]:
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


def _first_wide(in_tail: NDArray[np.bool_]) -> int:
    """Return the row from which on all rows, taken together, have a wide part in the tail."""
    share = in_tail.mean(axis=1)[::-1]
    mean = np.cumsum(share) / np.arange(1, len(share) + 1)
    return len(share) - int(np.argmin(np.append(np.minimum(mean, share) >= _WIDE_ENOUGH, False)))


def allocate_factors(plan: Elimination) -> Factors:
    """Return storage for the factors of one matrix; a thread needs its own."""
    width = LANES * block_count(plan.size - plan.n_sparse)
    return Factors(
        lower=aligned_zeros(len(plan.lower_column)),
        upper=aligned_zeros(len(plan.upper_column)),
        wide=aligned_zeros((plan.n_sparse - plan.first_wide) * width),
        inverse_pivot=aligned_zeros(plan.n_sparse + width),
        tail=aligned_zeros(width * width),
        work=aligned_zeros(plan.n_sparse + width),
    )


@compiled(**UNCOUNTED)
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
    blocks = (w.size - split) // LANES
    for i in range(plan.size):
        _scatter_row(plan, values, -c if plan.order[i] < n else -1.0, i, w)
        _eliminate_row(plan, factors, i)
        if plan.lower_wide[i] < plan.lower_start[i + 1]:
            _eliminate_in_tail(plan, factors, i, blocks)
        if i < split:
            _keep_row(plan, factors, i, blocks)
        else:
            store_row(factors.tail, blocks, i - split, w, split)
    fill_up(factors.tail, blocks, plan.size - split)
    factorise_blocks(factors.tail, blocks, factors.inverse_pivot[split:])


@inner(**UNCOUNTED)
def _scatter_row(plan: Elimination, values: Array, scale: float, i: int, w: Array) -> None:
    """Write row `i` of the matrix into the work row, which holds zeros."""
    for p in range(plan.entry_start[i], plan.entry_start[i + 1]):
        w[plan.entry_column[p]] = scale * values[plan.entry[p]]
    w[i] += 1.0


@inner(**UNCOUNTED)
def _eliminate_row(plan: Elimination, factors: Factors, i: int) -> None:
    """Subtract the earlier rows, but for the tail's part of wide ones, and keep the multipliers."""
    w = factors.work
    for p in range(plan.lower_start[i], plan.lower_start[i + 1]):
        pivot = plan.lower_column[p]
        multiplier = w[pivot] * factors.inverse_pivot[pivot]
        factors.lower[p] = multiplier
        w[pivot] = 0.0
        for q in range(plan.upper_start[pivot], plan.upper_start[pivot + 1]):
            w[plan.upper_column[q]] -= multiplier * factors.upper[q]


@inner(**UNCOUNTED)
def _eliminate_in_tail(plan: Elimination, factors: Factors, i: int, blocks: int) -> None:
    """Subtract the tail's part of the wide rows, four vectors at a time."""
    w, wide, width = factors.work, factors.wide, blocks * LANES
    first, last = plan.lower_wide[i], plan.lower_start[i + 1]
    block = 0
    while block + 4 <= blocks:
        place = plan.n_sparse + block * LANES
        w0, w1, w2, w3 = load(w, place), load(w, place + 8), load(w, place + 16), load(w, place + 24)
        for p in range(first, last):
            row = np.int64(plan.lower_column[p] - plan.first_wide) * width + block * LANES
            m = factors.lower[p]
            w0, w1 = less(w0, m, load(wide, row)), less(w1, m, load(wide, row + 8))
            w2, w3 = less(w2, m, load(wide, row + 16)), less(w3, m, load(wide, row + 24))
        store(w, place, w0), store(w, place + 8, w1), store(w, place + 16, w2), store(w, place + 24, w3)
        block += 4
    while block < blocks:
        part = load(w, plan.n_sparse + block * LANES)
        for p in range(first, last):
            row = np.int64(plan.lower_column[p] - plan.first_wide) * width + block * LANES
            part = less(part, factors.lower[p], load(wide, row))
        store(w, plan.n_sparse + block * LANES, part)
        block += 1


@inner(**UNCOUNTED)
def _keep_row(plan: Elimination, factors: Factors, i: int, blocks: int) -> None:
    """Move a row of U from the work row, and leave zeros."""
    w, split = factors.work, plan.n_sparse
    factors.inverse_pivot[i] = 1.0 / w[i]
    w[i] = 0.0
    for q in range(plan.upper_start[i], plan.upper_start[i + 1]):
        factors.upper[q] = w[plan.upper_column[q]]
        w[plan.upper_column[q]] = 0.0
    if i >= plan.first_wide:
        row = (i - plan.first_wide) * blocks * LANES
        for j in range(0, blocks * LANES, LANES):
            store(factors.wide, row + j, load(w, split + j))
            store(w, split + j, zeros())


@compiled(**UNCOUNTED)
def solve_factorised(plan: Elimination, factors: Factors, b: Array) -> None:
    """Solve in place for the right-hand side `b`, shape (size,), in the order of the unknowns."""
    x, split = factors.work, plan.n_sparse
    blocks = (x.size - split) // LANES
    for i in range(plan.size):
        value = b[plan.order[i]]
        for p in range(plan.lower_start[i], plan.lower_start[i + 1]):
            value -= factors.lower[p] * x[plan.lower_column[p]]
        x[i] = value
    solve_blocks(factors.tail, blocks, factors.inverse_pivot[split:], x, split)
    for i in range(split - 1, -1, -1):
        value = x[i]
        if i >= plan.first_wide:
            row, known = (i - plan.first_wide) * blocks * LANES, zeros()
            for j in range(0, blocks * LANES, LANES):
                known = less_product(known, load(factors.wide, row + j), load(x, split + j))
            value += total(known)
        for q in range(plan.upper_start[i], plan.upper_start[i + 1]):
            value -= factors.upper[q] * x[plan.upper_column[q]]
        x[i] = value * factors.inverse_pivot[i]
    for i in range(plan.size):
        b[plan.order[i]] = x[i]
    for i in range(x.size):  # the rows that fill up the tail, too: 0 x infinity may have come to them
        x[i] = 0.0


@compiled(**UNCOUNTED)
def solve_transposed(plan: Elimination, factors: Factors, b: Array) -> None:
    """Solve with the transposed matrix in place, shape (size,), in the order of the unknowns."""
    x, split = factors.work, plan.n_sparse
    blocks = (x.size - split) // LANES
    for i in range(plan.size):
        x[i] = b[plan.order[i]]
    for i in range(split):
        x[i] *= factors.inverse_pivot[i]
        for q in range(plan.upper_start[i], plan.upper_start[i + 1]):
            x[plan.upper_column[q]] -= factors.upper[q] * x[i]
        if i >= plan.first_wide:
            row = (i - plan.first_wide) * blocks * LANES
            for j in range(0, blocks * LANES, LANES):
                store(x, split + j, less(load(x, split + j), x[i], load(factors.wide, row + j)))
    solve_transposed_blocks(factors.tail, blocks, factors.inverse_pivot[split:], x, split)
    for i in range(plan.size - 1, -1, -1):
        for p in range(plan.lower_start[i], plan.lower_start[i + 1]):
            x[plan.lower_column[p]] -= factors.lower[p] * x[i]
    for i in range(plan.size):
        b[plan.order[i]] = x[i]
    for i in range(x.size):  # the rows that fill up the tail, too: 0 x infinity may have come to them
        x[i] = 0.0
