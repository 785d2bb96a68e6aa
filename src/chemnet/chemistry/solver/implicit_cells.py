"""Newton iterations of one implicit Euler step, eight cells at a time: compiled part of `ImplicitStep`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.equations import derivatives, jacobian, production_and_loss
from chemnet.chemistry.rates import rate_coefficients
from chemnet.chemistry.rates.coefficients import shielding_columns
from chemnet.chemistry.rates.photo import C_CROSS_SECTION
from chemnet.chemistry.rates.table import EXTINCTION, FORMULA, Formula
from chemnet.chemistry.solver.elimination import Factors, factorise, solve_transposed
from chemnet.chemistry.solver.elimination_abreast import (
    FactorsAbreast,
    allocate_factors_abreast,
    factorise_abreast,
    solve_abreast,
)
from chemnet.chemistry.solver.equations_abreast import (
    Abreast,
    allocate_abreast,
    derivatives_abreast,
    jacobian_abreast,
)
from chemnet.chemistry.solver.problem import Problem
from chemnet.chemistry.solver.quirks import (
    FIRST_CALL,
    Switches,
    desorption_yield,
    is_bare,
    shielding_carbon,
    switch_off,
    yield_slope,
)
from chemnet.chemistry.solver.vectors import LANES, aligned_zeros, load, minus, plus, store, times, zeros
from chemnet.compiling import UNCOUNTED, compiled, inner

Array = NDArray[np.float64]

CONVERGED, NOT_CONVERGED, SINGULAR, BAD_INPUT = range(4)

TABLE_FLOOR = 1e-20
"""What tables of abundances end at, and changes below which do not count."""
_NEAR_FLOOR = 10.0**-18.5
_FAST = 10.0  # times its abundance lost over the step: a species in balance
_FILLS = 2
_LEAST = 1e-36
_LARGE = 1e250
_C_PHOTON = Formula.C_PHOTON.value
_CR_DESORPTION = Formula.CR_DESORPTION.value
_SMALLEST_SHARE = 0.05  # of its abundance that an update leaves a species


class Cells(NamedTuple):
    """What the steps of a batch start from.

    Parameters
    ----------
    start
        Abundances, shape (cells, n).
    conditions
        Shape (cells, 6 or 10), columns as in `rates.table`.
    before
        Those of the row before; NaN at the beginning of a history.
    next_av
        Av [mag] of the row that follows, shape (cells,).
    expressions
        Values of the `EXPRESSION` rates, shape (cells, n_expressions).
    duration
        Length of the step [s], shape (cells,).
    """

    start: Array
    conditions: Array
    before: Array
    next_av: Array
    expressions: Array
    duration: Array


class Outcome(NamedTuple):
    """What the iterations gave: abundances (cells, n); last update [dex], iterations and code (cells,)."""

    abundances: Array
    update: Array
    iterations: NDArray[np.int64]
    code: NDArray[np.int8]


class Lanes(NamedTuple):
    """Eight cells that are iterated side by side; number i of lane l stands at `LANES * i + l`.

    Parameters
    ----------
    equations, factors
        Their states and matrices.
    start
        Abundances at the start of the step.
    right
        Right-hand sides of the linear equations.
    duration
        Length of the step [s], shape (8,).
    cell, done
        Which cell a lane holds and how many iterations it has had, shape (8,).
    used
        Whether it holds one.
    """

    equations: Abreast
    factors: FactorsAbreast
    start: Array
    right: Array
    duration: Array
    cell: NDArray[np.int64]
    done: NDArray[np.int64]
    used: NDArray[np.bool_]


def allocate_lanes(problem: Problem) -> Lanes:
    """Return space for eight cells; a thread needs its own."""
    return Lanes(
        allocate_abreast(problem.equations),
        allocate_factors_abreast(problem.plan),
        aligned_zeros(LANES * problem.equations.n),
        aligned_zeros(LANES * (problem.equations.n + 4)),
        np.ones(LANES),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.bool_),
    )


@compiled
def iterate_cells(
    problem: Problem,
    switches: Switches,
    lanes: Lanes,
    cells: Cells,
    first: int,
    last: int,
    least: int,
    most: int,
    tolerance: float,
    outcome: Outcome,
) -> None:
    """Iterate the cells `first` to `last`; cells whose code is `BAD_INPUT` are left alone.

    Eight cells are iterated side by side. The next one takes the lane of one that is done, so that cells
    which need many iterations hold nobody up.

    Parameters
    ----------
    problem, switches
        The compiled network.
    lanes
        Storage from `allocate_lanes`.
    cells
        Where the steps start.
    first, last
        Which cells.
    least, most
        Fewest and most iterations.
    tolerance
        Mean update [dex] that is small enough.
    outcome
        Output.
    """
    k, x = np.empty(problem.rates.integers.shape[1]), np.empty(problem.equations.n)
    waiting, running = first, 0
    while True:
        for lane in range(LANES):
            while waiting < last and not lanes.used[lane]:
                if outcome.code[waiting] != BAD_INPUT:
                    start_of_step(problem, switches, cells, waiting, k, x)
                    if most > 0:
                        _fill_lane(lanes, lane, waiting, cells, k, x)
                        running += 1
                    else:
                        _copy(x, outcome.abundances[waiting])
                waiting += 1
        if running == 0:
            return
        _iterate_lanes(problem, lanes)
        for lane in range(LANES):
            if lanes.used[lane] and _finish(lanes, lane, least, most, tolerance, outcome):
                lanes.used[lane] = False
                running -= 1


@inner(**UNCOUNTED)
def _copy(source: Array, target: Array) -> None:
    for i in range(source.size):
        target[i] = source[i]


@inner(**UNCOUNTED)
def _fill_lane(lanes: Lanes, lane: int, cell: int, cells: Cells, k: Array, x: Array) -> None:
    for r in range(k.size):
        lanes.equations.k[LANES * r + lane] = k[r]
    for i in range(x.size):
        lanes.equations.x[LANES * i + lane] = x[i]
        lanes.start[LANES * i + lane] = cells.start[cell, i]
    lanes.duration[lane], lanes.cell[lane] = cells.duration[cell], cell
    lanes.done[lane], lanes.used[lane] = 0, True


@inner(**UNCOUNTED)
def _iterate_lanes(problem: Problem, lanes: Lanes) -> None:
    """Leave in `right` what Newton's method adds to each state."""
    n, right, state = problem.equations.n, lanes.right, lanes.equations
    derivatives_abreast(problem.equations, state)
    jacobian_abreast(problem.equations, state)
    factorise_abreast(problem.plan, state.values, lanes.duration, n, lanes.used, lanes.factors)
    duration = load(lanes.duration, 0)
    for i in range(0, LANES * n, LANES):
        left = minus(load(lanes.start, i), load(state.x, i))
        store(right, i, plus(left, times(duration, load(state.rate, i))))
    for i in range(LANES * n, right.size, LANES):
        store(right, i, zeros())
    solve_abreast(problem.plan, lanes.factors, lanes.used, right)


@inner(**UNCOUNTED)
def _finish(lanes: Lanes, lane: int, least: int, most: int, tolerance: float, outcome: Outcome) -> bool:
    """Update a lane's cell; return whether it is done, its outcome then being filled."""
    update = take(lanes.right, lanes.equations.x, lane, LANES, lanes.start.size // LANES)
    lanes.done[lane] += 1
    done, cell = lanes.done[lane], lanes.cell[lane]
    finite = math.isfinite(update)
    if finite and done < most and (done < least or update > tolerance):
        return False
    code = SINGULAR if not finite else CONVERGED if update <= tolerance else NOT_CONVERGED
    outcome.code[cell], outcome.update[cell], outcome.iterations[cell] = code, update, done
    for i in range(lanes.start.size // LANES):
        outcome.abundances[cell, i] = lanes.equations.x[LANES * i + lane]
    return True


@compiled
def start_of_step(problem: Problem, switches: Switches, cells: Cells, cell: int, k: Array, x: Array) -> None:
    """Fill a cell's coefficients `k` [s^-1] and the first iterate `x`: the start, its floor in balance."""
    y, conditions = cells.start[cell], cells.conditions[cell]
    bare = is_bare(switches, y)
    before = cells.before[cell]
    if bare and cells.duration[cell] > FIRST_CALL:  # most of the step comes after the second look
        bare, before = False, conditions
    carbon = shielding_carbon(switches, y, conditions[EXTINCTION], cells.next_av[cell])
    cr_yield = desorption_yield(switches, before, y)
    rate_coefficients(problem.rates, conditions, carbon, cr_yield, cells.expressions[cell], k)
    switch_off(switches, y, bare, k)
    for i in range(x.size):
        x[i] = y[i]
    put_into_balance(problem, k, cells.duration[cell], x)


@inner
def put_into_balance(problem: Problem, k: Array, duration: float, x: Array) -> None:
    """Lower what is at the floor and lost faster than the step: 1e-20 would make a flux of it."""
    production, loss = np.empty(x.size), np.empty(x.size)
    for _ in range(_FILLS):
        production_and_loss(problem.equations, k, x, _NEAR_FLOOR, production, loss)
        for i in range(x.size):
            if x[i] <= _NEAR_FLOOR and loss[i] * duration > _FAST * x[i]:
                x[i] = max(min(x[i], production[i] * x[i] / loss[i]), _LEAST)


@inner(**UNCOUNTED)
def take(change: Array, x: Array, first: int, stride: int, n: int) -> float:
    """Add a change to every `stride`-th of `x` as far as it stays positive; return its mean size [dex]."""
    total, product = 0.0, 1.0
    for i in range(first, stride * n, stride):
        old = x[i]
        new = old + change[i]
        if not math.isfinite(new):
            return math.nan
        new = max(new, _LEAST if old <= TABLE_FLOOR else _SMALLEST_SHARE * old)
        x[i] = new
        new, old = max(new, TABLE_FLOOR), max(old, TABLE_FLOOR)
        product *= new / old if new > old else old / new
        if product > _LARGE:  # one logarithm for many ratios
            total += math.log10(product)
            product = 1.0
    return (total + math.log10(product)) / n


@compiled
def pull_back_cells(
    problem: Problem,
    switches: Switches,
    factors: Factors,
    cells: Cells,
    first: int,
    last: int,
    outcome: Outcome,
    gradient: Array,
) -> None:
    """Replace gradients by log10 of the end by those by log10 of the start; zero where not converged.

    Parameters
    ----------
    problem, switches, factors, cells, first, last, outcome
        As for `iterate_cells`.
    gradient
        Shape (cells, n), changed in place.
    """
    n = problem.equations.n
    k, values = np.empty(problem.rates.integers.shape[1]), np.empty(problem.equations.n_entries)
    y, adjoint = np.empty(n), np.empty(problem.plan.size)
    for cell in range(first, last):
        if outcome.code[cell] != CONVERGED:
            for i in range(n):
                gradient[cell, i] = 0.0
            continue
        start_of_step(problem, switches, cells, cell, k, y)
        x = outcome.abundances[cell]
        jacobian(problem.equations, k, x, values)
        factorise(problem.plan, values, cells.duration[cell], n, factors)
        for i in range(n):
            adjoint[i] = gradient[cell, i] / x[i]
        for i in range(n, adjoint.size):
            adjoint[i] = 0.0
        solve_transposed(problem.plan, factors, adjoint)
        for i in range(n):
            gradient[cell, i] = adjoint[i] * cells.start[cell, i]
        _add_through_coefficients(problem, switches, cells, cell, k, x, adjoint, gradient[cell])


@inner
def _add_through_coefficients(
    problem: Problem,
    switches: Switches,
    cells: Cells,
    cell: int,
    k: Array,
    x: Array,
    adjoint: Array,
    gradient: Array,
) -> None:
    """Add what the start does through the coefficients: C shields itself, electrons charge the grains."""
    n, duration = x.size, cells.duration[cell]
    y, conditions = cells.start[cell], cells.conditions[cell]
    sources = np.array([switches.carbon, switches.electron])
    less, more = np.empty(n + 4), np.empty(n + 4)
    changed = np.empty(k.size)
    bare = is_bare(switches, y) and duration > FIRST_CALL
    before = conditions if bare else cells.before[cell]
    carbon = shielding_carbon(switches, y, conditions[EXTINCTION], cells.next_av[cell])
    slopes = (
        -C_CROSS_SECTION * shielding_columns(conditions, carbon)[2],
        yield_slope(switches, before, y),
    )
    for kind in range(2):
        if sources[kind] < 0 or slopes[kind] == 0.0:
            continue
        formula = _C_PHOTON if kind == 0 else _CR_DESORPTION
        # f is linear in these coefficients
        for sign, f in ((-1.0, less), (1.0, more)):
            for r in range(k.size):
                share = sign * slopes[kind] if problem.rates.integers[FORMULA, r] == formula else 0.0
                changed[r] = k[r] * (1.0 + share)
            derivatives(problem.equations, changed, x, f)
        for i in range(n):
            gradient[sources[kind]] += 0.5 * duration * adjoint[i] * (more[i] - less[i])
