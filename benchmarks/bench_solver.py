"""How many CPU seconds does a tracer take, how many times less than CVODE, and how much do two cores help?

Every solver integrates the same tracers with the same rates, analytic Jacobian and tolerances, afresh
from row to row. CVODE gets the fastest of its direct linear solvers, found on the first rows.

    python benchmarks/bench_solver.py --network collapse
    python benchmarks/bench_solver.py --network FOLDER --tracers 3 --rows 8    # a full network

On networks with bulk ice CVODE comes to a halt where the surface turns: compare the first rows there.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from figures import Figure, report
from peers import Cvode, Peer, ScipyBdf, System

from chemnet.chemistry.network.initial_abundances import initial_abundances
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.tracers import generate_tracers

RTOL, ATOL = 1e-4, 1e-20
LOOSE_RTOL = 1e-2  # where a surrogate is the aim, which is off by a tenth of a decade
TARGETS = {"collapse": 0.6}  # CPU seconds per tracer of 298 steps
FULL_NETWORK_TARGET, FULL_NETWORK = 7.0, 200  # from so many species on
LINEAR_SOLVERS = ("dense", "lapackdense", "sparse")
TRIAL_ROWS = 6
Way = Mapping[str, np.ndarray]


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that `work` takes."""
    before = time.process_time()
    work()
    return time.process_time() - before


def first_rows(way: Way, rows: int) -> dict[str, np.ndarray]:
    """Return the beginning of a tracer."""
    return {name: values[: rows + 1] for name, values in way.items()}


def fastest_cvode(system: System, way: Way, initial: np.ndarray) -> tuple[str, Peer]:
    """Return name and solver of the CVODE whose linear solver takes the least time over the first rows."""
    short = first_rows(way, TRIAL_ROWS)
    taken = {
        name: cpu_seconds(partial(system.follow, Cvode(system, RTOL, ATOL, name), short, initial))
        for name in LINEAR_SOLVERS
    }
    best = min(taken, key=lambda name: taken[name])
    return f"CVODE ({best})", Cvode(system, RTOL, ATOL, best)


def own_time(network: Network, ways: Sequence[Way], method: str) -> Figure:
    """Return the CPU seconds per tracer of one of our methods."""
    initial = initial_abundances(network)
    network.solve(first_rows(ways[0], 1), initial, method=method)  # compile
    taken = [cpu_seconds(partial(network.solve, way, initial, method=method)) for way in ways]
    full = FULL_NETWORK_TARGET if len(network.species) > FULL_NETWORK else None
    target = TARGETS.get(network.name, full) if method == "bdf" else None
    name = f"{network.name} ({len(network.species)} species), {method}: CPU s per tracer"
    return Figure(name, statistics.median(taken), target, at_most=True, spread=(min(taken), max(taken)))


def rodas3_gain(network: Network, ways: Sequence[Way]) -> Figure:
    """Return how many times the CPU time of `rodas3` our BDF takes at a loose tolerance."""
    initial = initial_abundances(network)
    ratios = [
        cpu_seconds(partial(network.solve, way, initial, rtol=LOOSE_RTOL))
        / cpu_seconds(partial(network.solve, way, initial, method="rodas3", rtol=LOOSE_RTOL))
        for way in ways
    ]
    name = f"{network.name}, our BDF over rodas3 at rtol {LOOSE_RTOL:g}: CPU time ratio"
    return Figure(name, statistics.median(ratios), 1.2, spread=(min(ratios), max(ratios)))


def ratio(network: Network, ways: Sequence[Way], label: str, system: System, peer: Peer) -> Figure:
    """Return how many times the CPU time of our BDF another solver takes."""
    initial = initial_abundances(network)
    ratios = [
        cpu_seconds(partial(system.follow, peer, way, initial))
        / cpu_seconds(partial(network.solve, way, initial))
        for way in ways
    ]
    target = 5.0 if label.startswith("CVODE") else None
    name = f"{network.name}, {label} over our BDF, {len(ways[0]['time']) - 1} steps: CPU time ratio"
    return Figure(name, statistics.median(ratios), target, spread=(min(ratios), max(ratios)))


def two_cores(network: Network, ways: Sequence[Way]) -> Figure:
    """Return how much faster two threads finish the tracers, each of them twice, than one."""
    initial = initial_abundances(network)
    walls = []
    for workers in (1, 2):
        with ThreadPoolExecutor(workers) as pool:
            before = time.perf_counter()
            list(pool.map(lambda way: network.solve(way, initial), [way for way in ways for _ in (1, 2)]))
            walls.append(time.perf_counter() - before)
    return Figure(f"{network.name}, two threads over one: wall time ratio", walls[0] / walls[1], 1.9)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="collapse", help="name, file or folder of a network")
    parser.add_argument("--tracers", type=int, default=6, help="tracers that our solver integrates")
    parser.add_argument("--compared", type=int, default=1, help="how many of them others integrate, too")
    parser.add_argument("--rows", type=int, default=10_000, help="steps that others integrate, at most")
    parser.add_argument("--scipy", action="store_true", help="compare with SciPy's BDF, too")
    options = parser.parse_args()
    network = Network.read(options.network)
    ways = [one.as_mapping() for one in generate_tracers(options.tracers, seed=1, pre_phase_share=0.0)]
    methods = ("bdf",) if network.has_bulk else ("bdf", "rodas3")
    figures = [own_time(network, ways, method) for method in methods]
    if "rodas3" in methods:
        figures.append(rodas3_gain(network, ways))
    if options.compared:
        system = System(network)
        compared = [first_rows(way, options.rows) for way in ways[-options.compared :]]
        peers = dict([fastest_cvode(system, ways[0], initial_abundances(network))])
        if options.scipy:
            peers["SciPy BDF"] = ScipyBdf(system, RTOL, ATOL)
        figures += [ratio(network, compared, label, system, peer) for label, peer in peers.items()]
    figures.append(two_cores(network, ways))
    report(__doc__.partition("\n")[0], figures)


if __name__ == "__main__":
    main()
