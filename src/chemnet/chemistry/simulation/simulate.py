"""Integrate a network along many tracers, in parallel, and so that a killed run can resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.simulation.outcomes import FinishedTracers, Outcome
from chemnet.chemistry.simulation.plan import SimulationPlan
from chemnet.chemistry.simulation.shielding import shielded_tracer
from chemnet.chemistry.solver.outcome_codes import SolverCode
from chemnet.chemistry.tracers import Tracer
from chemnet.workers import Workers, completed, worker_count

if TYPE_CHECKING:
    from chemnet.chemistry.network.network import Network
    from chemnet.chemistry.solver import Solution

__all__ = ["LARGEST_DRIFT", "integrate_tracer", "integrate_tracers", "worker_count"]

# The solver conserves what a network's rows conserve. Rows that do not balance let a total wander: UCLCHEM's
# network freezes C2N as #CH3CNH, which makes 1e-5 more hydrogen along a tracer. More than this is no truth.
LARGEST_DRIFT = 1e-4
# of an element that is not there: what the floor of its species adds up to is no amount to keep
_ABSENT = 1e-15


def integrate_tracers(plan: SimulationPlan, finished: FinishedTracers, workers: Workers) -> Iterator[Outcome]:
    """Integrate every tracer of `plan` that `finished` does not hold yet, store it there, and yield it.

    The solver releases the interpreter lock, so threads use as many cores. The order of the outcomes depends
    on the workers, what is stored does not.
    """
    # network and options are sent to each worker once, a tracer when its turn comes
    common = workers.share(replace(plan, tracers=(), layers=None))
    if plan.layers is not None:
        yield from _integrate_inwards(plan, finished, workers, common)
        return
    todo = ((index, tracer) for index, tracer in enumerate(plan.tracers) if index not in finished)
    for _, outcome in completed(workers, integrate_tracer, todo, shared=[common]):
        finished.store(outcome)
        yield outcome


def _integrate_inwards(
    plan: SimulationPlan, finished: FinishedTracers, workers: Workers, common: Any
) -> Iterator[Outcome]:
    """Integrate the points of a cloud one after another, the outermost first: it shields the others."""
    failed = ""
    for point in reversed(range(len(plan.tracers))):
        if point not in finished:
            outcome = Outcome(point, None, f"what shields it is unknown: point {failed}, further out, failed")
            if not failed:
                task = (point, shielded_tracer(plan, point, finished))
                ((_, outcome),) = completed(workers, integrate_tracer, [task], shared=[common])
            finished.store(outcome)
            yield outcome
        if not failed and finished.load(point).reason:
            failed = plan.tracers[point].tracer_id


def integrate_tracer(plan: SimulationPlan, numbered: tuple[int, Tracer]) -> Outcome:
    """Integrate the phase before a tracer, if there is one, and then the tracer, given with its index.

    Of `plan` network, initial state and options are used. A failure of the solver is an outcome, not an
    exception.
    """
    (index, tracer), initial = numbered, plan.initial
    statistics: Counter[str] = Counter()
    if tracer.pre_phase is not None:
        before = plan.network.solve(tracer.pre_phase.as_mapping(), initial, **plan.options)
        statistics.update(_counts(before))
        reason = _failure(plan.network, before, initial)
        if reason:
            return Outcome(index, None, f"in the static phase before step 0: {reason}", statistics)
        initial = before.abundances[-1]
    solution = plan.network.solve(tracer.as_mapping(), initial, **plan.options)
    statistics.update(_counts(solution))
    reason = _failure(plan.network, solution, initial)
    abundances = None if reason else solution.abundances.astype(np.float32)
    return Outcome(index, abundances, reason, statistics)


def _failure(network: Network, solution: Solution, initial: NDArray[np.float64]) -> str:
    """Return why a solution cannot be trusted, or nothing."""
    abundances = solution.abundances
    bad = np.flatnonzero(~(np.isfinite(abundances) & (abundances >= 0.0)).all(axis=1))
    where = f"step {bad[0]}: " if bad.size else ""
    if solution.code != SolverCode.SUCCESS:
        return where + SolverCode(solution.code).explanation
    if bad.size:
        row = abundances[bad[0]]
        species = int(np.argmax(~(np.isfinite(row) & (row >= 0.0))))
        return f"{where}the abundance of {network.species_names[species]} is {row[species]:.3g}"
    totals = initial @ network.stoichiometry
    drift = np.abs(abundances @ network.stoichiometry - totals) / np.maximum(totals, _ABSENT)
    if drift.max() > LARGEST_DRIFT:
        step, element = np.unravel_index(int(drift.argmax()), drift.shape)
        return f"step {step}: the total of {network.elements[element]} drifted by {drift.max():.1e} of itself"
    return ""


def _counts(solution: Solution) -> dict[str, int]:
    """Return the solver's counts that add up: steps, failures and the like."""
    return asdict(solution.statistics)
