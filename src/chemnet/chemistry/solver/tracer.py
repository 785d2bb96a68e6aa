"""One tracer, step by step: fresh start at each, totals checked, retried at other tolerances when it fails."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from chemnet.chemistry.rates.constants import CR_YIELD, QUIRK_FLOOR
from chemnet.chemistry.rates.table import (
    DENSITY,
    EXTINCTION,
    GAS_TEMPERATURE,
    RADIATION,
    Formula,
)
from chemnet.chemistry.solver.bdf import integrate_bdf
from chemnet.chemistry.solver.codes import RETRIES, SolverCode
from chemnet.chemistry.solver.problem import Forcing, Problem, set_coefficients
from chemnet.chemistry.solver.rosenbrock import integrate_rodas3
from chemnet.chemistry.sparse_lu import Factors

Array = NDArray[np.float64]

ABUNDANCE_FLOOR = 1e-30
"""Least abundance that a tracer step returns."""
BDF, RODAS3 = 0, 1
"""Integration methods."""
_RETRY_FACTORS = np.array([1.0, 0.1, 0.01, 10.0, 0.001])
_FIRST_CALL = 1e7  # s
_DRIFT_LIMIT = 1e-8  # relative drift of a conserved total over one tracer step, before it is taken out
_WATCHED_LIMIT = 1e-3  # the same for totals that the network itself does not conserve
_EVAPORATION = Formula.EVAPORATION.value
_SUCCESS = SolverCode.SUCCESS.value
_NOT_FINITE = SolverCode.NOT_FINITE.value
_NOT_CONSERVED = SolverCode.NOT_CONSERVED.value


@njit(cache=True, nogil=True)
def integrate_tracer(
    problem: Problem,
    factors: Factors,
    time: Array,
    conditions: Array,
    expressions: Array,
    linear: bool,
    method: int,
    rtol: float,
    atol: float,
    max_steps: int,
    abundances: Array,
    counts: NDArray[np.int64],
) -> tuple[int, int]:
    """Integrate along a tracer; return the `SolverCode` and the last row reached.

    Parameters
    ----------
    problem, factors
        The compiled network and storage for its matrices.
    time
        Times [s], shape (steps,).
    conditions, expressions
        Physical conditions, shape (steps, 6), and values of expression rates, shape (steps, n_expressions).
    linear
        Whether conditions change linearly between rows instead of keeping the earlier row's values.
    method, rtol, atol, max_steps
        Integrator, its tolerances and its cap on internal steps per row.
    abundances
        Shape (steps, n); row 0 is the initial state, the others are filled.
    counts
        Statistics, added to.
    """
    y, k = abundances[0].copy(), np.empty(problem.table.formula.size)
    cr_yield = CR_YIELD
    for row in range(time.size - 1):
        after = row + 1 if linear else row
        duration = time[row + 1] - time[row]
        first_call = _length_of_first_call(problem, y, duration)
        for length in (first_call, duration - first_call):
            if length == 0.0:
                continue
            forcing = Forcing(
                conditions[row],
                conditions[after],
                expressions[row],
                expressions[after],
                length,
                linear,
                y[problem.carbon] if problem.carbon >= 0 else 0.0,
                cr_yield,
            )
            code = _advance(problem, forcing, factors, k, y, method, rtol, atol, max_steps, counts)
            if code != _SUCCESS:
                return code, row
            if problem.compatible:
                cr_yield = _overwritten_cr_yield(conditions[row], y[problem.electron])
        abundances[row + 1] = y
    return _SUCCESS, time.size - 1


@njit(cache=True, nogil=True)
def _length_of_first_call(problem: Problem, y: Array, duration: float) -> float:
    """Return how long UCLCHEM integrates from bare grains before it looks at its switches again, else 0 [s]."""
    if problem.compatible and _surface_ice(problem, y) < QUIRK_FLOOR and duration > _FIRST_CALL:
        return _FIRST_CALL
    return 0.0


@njit(cache=True, nogil=True)
def _advance(
    problem: Problem,
    forcing: Forcing,
    factors: Factors,
    k: Array,
    y: Array,
    method: int,
    rtol: float,
    atol: float,
    max_steps: int,
    counts: NDArray[np.int64],
) -> int:
    """Advance `y` by one row of the tracer, at other tolerances if need be; on failure `y` is as before."""
    before = y.copy()
    code = _SUCCESS
    for attempt in range(_RETRY_FACTORS.size):
        y[:] = before
        counts[RETRIES] += attempt > 0
        set_coefficients(problem, forcing, 0.0, k)
        if problem.compatible:
            _switch_like_uclchem(problem, y, k)
        tolerance = rtol * _RETRY_FACTORS[attempt]
        if method == RODAS3:
            code = integrate_rodas3(problem, forcing, k, y, tolerance, atol, max_steps, factors, counts)
        else:
            code = integrate_bdf(problem, forcing, k, y, tolerance, atol, max_steps, factors, counts)
        if code == _SUCCESS:
            code = _settle(problem, before, y)
        if code == _SUCCESS:
            return code
    y[:] = before
    return code


@njit(cache=True, nogil=True)
def _settle(problem: Problem, before: Array, y: Array) -> int:
    """Lift `y` to the floor, check the totals, and take out what rounding has added to them."""
    for i in range(y.size):
        if not math.isfinite(y[i]):
            return _NOT_FINITE
        y[i] = max(y[i], ABUNDANCE_FLOOR)
    if _worst_drift(problem.watched, before, y) > _WATCHED_LIMIT:
        return _NOT_CONSERVED
    if _worst_drift(problem.invariants, before, y) > _DRIFT_LIMIT:
        return _NOT_CONSERVED
    restore_totals(problem.invariants, before, y)
    return _SUCCESS


@njit(cache=True, nogil=True)
def _worst_drift(totals: Array, before: Array, y: Array) -> float:
    """Return the largest change of a total, relative to the amount that takes part in it."""
    worst = 0.0
    for e in range(totals.shape[1]):
        change, amount = 0.0, 1e-20
        for i in range(y.size):
            change += totals[i, e] * (y[i] - before[i])
            amount += abs(totals[i, e]) * before[i]
        worst = max(worst, abs(change) / amount)
    return worst


@njit(cache=True, nogil=True)
def restore_totals(totals: Array, before: Array, y: Array) -> None:
    """Scale `y` in place by 1 + (totals x multipliers), the least relative change that brings back all totals.

    Parameters
    ----------
    totals
        Weight of each species in each total, shape (n, n_totals).
    before
        Abundances that hold the right totals, shape (n,).
    y
        Abundances to correct, shape (n,).
    """
    n_totals = totals.shape[1]
    system, drift = np.zeros((n_totals, n_totals)), np.zeros(n_totals)
    for i in range(y.size):
        for e in range(n_totals):
            weight = totals[i, e]
            if weight != 0.0:
                drift[e] += weight * (before[i] - y[i])
                for other in range(n_totals):
                    system[e, other] += weight * totals[i, other] * y[i]
    for e in range(n_totals):
        if system[e, e] < 1e-25:  # a total that is absent
            system[e, :], system[:, e], drift[e] = 0.0, 0.0, 0.0
            system[e, e] = 1.0
    multiplier = np.linalg.solve(system, drift)
    for i in range(y.size):
        change = 0.0
        for e in range(n_totals):
            change += totals[i, e] * multiplier[e]
        if abs(change) < 0.5:
            y[i] *= 1.0 + change


@njit(cache=True, nogil=True)
def _overwritten_cr_yield(conditions: Array, electrons: float) -> float:
    """Return the grain charging parameter that UCLCHEM stores where the yield of cosmic-ray desorption was."""
    field = conditions[RADIATION] * math.exp(-2.5 * conditions[EXTINCTION])
    charging = field * math.sqrt(conditions[GAS_TEMPERATURE]) / (conditions[DENSITY] * electrons)
    return min(max(charging, 1e2), 1e6)


@njit(cache=True, nogil=True)
def _switch_like_uclchem(problem: Problem, y: Array, k: Array) -> None:
    """Stop what UCLCHEM stops: freeze-out that evaporation outruns, and evaporation from bare grains."""
    for r in range(k.size):
        partner = problem.partner[r]
        if partner >= 0 and k[r] * y[problem.equations.first[r]] < QUIRK_FLOOR * k[partner]:
            k[r] = 0.0
    if _surface_ice(problem, y) < QUIRK_FLOOR:
        for r in range(k.size):
            if problem.table.formula[r] == _EVAPORATION:
                k[r] = 0.0


@njit(cache=True, nogil=True)
def _surface_ice(problem: Problem, y: Array) -> float:
    """Return the abundance of all surface ice."""
    total = 0.0
    for i in problem.equations.surface:
        total += y[i]
    return total
