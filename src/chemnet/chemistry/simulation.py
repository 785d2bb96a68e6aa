"""Integrate a network along many tracers: in parallel, and so that a killed run goes on where it was."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.outcomes import FinishedTracers, Outcome
from chemnet.chemistry.plan import SimulationPlan
from chemnet.chemistry.solver.codes import SolverCode
from chemnet.errors import DataError

if TYPE_CHECKING:
    from chemnet.chemistry.network import Network
    from chemnet.chemistry.solver import Solution

# The solver conserves what a network's rows conserve. Rows that do not balance let a total wander: UCLCHEM's
# network freezes C2N as #CH3CNH, which makes 1e-5 more hydrogen along a tracer. More than this is no truth.
LARGEST_DRIFT = 1e-4


def integrate_tracers(plan: SimulationPlan, finished: FinishedTracers, workers: int) -> Iterator[Outcome]:
    """Integrate every tracer of `plan` that `finished` does not hold yet, store it there, and yield it.

    The solver releases the interpreter lock, so `workers` threads use as many cores. The order of the
    outcomes depends on the threads, what is stored does not.
    """
    todo = iter([index for index in range(len(plan.tracers)) if index not in finished])
    with ThreadPoolExecutor(workers, thread_name_prefix="tracer") as pool:
        # few are in flight at a time, so that an interrupt ends soon
        running = {pool.submit(integrate_tracer, plan, index) for index in islice(todo, workers + 1)}
        try:
            while running:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(integrate_tracer, plan, index) for index in islice(todo, len(ended))}
                for future in ended:
                    outcome = future.result()
                    finished.store(outcome)
                    yield outcome
        finally:
            for future in running:
                future.cancel()


def integrate_tracer(plan: SimulationPlan, index: int) -> Outcome:
    """Integrate the phase before tracer `index`, if there is one, and then the tracer.

    What the solver cannot do is an outcome, not an error.
    """
    tracer, initial = plan.tracers[index], plan.initial
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


def worker_count(asked: int) -> int:
    """Return how many threads to use: `asked`, or for 0 one per core that this process may use.

    Raises
    ------
    DataError
        For a negative number.
    """
    if asked < 0:
        raise DataError(f"cannot use {asked} workers", hint="set simulate.workers to 0 (every core) or more")
    if asked:
        return asked
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else (os.cpu_count() or 1)


def _failure(network: Network, solution: Solution, initial: NDArray[np.float64]) -> str:
    """Return why a solution cannot be trusted, or nothing."""
    abundances = solution.abundances
    bad = np.flatnonzero(~(np.isfinite(abundances) & (abundances >= 0.0)).all(axis=1))
    where = f"step {bad[0]}: " if bad.size else ""
    if solution.code != SolverCode.SUCCESS:
        return where + SolverCode(solution.code).explanation
    if bad.size:
        return where + "an abundance is negative or not finite"
    totals = initial @ network.stoichiometry
    drift = np.abs(abundances @ network.stoichiometry - totals) / np.where(totals > 0.0, totals, 1.0)
    if drift.max() > LARGEST_DRIFT:
        step, element = np.unravel_index(int(drift.argmax()), drift.shape)
        return f"step {step}: the total of {network.elements[element]} drifted by {drift.max():.1e}"
    return ""


def _counts(solution: Solution) -> dict[str, int]:
    """Return the solver's counts that add up: steps, failures and the like."""
    return asdict(solution.statistics)
