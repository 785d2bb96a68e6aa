"""The equation of one implicit step, solved by Newton's method with a matrix that is kept while it serves."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.equations import derivatives, jacobian
from chemnet.chemistry.solver.backward_differences import MAX_ORDER, scaled_norm
from chemnet.chemistry.solver.elimination import Factors, factorise, solve_factorised
from chemnet.chemistry.solver.outcome_codes import EVALUATIONS, FACTORISATIONS, JACOBIANS
from chemnet.chemistry.solver.problem import Problem
from chemnet.compiling import inner

Array = NDArray[np.float64]

_ITERATIONS = 4
_FULL_ITERATIONS = 6
_TOLERANCE = 0.3  # of the error that a step may make
_SLOWEST_CONVERGENCE = 0.9
_ASSUMED_CONVERGENCE = 0.3  # of a new matrix, before it is known
_OLDEST_JACOBIAN = 10  # steps; a matrix that has to be factorised anyway gets a newer one
COEFFICIENT, CONVERGENCE, AGE = range(3)
"""Places in `Workspace.matrix`."""


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


@inner
def allocate_workspace(n: int, n_entries: int) -> Workspace:
    """Return the arrays for `n` species and a Jacobian of `n_entries`."""
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


@inner
def correct(
    problem: Problem, k: Array, factors: Factors, c: float, work: Workspace, counts: NDArray[np.int64]
) -> bool:
    """Solve trial = prediction + correction, correction = c f(trial) - history; return convergence.

    Parameters
    ----------
    problem, k
        The compiled network and its rate coefficients.
    factors
        Those of an earlier matrix, replaced if they do not serve.
    c
        Coefficient of the right-hand side.
    work
        Holds prediction, history and scale; takes trial and correction.
    counts
        Statistics, added to.
    """
    matrix = work.matrix
    while True:
        if c != matrix[COEFFICIENT]:
            if matrix[AGE] >= _OLDEST_JACOBIAN:
                renew_jacobian(problem, k, work.prediction, work, counts)
            _refactorise(problem, factors, c, work, counts)
        if _iterate(problem, k, factors, c, work, counts):
            return True
        if matrix[AGE] == 0.0:
            return _iterate_with_new_jacobians(problem, k, factors, c, work, counts)
        renew_jacobian(problem, k, work.prediction, work, counts)


@inner
def renew_jacobian(problem: Problem, k: Array, y: Array, work: Workspace, counts: NDArray[np.int64]) -> None:
    """Evaluate the Jacobian at `y`; the factors are then out of date."""
    jacobian(problem.equations, k, y, work.jacobian)
    counts[JACOBIANS] += 1
    work.matrix[AGE], work.matrix[COEFFICIENT] = 0.0, 0.0


@inner
def _refactorise(
    problem: Problem, factors: Factors, c: float, work: Workspace, counts: NDArray[np.int64]
) -> None:
    factorise(problem.plan, work.jacobian, c, problem.equations.n, factors)
    counts[FACTORISATIONS] += 1
    work.matrix[COEFFICIENT], work.matrix[CONVERGENCE] = c, _ASSUMED_CONVERGENCE


@inner
def _iterate(
    problem: Problem, k: Array, factors: Factors, c: float, work: Workspace, counts: NDArray[np.int64]
) -> bool:
    """Iterate with one matrix; return convergence.

    The rate of convergence is remembered while the matrix stays, so that one iteration can be enough.
    """
    _begin(work)
    last = 0.0
    for iteration in range(_ITERATIONS):
        size = _improve(problem, k, factors, c, work, counts)
        if not math.isfinite(size):
            return False
        if iteration > 0:
            if size > _SLOWEST_CONVERGENCE * last:
                return False
            work.matrix[CONVERGENCE] = max(0.3 * work.matrix[CONVERGENCE], size / last)
        if size * min(1.0, work.matrix[CONVERGENCE]) < _TOLERANCE:
            return True
        last = size
    return False


@inner
def _iterate_with_new_jacobians(
    problem: Problem, k: Array, factors: Factors, c: float, work: Workspace, counts: NDArray[np.int64]
) -> bool:
    """Iterate with a new Jacobian each time; return convergence.

    Where the surface turns from growing to shrinking the equations have a kink; on the far side of it the
    Jacobian of the near side leads nowhere.
    """
    _begin(work)
    for _ in range(_FULL_ITERATIONS):
        renew_jacobian(problem, k, work.trial, work, counts)
        _refactorise(problem, factors, c, work, counts)
        size = _improve(problem, k, factors, c, work, counts)
        if not math.isfinite(size):
            return False
        if size < _TOLERANCE:
            return True
    return False


@inner
def _begin(work: Workspace) -> None:
    """Start at the prediction."""
    for i in range(work.trial.size):
        work.trial[i] = work.prediction[i]
        work.correction[i] = 0.0


@inner
def _improve(
    problem: Problem, k: Array, factors: Factors, c: float, work: Workspace, counts: NDArray[np.int64]
) -> float:
    """Take one Newton step; return its scaled size."""
    n = problem.equations.n
    derivatives(problem.equations, k, work.trial, work.rate)
    counts[EVALUATIONS] += 1
    right = work.right
    for i in range(n):
        right[i] = c * work.rate[i] - work.history[i] - work.correction[i]
    for i in range(n, right.size):
        right[i] = 0.0
    solve_factorised(problem.plan, factors, right)
    for i in range(n):
        work.trial[i] += right[i]
        work.correction[i] += right[i]
    return scaled_norm(right, work.scale)
