"""Variable-order, variable-step backward differentiation (NDF), orders 1 to 5.

The quasi-constant step formulation of Shampine & Reichelt (1997, SIAM J. Sci. Comput. 18, 1): backward
differences, rescaled when the step changes, with their modification of the BDF that allows larger steps. The
iteration matrix is factorised with the network's static elimination plan, and kept while the step stays.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from chemnet.chemistry.equations import derivatives, jacobian
from chemnet.chemistry.solver.codes import (
    EVALUATIONS,
    FACTORISATIONS,
    JACOBIANS,
    NEWTON_FAILURES,
    REJECTED,
    STEPS,
    SolverCode,
)
from chemnet.chemistry.solver.problem import Forcing, Problem, set_coefficients
from chemnet.chemistry.sparse_lu import Factors, factorise, solve_factorised

Array = NDArray[np.float64]

MAX_ORDER = 5
_NEWTON_ITERATIONS = 4
_FULL_NEWTON_ITERATIONS = 6
_NEWTON_TOLERANCE = 0.1  # of the error that a step may make
_SLOWEST_CONVERGENCE = 0.9
_SAFETY, _SMALLEST_FACTOR, _LARGEST_FACTOR = 0.9, 0.2, 10.0
_KEEP_BELOW = 1.2  # a step that could grow by less is kept, and with it the factorised matrix
_FIRST_TRIAL = 1e-5  # of the interval
_OLDEST_JACOBIAN = 10  # steps; a matrix that has to be factorised anyway gets a newer one
_FAILURES_BEFORE_RESTART = 4
_RESTART_FACTOR = 100.0  # times the step that failed last
_MOST_NEGATIVE = 100.0  # times the absolute tolerance; a step to less is repeated
_KAPPA = np.array([0.0, -0.1850, -1.0 / 9.0, -0.0823, -0.0415, 0.0])
_GAMMA = np.concatenate((np.zeros(1), np.cumsum(1.0 / np.arange(1, MAX_ORDER + 1))))
_ALPHA = (1.0 - _KAPPA) * _GAMMA
_ERROR_CONSTANT = _KAPPA * _GAMMA + 1.0 / np.arange(1, MAX_ORDER + 2)
_NEVER = 1e300

_SUCCESS = SolverCode.SUCCESS.value
_TOO_MANY_STEPS = SolverCode.TOO_MANY_STEPS.value
_STEP_TOO_SMALL = SolverCode.STEP_TOO_SMALL.value


class Workspace(NamedTuple):
    """Arrays of one integration.

    `matrix` holds the coefficient of the factors, their convergence rate, and the Jacobian's age in steps.
    """

    differences: Array
    prediction: Array
    history: Array
    trial: Array
    correction: Array
    scale: Array
    rate: Array
    right: Array
    jacobian: Array
    matrix: Array


_COEFFICIENT, _CONVERGENCE, _AGE = 0, 1, 2


@njit(cache=True, nogil=True)
def _workspace(n: int, n_entries: int) -> Workspace:
    """Allocate the arrays."""
    return Workspace(
        np.zeros((MAX_ORDER + 3, n)),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n + 4),
        np.zeros(n + 4),
        np.empty(n_entries),
        np.zeros(3),
    )


@njit(cache=True, nogil=True)
def scaled_norm(x: Array, scale: Array) -> float:
    """Return the root mean square of x / scale."""
    total = 0.0
    for i in range(scale.size):
        total += (x[i] / scale[i]) ** 2
    return math.sqrt(total / scale.size)


@njit(cache=True, nogil=True)
def integrate_bdf(
    problem: Problem,
    forcing: Forcing,
    k: Array,
    y: Array,
    rtol: float,
    atol: float,
    max_steps: int,
    factors: Factors,
    counts: NDArray[np.int64],
) -> int:
    """Advance `y` in place over one step of a tracer; return a `SolverCode`.

    Parameters
    ----------
    problem, forcing
        The compiled network and the conditions over the step.
    k
        Coefficients at the start; scratch afterwards.
    y
        Abundances, shape (n,); on failure they hold the last accepted state.
    rtol, atol
        Relative and absolute tolerance of the root mean square error per internal step.
    max_steps
        Cap on internal steps, accepted and repeated.
    factors
        Storage from `allocate_factors`.
    counts
        Statistics, added to.
    """
    duration = forcing.duration
    work = _workspace(problem.equations.n, problem.equations.n_entries)
    work.differences[0] = y
    elapsed, order, equal_steps, failures = 0.0, 1, 0, _FAILURES_BEFORE_RESTART
    step = _FIRST_TRIAL / _RESTART_FACTOR * duration
    for _ in range(max_steps):
        if failures >= _FAILURES_BEFORE_RESTART:
            trial = min(_RESTART_FACTOR * step, duration - elapsed)
            step = _start(problem, forcing, k, elapsed, trial, rtol, atol, factors, work, counts)
            elapsed, order, equal_steps, failures = elapsed + 2.0 * step, 1, 2, 0
        if elapsed >= duration * (1.0 - 1e-12):
            y[:] = work.differences[0]
            return _SUCCESS
        if step < 1e-14 * elapsed or step == 0.0:
            y[:] = work.differences[0]
            return _STEP_TOO_SMALL
        if elapsed + step > duration * (1.0 + 1e-12):
            step = _rescale(work.differences, order, step, (duration - elapsed) / step)
            equal_steps = 0
        if forcing.varies:
            set_coefficients(problem.rates, forcing, elapsed + step, k)
        _predict(work, order, rtol, atol)
        if not _correct(problem, k, factors, step / _ALPHA[order], work, counts):
            counts[NEWTON_FAILURES] += 1
            step = _rescale(work.differences, order, step, 0.25)
            equal_steps, failures = 0, failures + 1
            continue
        work.scale[:] = atol + rtol * np.abs(work.trial)
        error = _ERROR_CONSTANT[order] * _error(work.correction, work, atol)
        if error > 1.0:
            counts[REJECTED] += 1
            factor = max(_SMALLEST_FACTOR, _SAFETY * error ** (-1.0 / (order + 1)))
            step = _rescale(work.differences, order, step, factor)
            equal_steps, failures = 0, failures + 1
            continue
        counts[STEPS] += 1
        elapsed += step
        equal_steps, failures = equal_steps + 1, 0
        _accept(work, order)
        if equal_steps > order:
            best, factor = _best_order(work, order, error)
            factor *= _SAFETY
            if best != order or factor > _KEEP_BELOW or factor < _SAFETY:
                order = best
                step = _rescale(work.differences, order, step, min(_LARGEST_FACTOR, factor))
                equal_steps = 0
    y[:] = work.differences[0]
    return _TOO_MANY_STEPS


@njit(cache=True, nogil=True)
def _start(
    problem: Problem,
    forcing: Forcing,
    k: Array,
    elapsed: float,
    length: float,
    rtol: float,
    atol: float,
    factors: Factors,
    work: Workspace,
    counts: NDArray[np.int64],
) -> float:
    """Take two backward Euler steps that one of twice the length confirms, and return their size [s].

    Species that are in balance agree in both, however fast they are, so that the first steps need not resolve
    them as an estimate from the initial slope would. `length` is the first to be tried for both together. On
    return the differences hold the state after the second step.
    """
    y = work.differences[0].copy()
    jacobian(problem.equations, k, y, work.jacobian)
    counts[JACOBIANS] += 1
    whole, half = np.empty(y.size), np.empty(y.size)
    work.history[:] = 0.0
    while length > max(1e-30, 1e-14 * elapsed):
        work.scale[:] = atol + rtol * np.abs(y)
        work.matrix[_AGE], work.matrix[_COEFFICIENT] = 0.0, 0.0
        error = _NEVER
        if _euler(problem, forcing, k, y, length, elapsed + length, factors, work, counts):
            whole[:] = work.trial
            if _euler(problem, forcing, k, y, 0.5 * length, elapsed + 0.5 * length, factors, work, counts):
                half[:] = work.trial
                if _euler(problem, forcing, k, half, 0.5 * length, elapsed + length, factors, work, counts):
                    work.scale[:] = atol + rtol * np.maximum(np.abs(y), np.abs(work.trial))
                    error = _error(work.trial - whole, work, atol)
        if error <= 1.0:
            work.differences[0] = np.maximum(work.trial, 0.0)
            work.differences[1] = work.trial - half
            work.differences[2] = work.trial - 2.0 * half + y
            work.matrix[_AGE] = 2.0
            counts[STEPS] += 2
            return 0.5 * length
        counts[REJECTED] += 1
        length *= max(0.01, min(0.05, _SAFETY / math.sqrt(error)))
    return 0.0


@njit(cache=True, nogil=True)
def _euler(
    problem: Problem,
    forcing: Forcing,
    k: Array,
    y: Array,
    length: float,
    moment: float,
    factors: Factors,
    work: Workspace,
    counts: NDArray[np.int64],
) -> bool:
    """Take one backward Euler step from `y` that ends at `moment`; return convergence."""
    if forcing.varies:
        set_coefficients(problem.rates, forcing, moment, k)
    work.prediction[:] = y
    return _correct(problem, k, factors, length, work, counts)


@njit(cache=True, nogil=True)
def _rescale(differences: Array, order: int, step: float, factor: float) -> float:
    """Rescale the backward differences in place for a step `factor` times as large, and return that step."""
    size = order + 1
    scaling, identity = np.zeros((size, size)), np.zeros((size, size))
    scaling[0], identity[0] = 1.0, 1.0
    for i in range(1, size):
        for j in range(1, size):
            scaling[i, j] = scaling[i - 1, j] * (i - 1 - factor * j) / i
            identity[i, j] = identity[i - 1, j] * (i - 1 - j) / i
    old = differences[:size].copy()
    for i in range(1, size):  # the state itself stays, and so its totals
        differences[i] = 0.0
        for j in range(1, size):
            weight = 0.0
            for inner in range(size):
                weight += scaling[j, inner] * identity[inner, i]
            for s in range(old.shape[1]):
                differences[i, s] += weight * old[j, s]
    return step * factor


@njit(cache=True, nogil=True)
def _predict(work: Workspace, order: int, rtol: float, atol: float) -> None:
    """Extrapolate the differences, and set the error scale for the iteration."""
    n = work.prediction.size
    work.prediction[:] = work.differences[0]
    work.history[:] = 0.0
    for j in range(1, order + 1):
        weight = _GAMMA[j] / _ALPHA[order]
        for i in range(n):
            work.prediction[i] += work.differences[j, i]
            work.history[i] += weight * work.differences[j, i]
    for i in range(n):
        work.scale[i] = atol + rtol * abs(work.prediction[i])


@njit(cache=True, nogil=True)
def _correct(
    problem: Problem, k: Array, factors: Factors, c: float, work: Workspace, counts: NDArray[np.int64]
) -> bool:
    """Solve the step's equation, with a new Jacobian if the old one does not serve; return convergence."""
    while True:
        if c != work.matrix[_COEFFICIENT]:
            if work.matrix[_AGE] >= _OLDEST_JACOBIAN:
                _renew_jacobian(problem, k, work.prediction, work, counts)
            factorise(problem.plan, work.jacobian, c, problem.equations.n, factors)
            counts[FACTORISATIONS] += 1
            work.matrix[_COEFFICIENT], work.matrix[_CONVERGENCE] = c, 1.0
        if _iterate(problem, k, factors, c, work, counts):
            return True
        if work.matrix[_AGE] == 0.0:
            return _iterate_with_new_jacobians(problem, k, factors, c, work, counts)
        _renew_jacobian(problem, k, work.prediction, work, counts)


@njit(cache=True, nogil=True)
def _renew_jacobian(problem: Problem, k: Array, y: Array, work: Workspace, counts: NDArray[np.int64]) -> None:
    """Evaluate the Jacobian at `y`; the factors no longer serve."""
    jacobian(problem.equations, k, y, work.jacobian)
    counts[JACOBIANS] += 1
    work.matrix[_AGE], work.matrix[_COEFFICIENT] = 0.0, 0.0


@njit(cache=True, nogil=True)
def _error(difference: Array, work: Workspace, atol: float) -> float:
    """Return the scaled size of an error estimate; a state with negative abundances is no solution at all."""
    for i in range(work.trial.size):
        if work.trial[i] < -_MOST_NEGATIVE * atol:
            return _NEVER
    return scaled_norm(difference, work.scale)


@njit(cache=True, nogil=True)
def _iterate(
    problem: Problem, k: Array, factors: Factors, c: float, work: Workspace, counts: NDArray[np.int64]
) -> bool:
    """Solve trial = prediction + correction, correction = c f(trial) - history, by simplified Newton.

    The rate of convergence is remembered while the matrix stays, so that one iteration can be enough.
    """
    work.trial[:] = work.prediction
    work.correction[:] = 0.0
    last = 0.0
    for iteration in range(_NEWTON_ITERATIONS):
        size = _improve(problem, k, factors, c, work, counts)
        if not math.isfinite(size):
            return False
        if iteration > 0:
            if size > _SLOWEST_CONVERGENCE * last:
                return False
            work.matrix[_CONVERGENCE] = max(0.3 * work.matrix[_CONVERGENCE], size / last)
        if size * min(1.0, work.matrix[_CONVERGENCE]) < _NEWTON_TOLERANCE:
            return True
        last = size
    return False


@njit(cache=True, nogil=True)
def _iterate_with_new_jacobians(
    problem: Problem, k: Array, factors: Factors, c: float, work: Workspace, counts: NDArray[np.int64]
) -> bool:
    """Solve as `_iterate`, with a new Jacobian for each iteration.

    Where the surface turns from growing to shrinking the equations have a kink; on the far side of it the
    Jacobian of the near side leads nowhere.
    """
    work.trial[:] = work.prediction
    work.correction[:] = 0.0
    for _ in range(_FULL_NEWTON_ITERATIONS):
        _renew_jacobian(problem, k, work.trial, work, counts)
        factorise(problem.plan, work.jacobian, c, problem.equations.n, factors)
        counts[FACTORISATIONS] += 1
        work.matrix[_COEFFICIENT], work.matrix[_CONVERGENCE] = c, 1.0
        size = _improve(problem, k, factors, c, work, counts)
        if not math.isfinite(size):
            return False
        if size < _NEWTON_TOLERANCE:
            return True
    return False


@njit(cache=True, nogil=True)
def _improve(
    problem: Problem, k: Array, factors: Factors, c: float, work: Workspace, counts: NDArray[np.int64]
) -> float:
    """Take one Newton step; return its scaled size."""
    n = problem.equations.n
    derivatives(problem.equations, k, work.trial, work.rate)
    counts[EVALUATIONS] += 1
    for i in range(n):
        work.right[i] = c * work.rate[i] - work.history[i] - work.correction[i]
    work.right[n:] = 0.0
    solve_factorised(problem.plan, factors, work.right)
    for i in range(n):
        work.trial[i] += work.right[i]
        work.correction[i] += work.right[i]
    return scaled_norm(work.right, work.scale)


@njit(cache=True, nogil=True)
def _accept(work: Workspace, order: int) -> None:
    """Update the differences with the accepted correction."""
    differences = work.differences
    for i in range(work.correction.size):
        differences[order + 2, i] = work.correction[i] - differences[order + 1, i]
        differences[order + 1, i] = work.correction[i]
    for j in range(order, -1, -1):
        for i in range(work.correction.size):
            differences[j, i] += differences[j + 1, i]
    for i in range(work.correction.size):
        differences[0, i] = max(differences[0, i], 0.0)
    work.matrix[_AGE] += 1.0


@njit(cache=True, nogil=True)
def _best_order(work: Workspace, order: int, error: float) -> tuple[int, float]:
    """Return the order whose error allows the largest next step, and the factor for that step."""
    best, largest = order, max(error, 1e-30) ** (-1.0 / (order + 1))
    if order > 1:
        lower = _ERROR_CONSTANT[order - 1] * scaled_norm(work.differences[order], work.scale)
        factor = max(lower, 1e-30) ** (-1.0 / order)
        if factor > largest:
            best, largest = order - 1, factor
    if order < MAX_ORDER:
        higher = _ERROR_CONSTANT[order + 1] * scaled_norm(work.differences[order + 2], work.scale)
        factor = max(higher, 1e-30) ** (-1.0 / (order + 2))
        if factor > largest:
            best, largest = order + 1, factor
    return best, largest
