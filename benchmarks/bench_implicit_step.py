"""How long does one iteration of the implicit step take, and what does it leave of the error?

    python benchmarks/bench_implicit_step.py --network collapse
    python benchmarks/bench_implicit_step.py --network FOLDER --rows 30    # a full network

Cells are rows of tracers that our solver integrates first; the error is against the row that follows, in dex
of abundances clipped at 1e-20. What an iteration costs is the difference between four and one, what a start
costs (coefficients, balances at the floor) is what is left of one. Two threads are timed by the wall clock.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from figures import Figure, report
from timing import rounds_of

from chemnet.chemistry.network.initial_abundances import initial_abundances
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.solver.implicit_step import ImplicitStep, Iterated
from chemnet.chemistry.solver.step_conditions import StepConditions
from chemnet.chemistry.tracers import generate_tracers

MOST_ITERATIONS = 4
TARGET, FULL_NETWORK = 60.0, 200  # microseconds per iteration and cell, from so many species on
THREADS_TARGET = 1.8
ROUNDS = 5
MICRO = 1e6
SHARED_CELLS = 2000  # for threads, so that starting them does not count
Cells = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def made_cells(network: Network, tracers: int, rows: int) -> Cells:
    """Return states, conditions of their rows and of those before, time steps [yr] and the states after."""
    parts: list[list[np.ndarray]] = []
    for one in generate_tracers(tracers, seed=1, pre_phase_share=0.0):
        way = {name: values[: rows + 2] for name, values in one.as_mapping().items()}
        states = np.maximum(network.solve(way, initial_abundances(network)).abundances[1:], 1e-20)
        physical = one.physical[: rows + 2]
        parts.append([states[:-1], physical[1:-1], physical[:-2], np.diff(way["time"])[1:], states[1:]])
    start, physical, before, dt, end = (np.concatenate(part) for part in zip(*parts, strict=True))
    return start, physical, before, dt, end


def error(iterated: Iterated, end: np.ndarray) -> float:
    """Return the mean error of the cells that have an iterate [dex]."""
    usable = np.isfinite(iterated.abundances).all(axis=1)
    logs = [np.log10(np.maximum(one[usable], 1e-20)) for one in (iterated.abundances, end)]
    return float(np.abs(logs[0] - logs[1]).mean())


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="collapse", help="name, file or folder of a network")
    parser.add_argument("--tracers", type=int, default=3, help="tracers that cells are taken from")
    parser.add_argument("--rows", type=int, default=100, help="steps of each tracer")
    options = parser.parse_args()
    network = Network.read(options.network)
    step = ImplicitStep.of_network(network)
    start, physical, before, dt, end = made_cells(network, options.tracers, options.rows)

    def iterate(count: int | None) -> Iterated:
        cells = StepConditions(physical, dt, physical_before=before)
        return step.iterate(start, cells, iterations=count, threads=1)

    works: dict[str, Callable[[], object]] = {
        str(count): partial(iterate, count) for count in (1, MOST_ITERATIONS)
    }
    taken = rounds_of(works, ROUNDS)
    many = np.resize(np.arange(len(start)), SHARED_CELLS)
    cells = StepConditions(physical[many], dt[many])
    shared = {
        str(threads): partial(step.iterate, start[many], cells, iterations=2, threads=threads)
        for threads in (1, 2)
    }
    walls = rounds_of(shared, ROUNDS, time.perf_counter)
    scale = MICRO / len(start)
    each = [
        scale * (all_of_them - one) / (MOST_ITERATIONS - 1)
        for all_of_them, one in zip(taken[str(MOST_ITERATIONS)], taken["1"], strict=True)
    ]
    starts = [scale * one - of_each for one, of_each in zip(taken["1"], each, strict=True)]
    name = f"{network.name} ({len(network.species)} species)"
    target = TARGET if len(network.species) > FULL_NETWORK else None
    speedup = [one / two for one, two in zip(walls["1"], walls["2"], strict=True)]
    figures = [
        Figure.of(f"{name}: CPU us per iteration and cell", each, target, at_most=True),
        Figure.of(f"{name}: CPU us to start a cell", starts),
        Figure.of(f"{name}, two threads over one: wall time ratio", speedup, THREADS_TARGET),
    ]
    figures += [
        Figure(f"{name}: dex after {count} iterations", error(iterate(count), end))
        for count in range(MOST_ITERATIONS + 1)
    ]
    settled = iterate(None)
    figures.append(Figure(f"{name}: dex once the update is below 0.05", error(settled, end)))
    figures.append(Figure(f"{name}: iterations until then", float(settled.iterations.mean())))
    report(__doc__.partition("\n")[0], figures)


if __name__ == "__main__":
    main()
