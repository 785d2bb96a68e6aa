"""LU factorisation of eight matrices of one pattern side by side, each in a lane of the vector registers.

The sparse part of an elimination waits for positions to be looked up; for eight cells they are looked up
once. What remains is the dense tail, which is factorised cell by cell, in registers as it is.

Number i of cell c stands at `LANES * i + c` in every array here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.solver.dense_tail import block_at, block_count, factorise_blocks, fill_up, solve_blocks
from chemnet.chemistry.solver.elimination import Elimination
from chemnet.chemistry.solver.vectors import (
    LANES,
    aligned_zeros,
    everywhere,
    less_product,
    load,
    minus,
    over,
    plus,
    store,
    times,
    transpose,
    zeros,
)
from chemnet.compiling import UNCOUNTED, inner

Array = NDArray[np.float64]


class FactorsAbreast(NamedTuple):
    """Storage for the factors of eight matrices and work rows; `tails` and the pivots in it by cell."""

    lower: Array
    upper: Array
    inverse_pivot: Array
    tails: Array
    tail_pivots: Array
    tail_work: Array
    work: Array


def allocate_factors_abreast(plan: Elimination) -> FactorsAbreast:
    """Return storage for the factors of eight matrices; a thread needs its own."""
    width = LANES * block_count(plan.size - plan.n_sparse)
    # a multiple of 4096 bytes between the cells' matrices would let their rows fight for the same cache lines
    stride = width * width + LANES * LANES
    return FactorsAbreast(
        lower=aligned_zeros(LANES * len(plan.lower_column)),
        upper=aligned_zeros(LANES * len(plan.whole_column)),
        inverse_pivot=aligned_zeros(LANES * plan.n_sparse),
        tails=aligned_zeros(LANES * stride).reshape(LANES, stride),
        tail_pivots=aligned_zeros(LANES * width).reshape(LANES, width),
        tail_work=aligned_zeros(width),
        work=aligned_zeros(LANES * (plan.n_sparse + width)),
    )


@inner(**UNCOUNTED)
def factorise_abreast(
    plan: Elimination, values: Array, c: Array, n: int, used: NDArray[np.bool_], factors: FactorsAbreast
) -> None:
    """Factorise I - C J for each cell, where C is `c` in the first `n` rows and 1 in the border's.

    Parameters
    ----------
    plan
        From `plan_elimination`.
    values
        Entries of the eight J.
    c
        Step sizes, shape (8,).
    n
        Number of rows that `c` multiplies.
    used
        Lanes that hold a cell, shape (8,); the others' factors are left unfinished.
    factors
        Output.
    """
    w, split = factors.work, plan.n_sparse
    blocks = factors.tail_work.size // LANES
    steps, ones = load(c, 0), everywhere(1.0)
    for i in range(plan.size):
        scale = steps if plan.order[i] < n else ones
        for p in range(plan.entry_start[i], plan.entry_start[i + 1]):
            entry = times(scale, load(values, LANES * np.int64(plan.entry[p])))
            store(w, LANES * np.int64(plan.entry_column[p]), minus(zeros(), entry))
        store(w, LANES * i, plus(load(w, LANES * i), ones))
        _eliminate_row(plan, factors, i)
        if i < split:
            _keep_row(plan, factors, i)
        else:
            _store_tail_row(factors, blocks, i - split, split)
    for cell in range(LANES):
        if used[cell]:
            fill_up(factors.tails[cell], blocks, plan.size - split)
            factorise_blocks(factors.tails[cell], blocks, factors.tail_pivots[cell])


@inner(**UNCOUNTED)
def _eliminate_row(plan: Elimination, factors: FactorsAbreast, i: int) -> None:
    """Subtract the earlier rows and keep the multipliers."""
    w = factors.work
    for p in range(plan.lower_start[i], plan.lower_start[i + 1]):
        pivot = np.int64(plan.lower_column[p])
        multiplier = times(load(w, LANES * pivot), load(factors.inverse_pivot, LANES * pivot))
        store(factors.lower, LANES * p, multiplier)
        store(w, LANES * pivot, zeros())
        for q in range(plan.whole_start[pivot], plan.whole_start[pivot + 1]):
            place = LANES * np.int64(plan.whole_column[q])
            store(w, place, less_product(load(w, place), multiplier, load(factors.upper, LANES * q)))


@inner(**UNCOUNTED)
def _keep_row(plan: Elimination, factors: FactorsAbreast, i: int) -> None:
    """Move a row of U from the work row, and leave zeros."""
    w = factors.work
    store(factors.inverse_pivot, LANES * i, over(everywhere(1.0), load(w, LANES * i)))
    store(w, LANES * i, zeros())
    for q in range(plan.whole_start[i], plan.whole_start[i + 1]):
        place = LANES * np.int64(plan.whole_column[q])
        store(factors.upper, LANES * q, load(w, place))
        store(w, place, zeros())


@inner(**UNCOUNTED)
def _store_tail_row(factors: FactorsAbreast, blocks: int, row: int, split: int) -> None:
    """Move one row of each tail from the work row into the cells' own matrices, and leave zeros."""
    w = factors.work
    start = block_at(blocks, row // LANES, 0) + row % LANES * LANES
    for j in range(blocks):
        place = LANES * (split + j * LANES)
        transpose(w, place)
        for cell in range(LANES):
            store(factors.tails[cell], start + j * LANES * LANES, load(w, place + LANES * cell))
            store(w, place + LANES * cell, zeros())


@inner(**UNCOUNTED)
def solve_abreast(plan: Elimination, factors: FactorsAbreast, used: NDArray[np.bool_], b: Array) -> None:
    """Solve in place for the eight right-hand sides `b`, in the order of the unknowns."""
    x, split = factors.work, plan.n_sparse
    blocks = factors.tail_work.size // LANES
    for i in range(plan.size):
        value = load(b, LANES * np.int64(plan.order[i]))
        for p in range(plan.lower_start[i], plan.lower_start[i + 1]):
            known = load(x, LANES * np.int64(plan.lower_column[p]))
            value = less_product(value, load(factors.lower, LANES * p), known)
        store(x, LANES * i, value)
    part = factors.tail_work
    for cell in range(LANES):
        if used[cell]:
            for i in range(part.size):
                part[i] = x[LANES * (split + i) + cell]
            solve_blocks(factors.tails[cell], blocks, factors.tail_pivots[cell], part, 0)
            for i in range(part.size):
                x[LANES * (split + i) + cell] = part[i]
    for i in range(split - 1, -1, -1):
        value = load(x, LANES * i)
        for q in range(plan.whole_start[i], plan.whole_start[i + 1]):
            known = load(x, LANES * np.int64(plan.whole_column[q]))
            value = less_product(value, load(factors.upper, LANES * q), known)
        store(x, LANES * i, times(value, load(factors.inverse_pivot, LANES * i)))
    for i in range(plan.size):
        store(b, LANES * np.int64(plan.order[i]), load(x, LANES * i))
    for i in range(
        0, x.size, LANES
    ):  # the rows that fill up the tail, too: 0 x infinity may have come to them
        store(x, i, zeros())
