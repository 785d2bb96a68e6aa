"""Variable-order, variable-step backward differentiation (NDF), orders 1 to 5.

The quasi-constant step formulation of Shampine & Reichelt (1997, SIAM J. Sci. Comput. 18, 1): backward differences,
rescaled when the step changes, with their modification of the BDF that allows larger steps. The iteration matrix is
factorised with the network's static elimination plan.
"""

from __future__ import annotations

import math

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
_SMALLEST_FACTOR, _LARGEST_FACTOR = 0.2, 10.0
_KAPPA = np.array([0.0, -0.1850, -1.0 / 9.0, -0.0823, -0.0415, 0.0])
_GAMMA = np.concatenate((np.zeros(1), np.cumsum(1.0 / np.arange(1, MAX_ORDER + 1))))
_ALPHA = (1.0 - _KAPPA) * _GAMMA
_ERROR_CONSTANT = _KAPPA * _GAMMA + 1.0 / np.arange(1, MAX_ORDER + 2)

_SUCCESS = SolverCode.SUCCESS.value
_TOO_MANY_STEPS = SolverCode.TOO_MANY_STEPS.value
_STEP_TOO_SMALL = SolverCode.STEP_TOO_SMALL.value
_NOT_FINITE = SolverCode.NOT_FINITE.value


@njit(cache=True, nogil=True)
def scaled_norm(x: Array, scale: Array) -> float:
    """Return the root mean square of x / scale."""
    total = 0.0
    for i in range(scale.size):
        total += (x[i] / scale[i]) ** 2
    return math.sqrt(total / scale.size)


@njit(cache=True, nogil=True)
def first_step(
    problem: Problem, k: Array, y: Array, rate: Array, duration: float, rtol: float, atol: float
) -> float:
    """Return a first step size [s]: Hairer, Norsett & Wanner, Solving ODEs I, section II.4, for order 1."""
    n = problem.equations.n
    scale = atol + rtol * np.abs(y)
    size, speed = scaled_norm(y, scale), scaled_norm(rate, scale)
    trial = 0.01 * size / speed if size > 1e-5 and speed > 1e-5 else 1e-6
    trial = min(trial, duration)
    ahead = np.empty(n + 4)
    derivatives(problem.equations, k, y + trial * rate[:n], ahead)
    bend = scaled_norm(ahead[:n] - rate[:n], scale) / trial
    steepest = max(speed, bend)
    step = max(1e-6, trial * 1e-3) if steepest <= 1e-15 else math.sqrt(0.01 / steepest)
    return min(100.0 * trial, step, duration)


@njit(cache=True, nogil=True)
def _change_step(differences: Array, order: int, factor: float) -> None:
    """Rescale the backward differences in place for a step size `factor` times as large."""
    size = order + 1
    scaling, identity = np.zeros((size, size)), np.zeros((size, size))
    scaling[0], identity[0] = 1.0, 1.0
    for i in range(1, size):
        for j in range(1, size):
            scaling[i, j] = scaling[i - 1, j] * (i - 1 - factor * j) / i
            identity[i, j] = identity[i - 1, j] * (i - 1 - j) / i
    combined = scaling @ identity
    old = differences[:size].copy()
    for i in range(size):
        differences[i] = 0.0
        for j in range(size):
            weight = combined[j, i]
            if weight != 0.0:
                for s in range(old.shape[1]):
                    differences[i, s] += weight * old[j, s]


@njit(cache=True, nogil=True)
def _iterate(
    problem: Problem,
    k: Array,
    factors: Factors,
    c: float,
    prediction: Array,
    history: Array,
    scale: Array,
    tolerance: float,
    y: Array,
    correction: Array,
    counts: NDArray[np.int64],
) -> bool:
    """Solve y = prediction + correction, correction = c f(y) - history, by simplified Newton; return convergence."""
    n = problem.equations.n
    rate, b = np.empty(n + 4), np.zeros(n + 4)
    y[:] = prediction
    correction[:] = 0.0
    last = -1.0
    for iteration in range(_NEWTON_ITERATIONS):
        derivatives(problem.equations, k, y, rate)
        counts[EVALUATIONS] += 1
        for i in range(n):
            b[i] = c * rate[i] - history[i] - correction[i]
        b[n:] = 0.0
        solve_factorised(problem.plan, factors, b)
        size = scaled_norm(b, scale)
        if not math.isfinite(size):
            return False
        ratio = size / last if last > 0.0 else -1.0
        if ratio >= 1.0 or (
            ratio > 0.0 and ratio ** (_NEWTON_ITERATIONS - iteration) / (1.0 - ratio) * size > tolerance
        ):
            return False
        for i in range(n):
            y[i] += b[i]
            correction[i] += b[i]
        if size == 0.0 or (ratio > 0.0 and ratio / (1.0 - ratio) * size < tolerance):
            return True
        last = size
    return False


@njit(cache=True, nogil=True)
def _best_order(
    differences: Array, correction: Array, order: int, error: float, scale: Array
) -> tuple[int, float]:
    """Return the order whose error allows the largest next step, and the factor for that step."""
    best, largest = order, max(error, 1e-30) ** (-1.0 / (order + 1))
    if order > 1:
        lower = _ERROR_CONSTANT[order - 1] * scaled_norm(differences[order], scale)
        factor = max(lower, 1e-30) ** (-1.0 / order)
        if factor > largest:
            best, largest = order - 1, factor
    if order < MAX_ORDER:
        higher = _ERROR_CONSTANT[order + 1] * scaled_norm(differences[order + 2], scale)
        factor = max(higher, 1e-30) ** (-1.0 / (order + 2))
        if factor > largest:
            best, largest = order + 1, factor
    return best, largest


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
    n, duration = problem.equations.n, forcing.duration
    newton_tolerance = max(10.0 * 2.2e-16 / rtol, min(0.03, math.sqrt(rtol)))
    differences = np.zeros((MAX_ORDER + 3, n))
    rate, values = np.empty(n + 4), np.empty(problem.equations.pattern_row.size)
    trial, correction, history, prediction = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    derivatives(problem.equations, k, y, rate)
    step = first_step(problem, k, y, rate, duration, rtol, atol)
    differences[0], differences[1] = y, step * rate[:n]
    order, equal_steps, elapsed = 1, 0, 0.0
    fresh_jacobian, factorised = False, False
    jacobian(problem.equations, k, y, values)
    fresh_jacobian = True
    counts[JACOBIANS] += 1
    for _ in range(max_steps):
        if elapsed + step >= duration * (1.0 - 1e-12):
            if elapsed + step > duration * (1.0 + 1e-12):
                factor = (duration - elapsed) / step
                _change_step(differences, order, factor)
                step *= factor
                equal_steps, factorised = 0, False
        if step < 1e-14 * elapsed or step <= 1e-30:
            return _STEP_TOO_SMALL
        if forcing.varies:
            set_coefficients(problem, forcing, elapsed + step, k)
        prediction[:] = differences[0]
        history[:] = 0.0
        for j in range(1, order + 1):
            weight = _GAMMA[j] / _ALPHA[order]
            for i in range(n):
                prediction[i] += differences[j, i]
                history[i] += weight * differences[j, i]
        scale = atol + rtol * np.abs(prediction)
        c = step / _ALPHA[order]
        converged = False
        while not converged:
            if not factorised:
                factorise(problem.plan, values, c, n, factors)
                counts[FACTORISATIONS] += 1
                factorised = True
            converged = _iterate(
                problem,
                k,
                factors,
                c,
                prediction,
                history,
                scale,
                newton_tolerance,
                trial,
                correction,
                counts,
            )
            if not converged:
                if fresh_jacobian:
                    break
                jacobian(problem.equations, k, prediction, values)
                counts[JACOBIANS] += 1
                fresh_jacobian, factorised = True, False
        if not converged:
            counts[NEWTON_FAILURES] += 1
            _change_step(differences, order, 0.5)
            step *= 0.5
            equal_steps, factorised = 0, False
            continue
        scale = atol + rtol * np.abs(trial)
        error = _ERROR_CONSTANT[order] * scaled_norm(correction, scale)
        if error > 1.0:
            counts[REJECTED] += 1
            factor = max(_SMALLEST_FACTOR, 0.9 * error ** (-1.0 / (order + 1)))
            _change_step(differences, order, factor)
            step *= factor
            equal_steps, factorised = 0, False
            continue
        counts[STEPS] += 1
        elapsed += step
        equal_steps += 1
        fresh_jacobian = False
        for i in range(n):
            differences[order + 2, i] = correction[i] - differences[order + 1, i]
            differences[order + 1, i] = correction[i]
        for j in range(order, -1, -1):
            for i in range(n):
                differences[j, i] += differences[j + 1, i]
        y[:] = differences[0]
        if elapsed >= duration * (1.0 - 1e-12):
            return _SUCCESS
        if equal_steps < order + 1:
            continue
        order, factor = _best_order(differences, correction, order, error, scale)
        factor = min(_LARGEST_FACTOR, 0.9 * factor)
        _change_step(differences, order, factor)
        step *= factor
        equal_steps, factorised = 0, False
    return _TOO_MANY_STEPS
