"""One tracer, step by step: a fresh start at each, totals checked, failures retried at other tolerances."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.rates.constants import CR_YIELD, QUIRK_FLOOR
from chemnet.chemistry.rates.expression_values import ExpressionRates
from chemnet.chemistry.rates.table import DENSITY, EXTINCTION, GAS_TEMPERATURE, RADIATION
from chemnet.chemistry.solver.codes import N_COUNTS, RETRIES, SolverCode
from chemnet.chemistry.solver.elimination import allocate_factors
from chemnet.chemistry.solver.problem import CompiledNetwork, Forcing, set_coefficients
from chemnet.chemistry.solver.totals import settle

Array = NDArray[np.float64]

_RETRY_FACTORS = (1.0, 0.1, 0.01, 10.0, 0.001)  # times the relative tolerance
_UCLCHEM_FIRST_CALL = 1e7  # s


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
        self.coefficients = np.empty(len(network.problem.rates.integers))
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
        y, cr_yield = abundances[0].copy(), CR_YIELD
        self.tried_first = _RETRY_FACTORS[0]
        for row in range(len(time) - 1):
            expressions.at(row, y, 1 + linear)
            rates = expressions.values
            ends = conditions[row], conditions[row + linear], rates[row], rates[row + linear]
            for length in self._calls(y, time[row + 1] - time[row]):
                carbon = self._shielding_carbon(
                    y, conditions[row, EXTINCTION], conditions[row + 1, EXTINCTION]
                )
                code, y = self._advance(y, Forcing(*ends, float(length), linear, carbon, cr_yield))
                if code is not SolverCode.SUCCESS:
                    return code, row
                if self.network.compatible:
                    cr_yield = _overwritten_cr_yield(conditions[row], float(y[self.network.electron]))
            abundances[row + 1] = y
        return SolverCode.SUCCESS, len(time) - 1

    def _shielding_carbon(self, y: Array, av: float, next_av: float) -> float:
        """Return the abundance of C that shields; UCLCHEM multiplies it with the column of the next row."""
        if self.network.carbon < 0:
            return 0.0
        ahead = next_av / av if self.network.compatible and av > 0.0 else 1.0
        return float(y[self.network.carbon]) * ahead

    def _calls(self, y: Array, duration: float) -> tuple[float, ...]:
        """Return the parts of a step; from bare grains UCLCHEM looks at its switches once more early on."""
        bare = self.network.compatible and y[self.network.surface].sum() < QUIRK_FLOOR
        if bare and duration > _UCLCHEM_FIRST_CALL:
            return _UCLCHEM_FIRST_CALL, duration - _UCLCHEM_FIRST_CALL
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
            if self.network.compatible:
                self._switch_like_uclchem(before)
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

    def _switch_like_uclchem(self, y: Array) -> None:
        """Stop what UCLCHEM stops: freeze-out that evaporation outruns, and evaporation from bare grains."""
        k, network = self.coefficients, self.network
        arriving = k[network.freezing] * y[network.problem.equations.reactants[network.freezing, 0]]
        k[network.freezing[arriving < QUIRK_FLOOR * k[network.partners]]] = 0.0
        if y[network.surface].sum() < QUIRK_FLOOR:
            k[network.evaporating] = 0.0


def _next_factor(left: list[float], code: SolverCode) -> float:
    """Take the factor to try next out of those left: a looser one first where steps were too many."""
    chosen = max(left) if code is SolverCode.TOO_MANY_STEPS else left[0]
    left.remove(chosen)
    return chosen


def _overwritten_cr_yield(conditions: Array, electrons: float) -> float:
    """Return the grain charging parameter that UCLCHEM stores over the yield of cosmic-ray desorption."""
    field = conditions[RADIATION] * math.exp(-2.5 * conditions[EXTINCTION])
    charging = field * math.sqrt(conditions[GAS_TEMPERATURE]) / (conditions[DENSITY] * electrons)
    return float(min(max(charging, 1e2), 1e6))
