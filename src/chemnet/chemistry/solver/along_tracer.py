"""One tracer, step by step: a fresh start at each, totals checked, failures retried at other tolerances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.rates.expression_values import ExpressionRates
from chemnet.chemistry.rates.table import EXTINCTION
from chemnet.chemistry.solver.elimination import allocate_factors
from chemnet.chemistry.solver.outcome_codes import N_COUNTS, RETRIES, SolverCode
from chemnet.chemistry.solver.problem import CompiledNetwork, Forcing, set_coefficients
from chemnet.chemistry.solver.quirks import (
    FIRST_CALL,
    desorption_yield,
    is_bare,
    shielding_carbon,
    switch_off,
)
from chemnet.chemistry.solver.totals import settle

Array = NDArray[np.float64]

_RETRY_FACTORS = (1.0, 0.1, 0.01, 10.0, 0.001)  # times the relative tolerance


@dataclass(frozen=True)
class Tolerances:
    """What an integration may err and cost.

    Parameters
    ----------
    rtol, atol
        Relative and absolute tolerance per internal step.
    max_steps
        Cap on internal steps per row of the tracer and per tolerance tried.
    """

    rtol: float
    atol: float
    max_steps: int


class TracerIntegrator:
    """Advances abundances row by row along one tracer; holds the storage that one thread needs.

    Parameters
    ----------
    network
        The compiled network.
    integrate
        `integrate_bdf` or `integrate_rodas3`.
    tolerances
        Tolerances and the cap on internal steps.
    """

    def __init__(
        self, network: CompiledNetwork, integrate: Callable[..., int], tolerances: Tolerances
    ) -> None:
        self.network = network
        self.integrate = integrate
        self.tolerances = tolerances
        self.factors = allocate_factors(network.problem.plan)
        self.coefficients = np.empty(network.problem.rates.integers.shape[1])
        self.counts = np.zeros(N_COUNTS, np.int64)
        self.tried_first = _RETRY_FACTORS[0]

    def run(
        self, time: Array, conditions: Array, expressions: ExpressionRates, linear: bool, abundances: Array
    ) -> tuple[SolverCode, int]:
        """Fill `abundances` row after row; return the outcome and the last row reached.

        Parameters
        ----------
        time
            Times [s], shape (steps,).
        conditions, expressions
            Physical conditions, shape (steps, 6), and the rates that are expressions.
        linear
            Whether conditions change linearly between rows instead of keeping the earlier row's values.
        abundances
            Shape (steps, n_species); row 0 is the initial state.
        """
        y, before = abundances[0].copy(), np.full(conditions.shape[1], np.nan)
        switches = self.network.switches
        self.tried_first = _RETRY_FACTORS[0]
        for row in range(len(time) - 1):
            expressions.at(row, y, 1 + linear)
            rates = expressions.values
            ends = conditions[row], conditions[row + linear], rates[row], rates[row + linear]
            av, next_av = conditions[row, EXTINCTION], conditions[row + 1, EXTINCTION]
            for length in self._calls(y, time[row + 1] - time[row]):
                carbon = shielding_carbon(switches, y, av, next_av)
                cr_yield = desorption_yield(switches, before, y)
                code, y = self._advance(y, Forcing(*ends, float(length), linear, carbon, cr_yield))
                if code is not SolverCode.SUCCESS:
                    return code, row
                before = conditions[row]
            abundances[row + 1] = y
        return SolverCode.SUCCESS, len(time) - 1

    def _calls(self, y: Array, duration: float) -> tuple[float, ...]:
        """Return the parts of a step; from bare grains UCLCHEM looks at its switches once more early on."""
        if is_bare(self.network.switches, y) and duration > FIRST_CALL:
            return FIRST_CALL, duration - FIRST_CALL
        return (duration,)

    def _advance(self, before: Array, forcing: Forcing) -> tuple[SolverCode, Array]:
        """Return the state at the end of one step, or why there is none.

        The tolerance that helped is tried first from then on: where a tracer has become hard it stays so for
        many rows, and each failure costs as much as hundreds of ordinary rows.
        """
        problem, limits = self.network.problem, self.tolerances
        code, after = SolverCode.SUCCESS, before
        left = [self.tried_first, *(factor for factor in _RETRY_FACTORS if factor != self.tried_first)]
        for attempt in range(len(left)):
            factor = _next_factor(left, code)
            self.counts[RETRIES] += attempt > 0
            after = before.copy()
            set_coefficients(problem.rates, forcing, 0.0, self.coefficients)
            switches = self.network.switches
            switch_off(switches, before, is_bare(switches, before), self.coefficients)
            code = SolverCode(
                self.integrate(
                    problem,
                    forcing,
                    self.coefficients,
                    after,
                    limits.rtol * factor,
                    limits.atol,
                    limits.max_steps,
                    self.factors,
                    self.counts,
                )
            )
            if code is SolverCode.SUCCESS:
                code = SolverCode(settle(self.network.invariants, self.network.watched, before, after))
            if code is SolverCode.SUCCESS:
                self.tried_first = factor
                break
        return code, after


def _next_factor(left: list[float], code: SolverCode) -> float:
    """Take the factor to try next out of those left: a looser one first where steps were too many."""
    chosen = max(left) if code is SolverCode.TOO_MANY_STEPS else left[0]
    left.remove(chosen)
    return chosen
