"""Growing sub-steps of second order within a step: what one implicit Euler step is too coarse for.

Each sub-step h has two implicit stages with one matrix (Alexander 1977, SIAM J. Numer. Anal. 14, 1006), and
is L-stable:

    u = x + g h f(u),    x' = x + (1 - g) h f(u) + g h f(x'),    g = 1 - 1 / sqrt(2)

Every sub-step is longer than the one before by the same factor, so that what a sudden change sets off is
resolved at first and the slow rest is not paid for.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.equations import derivatives, jacobian
from chemnet.chemistry.solver.elimination import Factors, factorise, solve_factorised
from chemnet.chemistry.solver.implicit_cells import (
    BAD_INPUT,
    CONVERGED,
    NOT_CONVERGED,
    SINGULAR,
    TABLE_FLOOR,
    Cells,
    Outcome,
    put_into_balance,
    start_of_step,
    take,
)
from chemnet.chemistry.solver.problem import Problem
from chemnet.chemistry.solver.quirks import Switches, is_bare
from chemnet.compiling import compiled, inner

Array = NDArray[np.float64]

_GAMMA = 1.0 - 1.0 / math.sqrt(2.0)
_ITERATIONS = 10  # of a stage, at most
_KEEP_BELOW = 0.1  # mean update [dex] after which the matrix serves once more ...
_SLOW = 0.3  # ... unless the update is more than so many times the one before
_LARGEST_CHANGE = 0.4  # mean change [dex] over one sub-step that is still resolved


class _Space(NamedTuple):
    """Work space of a cell: coefficients, state before the sub-step, history, right-hand side, Jacobian."""

    k: Array
    before: Array
    history: Array
    right: Array
    values: Array


@compiled
def sub_step_cells(
    problem: Problem,
    switches: Switches,
    factors: Factors,
    cells: Cells,
    first: int,
    last: int,
    count: int,
    growth: float,
    tolerance: float,
    outcome: Outcome,
) -> None:
    """Integrate the cells `first` to `last`; cells whose code is `BAD_INPUT` are left alone.

    Parameters
    ----------
    problem, switches, factors, cells, first, last
        As for `pull_back_cells`.
    count, growth
        How many sub-steps, and how much longer each is than the one before.
    tolerance
        Mean update [dex] at which a stage has converged.
    outcome
        Output: the largest last update of any stage, and how many iterations all stages took together.
    """
    n = problem.equations.n
    space = _Space(
        np.empty(problem.rates.integers.shape[1]),
        np.empty(n),
        np.empty(n),
        np.zeros(problem.plan.size),
        np.empty(problem.equations.n_entries),
    )
    for cell in range(first, last):
        if outcome.code[cell] == BAD_INPUT:
            continue
        x = outcome.abundances[cell]
        start_of_step(problem, switches, cells, cell, space.k, x)
        if is_bare(switches, cells.start[cell]):  # other coefficients hold early on: the solver's business
            continue
        shares = (growth**count - 1.0) / (growth - 1.0) if growth != 1.0 else float(count)
        h, worst, done = cells.duration[cell] / shares, 0.0, 0
        code = CONVERGED
        for _ in range(count):
            update, iterations = _sub_step(problem, factors, space, x, h, tolerance)
            worst, done, h = max(worst, update), done + iterations, h * growth
            if not update <= tolerance or _change(space.before, x) > _LARGEST_CHANGE:
                code = NOT_CONVERGED if math.isfinite(update) else SINGULAR
                break
        outcome.code[cell], outcome.update[cell], outcome.iterations[cell] = code, worst, done


@inner
def _sub_step(
    problem: Problem, factors: Factors, space: _Space, x: Array, h: float, tolerance: float
) -> tuple[float, int]:
    """Advance `x` by `h` [s]; return the larger last update of the stages, and their iterations."""
    for i in range(x.size):
        space.before[i] = space.history[i] = x[i]
    put_into_balance(problem, space.k, _GAMMA * h, x)
    update, iterations = _stage(problem, factors, space, x, _GAMMA * h, tolerance, True)
    if not update <= tolerance:
        return update, iterations
    for i in range(x.size):
        gained = (1.0 - _GAMMA) / _GAMMA * (x[i] - space.before[i])
        space.history[i] = max(space.before[i] + gained, 0.0)
    second, more = _stage(problem, factors, space, x, _GAMMA * h, tolerance, False)
    return max(update, second), iterations + more


@inner
def _stage(
    problem: Problem,
    factors: Factors,
    space: _Space,
    x: Array,
    c: float,
    tolerance: float,
    renew: bool,
) -> tuple[float, int]:
    """Solve x = history + c f(x) from `x`; return the last update [dex] and the number of iterations."""
    n, right, last = x.size, space.right, math.inf
    for iteration in range(_ITERATIONS):
        if renew:
            jacobian(problem.equations, space.k, x, space.values)
            factorise(problem.plan, space.values, c, n, factors)
        derivatives(problem.equations, space.k, x, right)
        for i in range(n):
            right[i] = space.history[i] - x[i] + c * right[i]
        for i in range(n, right.size):
            right[i] = 0.0
        solve_factorised(problem.plan, factors, right)
        update = take(right, x, 0, 1, n)
        if not update > tolerance:
            return update, iteration + 1
        renew = update > _KEEP_BELOW or (not renew and update > _SLOW * last)
        last = update
    return last, _ITERATIONS


@inner
def _change(before: Array, after: Array) -> float:
    """Return the mean change [dex] above the floor of tables."""
    total = 0.0
    for i in range(after.size):
        total += abs(math.log10(max(after[i], TABLE_FLOOR) / max(before[i], TABLE_FLOOR)))
    return total / after.size
