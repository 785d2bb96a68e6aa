"""Rosenbrock method RODAS3: four stages, order 3, no iteration; for networks with smooth equations.

Sandu et al. (1997, Atmospheric Environment 31, 3459): stiffly accurate, so that fast species land on their
balance.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.equations import derivatives, jacobian
from chemnet.chemistry.solver.backward_differences import scaled_norm
from chemnet.chemistry.solver.elimination import Factors, factorise, solve_factorised
from chemnet.chemistry.solver.outcome_codes import (
    EVALUATIONS,
    FACTORISATIONS,
    JACOBIANS,
    REJECTED,
    STEPS,
    SolverCode,
)
from chemnet.chemistry.solver.problem import Forcing, Problem, set_coefficients
from chemnet.compiling import compiled, inner

Array = NDArray[np.float64]

_GAMMA = 0.5
_FIRST_TRIAL = 1e-3  # of the interval
_SHRINK, _GROW = 0.2, 6.0
_SUCCESS = SolverCode.SUCCESS.value
_TOO_MANY_STEPS = SolverCode.TOO_MANY_STEPS.value
_STEP_TOO_SMALL = SolverCode.STEP_TOO_SMALL.value


@inner
def _stage(problem: Problem, factors: Factors, step: float, rate: Array, coupling: Array, b: Array) -> None:
    """Solve (I - gamma h J) stage = gamma h (rate + coupling / h), leaving the stage in `b`."""
    n = problem.equations.n
    for i in range(n):
        b[i] = _GAMMA * (step * rate[i] + coupling[i])
    b[n:] = 0.0
    solve_factorised(problem.plan, factors, b)


@inner
def _stages(
    problem: Problem,
    factors: Factors,
    k: Array,
    step: float,
    y: Array,
    rate: Array,
    stages: Array,
    trial: Array,
) -> None:
    """Fill the four `stages` and the `trial` state after a step from `y`, at which `rate` is dy/dt."""
    n = y.size
    u1, u2, u3, u4 = stages[0], stages[1], stages[2], stages[3]
    coupling = np.zeros(n)
    _stage(problem, factors, step, rate, coupling, u1)
    coupling[:] = 4.0 * u1[:n]
    _stage(problem, factors, step, rate, coupling, u2)
    trial[:] = y + 2.0 * u1[:n]
    derivatives(problem.equations, k, trial, rate)
    coupling[:] = u1[:n] - u2[:n]
    _stage(problem, factors, step, rate, coupling, u3)
    trial[:] = y + 2.0 * u1[:n] + u3[:n]
    derivatives(problem.equations, k, trial, rate)
    coupling[:] = u1[:n] - u2[:n] - 8.0 / 3.0 * u3[:n]
    _stage(problem, factors, step, rate, coupling, u4)
    trial[:] += u4[:n]


@compiled
def integrate_rodas3(
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
    """Advance `y` in place over one step of a tracer; parameters and result as for `integrate_bdf`."""
    n, duration, elapsed = problem.equations.n, forcing.duration, 0.0
    rate, trial, values = np.empty(n + 4), np.empty(n), np.empty(problem.equations.n_entries)
    stages = np.zeros((4, n + problem.equations.n_border))
    step = _FIRST_TRIAL * duration
    renew = True
    for _ in range(max_steps):
        step = min(step, duration - elapsed)
        if step < 1e-14 * elapsed or step <= 1e-30:
            return _STEP_TOO_SMALL
        if renew:
            if forcing.varies:
                set_coefficients(problem.rates, forcing, elapsed + 0.5 * step, k)
            derivatives(problem.equations, k, y, rate)
            jacobian(problem.equations, k, y, values)
            counts[JACOBIANS] += 1
            counts[EVALUATIONS] += 1
        factorise(problem.plan, values, _GAMMA * step, n, factors)
        counts[FACTORISATIONS] += 1
        _stages(problem, factors, k, step, y, rate, stages, trial)
        counts[EVALUATIONS] += 2
        scale = atol + rtol * np.maximum(np.abs(y), np.abs(trial))
        error = scaled_norm(stages[3], scale)
        renew = math.isfinite(error) and error <= 1.0
        if renew:
            counts[STEPS] += 1
            elapsed += step
            y[:] = trial
            if elapsed >= duration * (1.0 - 1e-12):
                return _SUCCESS
        else:
            counts[REJECTED] += 1
            derivatives(problem.equations, k, y, rate)
        factor = 0.9 * max(error, 1e-30) ** (-1.0 / 3.0) if math.isfinite(error) else _SHRINK
        step *= min(_GROW, max(_SHRINK, factor))
    return _TOO_MANY_STEPS
