"""Variable-order, variable-step backward differentiation (NDF), orders 1 to 5.

The quasi-constant step formulation of Shampine & Reichelt (1997, SIAM J. Sci. Comput. 18, 1): backward
differences, rescaled when the step changes, with their modification of the BDF that allows larger steps. The
iteration matrix is factorised with the network's static elimination plan, and kept while it serves.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.solver.backward_differences import (
    ALPHA,
    ERROR_CONSTANT,
    accept,
    best_order,
    predict,
    rescale,
    scaled_norm,
    set_scale,
)
from chemnet.chemistry.solver.elimination import Factors
from chemnet.chemistry.solver.newton import (
    AGE,
    Workspace,
    allocate_workspace,
    correct,
    renew_jacobian,
)
from chemnet.chemistry.solver.outcome_codes import NEWTON_FAILURES, REJECTED, STEPS, SolverCode
from chemnet.chemistry.solver.problem import Forcing, Problem, set_coefficients
from chemnet.compiling import compiled, inner

Array = NDArray[np.float64]

_SAFETY, _SMALLEST_FACTOR, _LARGEST_FACTOR = 0.9, 0.2, 10.0
_KEEP_BELOW = 1.2  # a step that could grow by less is kept, and with it the factorised matrix
_FIRST_TRIAL = 1e-5  # of the interval
_FAILURES_BEFORE_RESTART = 4
_RESTART_FACTOR = 100.0  # times the step that failed last
_MOST_NEGATIVE = 100.0  # times the absolute tolerance; a step to less is repeated
_LATE_STEPS = 300.0  # how much more exact a step of the whole interval must be than the first ones
_NEVER = 1e300

_SUCCESS = SolverCode.SUCCESS.value
_TOO_MANY_STEPS = SolverCode.TOO_MANY_STEPS.value
_STEP_TOO_SMALL = SolverCode.STEP_TOO_SMALL.value


@compiled
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
    work = allocate_workspace(problem.equations.n, problem.equations.n_entries)
    state = work.differences[0]
    _copy(y, state)
    elapsed, equal_steps, failures = 0.0, 0, _FAILURES_BEFORE_RESTART
    order = np.int64(1)
    step = _FIRST_TRIAL / _RESTART_FACTOR * duration
    code = _TOO_MANY_STEPS
    for _ in range(max_steps):
        if failures >= _FAILURES_BEFORE_RESTART:
            trial = min(_RESTART_FACTOR * step, duration - elapsed)
            step = _start(problem, forcing, k, elapsed, trial, rtol, atol, factors, work, counts)
            elapsed, order, equal_steps, failures = elapsed + 2.0 * step, np.int64(1), 2, 0
        if elapsed >= duration * (1.0 - 1e-12):
            code = _SUCCESS
            break
        if step < 1e-14 * elapsed or step == 0.0:
            code = _STEP_TOO_SMALL
            break
        if elapsed + step > duration * (1.0 + 1e-12):
            rescale(work.differences, order, (duration - elapsed) / step)
            step = duration - elapsed
            equal_steps = 0
        if forcing.varies:
            set_coefficients(problem.rates, forcing, elapsed + step, k)
        predict(work.differences, order, work.prediction, work.history)
        lenience = 1.0 / (1.0 + _LATE_STEPS * step / duration)
        set_scale(work.prediction, lenience * rtol, lenience * atol, work.scale)
        factor = 0.25
        if correct(problem, k, factors, step / ALPHA[order], work, counts):
            set_scale(work.trial, lenience * rtol, lenience * atol, work.scale)
            error = ERROR_CONSTANT[order] * _error(work.correction, work, atol)
            if error > 1.0:
                counts[REJECTED] += 1
                factor = max(_SMALLEST_FACTOR, _SAFETY * error ** (-1.0 / (order + 1)))
        else:
            counts[NEWTON_FAILURES] += 1
            error = _NEVER
        if error > 1.0:
            rescale(work.differences, order, factor)
            step *= factor
            equal_steps, failures = 0, failures + 1
            continue
        counts[STEPS] += 1
        elapsed += step
        equal_steps, failures = equal_steps + 1, 0
        accept(work.differences, order, work.correction)
        work.matrix[AGE] += 1.0
        if equal_steps > order:
            best, factor = best_order(work.differences, work.scale, order, error)
            factor *= _SAFETY
            if best != order or factor > _KEEP_BELOW or factor < _SAFETY:
                order = best
                factor = min(_LARGEST_FACTOR, factor)
                rescale(work.differences, order, factor)
                step *= factor
                equal_steps = 0
    _copy(state, y)
    return code


@inner
def _copy(source: Array, target: Array) -> None:
    """Copy; assigning slices would compile far more."""
    for i in range(source.size):
        target[i] = source[i]


@inner
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
    n = work.trial.size
    y, whole, half = work.differences[0].copy(), work.differences[1], work.differences[2]
    renew_jacobian(problem, k, y, work, counts)
    for i in range(n):
        work.history[i] = 0.0
    while length > max(1e-30, 1e-14 * elapsed):
        work.matrix[AGE] = 0.0
        set_scale(y, rtol, atol, work.scale)
        _copy(y, work.prediction)
        converged = True
        for attempt in range(3):  # the whole, its first half, its second half
            size, end = (length, length) if attempt == 0 else (0.5 * length, 0.5 * length * attempt)
            if forcing.varies:
                set_coefficients(problem.rates, forcing, elapsed + end, k)
            if attempt < 2:
                _copy(y, work.prediction)
            else:
                _copy(half, work.prediction)
            converged = correct(problem, k, factors, size, work, counts)
            if not converged:
                break
            if attempt == 0:
                _copy(work.trial, whole)
            elif attempt == 1:
                _copy(work.trial, half)
        error = _NEVER
        if converged:
            for i in range(n):
                work.scale[i] = atol + rtol * max(abs(y[i]), abs(work.trial[i]))
                work.right[i] = work.trial[i] - whole[i]
            error = _error(work.right, work, atol)
        if error <= 1.0:
            for i in range(n):
                first, second = half[i], work.trial[i]
                work.differences[0, i] = max(second, 0.0)
                work.differences[1, i] = second - first
                work.differences[2, i] = second - 2.0 * first + y[i]
            work.matrix[AGE] = 2.0
            counts[STEPS] += 2
            return 0.5 * length
        counts[REJECTED] += 1
        length *= max(0.01, min(0.05, _SAFETY / math.sqrt(error)))
    return 0.0


@inner
def _error(difference: Array, work: Workspace, atol: float) -> float:
    """Return the scaled size of an error estimate; a state with negative abundances is no solution at all."""
    for i in range(work.trial.size):
        if work.trial[i] < -_MOST_NEGATIVE * atol:
            return _NEVER
    return scaled_norm(difference, work.scale)
