"""How many CPU seconds does a tracer take, beside CVODE and SciPy's BDF, and how much do two cores help?

Every solver integrates the same rows with the same rates, analytic Jacobian and tolerances, afresh from row
to row. Without `--network` the shipped networks are measured; `--network FOLDER` adds a full one.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from figures import Figure, report

from chemnet.chemistry.equations import compile_equations, derivatives, jacobian
from chemnet.chemistry.initial import initial_abundances
from chemnet.chemistry.network import Network
from chemnet.chemistry.rates import compile_reactions
from chemnet.chemistry.rates.constants import CR_YIELD
from chemnet.chemistry.solver.problem import Forcing, set_coefficients
from chemnet.chemistry.tracers import generate_tracers
from chemnet.chemistry.units import SECONDS_PER_YEAR

RTOL, ATOL = 1e-4, 1e-20
TARGETS = {"collapse": 0.6}  # CPU seconds per tracer of 298 steps
FULL_NETWORK_TARGET = 7.0
Way = dict[str, np.ndarray]


class Peer:
    """Another solver on the same equations, called for each row of a tracer.

    Parameters
    ----------
    network
        The network.
    solver
        Function of (peer, state, seconds) that returns the state at the end.
    """

    def __init__(self, network: Network, solver: Callable[[Peer, np.ndarray, float], np.ndarray]) -> None:
        self.network, self.solver = network, solver
        reactions = compile_reactions(network)
        self.rates = reactions.rates
        self.equations, self.rows, self.columns = compile_equations(network, reactions)
        self.k = np.empty(len(reactions.sources))
        self.values, self.rate = np.empty(self.equations.n_entries), np.empty(self.equations.n + 4)

    def run(self, way: Way, initial: np.ndarray) -> None:
        """Integrate along a tracer."""
        y, none = initial, np.zeros(0)
        columns = [way[name] for name in ("Density", "Radfield", "Av", "gasTemp", "gasTemp")]
        for row, years in enumerate(np.diff(way["time"])):
            conditions = np.array([*(column[row] for column in columns), 1.0])
            c_abundance = float(y[self.network.index("C")])
            forcing = Forcing(conditions, conditions, none, none, 1.0, False, c_abundance, CR_YIELD)
            set_coefficients(self.rates, forcing, 0.0, self.k)
            y = np.maximum(self.solver(self, y, years * SECONDS_PER_YEAR), 1e-30)

    def right(self, y: np.ndarray) -> np.ndarray:
        """Return dy/dt."""
        derivatives(self.equations, self.k, y, self.rate)
        return self.rate[: self.equations.n]

    def dense(self, y: np.ndarray) -> np.ndarray:
        """Return the Jacobian with its border eliminated."""
        n, size = self.equations.n, self.equations.n + self.equations.n_border
        jacobian(self.equations, self.k, y, self.values)
        full = np.zeros((size, size))
        full[self.rows, self.columns] = self.values
        border = np.linalg.solve(np.eye(size - n) - full[n:, n:], full[n:, :n])
        return full[:n, :n] + full[:n, n:] @ border


def cvode(peer: Peer, y: np.ndarray, seconds: float) -> np.ndarray:
    """Integrate one row by SUNDIALS' CVODE, dense."""
    from sksundae.cvode import CVODE

    def right(t: float, y: np.ndarray, rate: np.ndarray) -> None:
        rate[:] = peer.right(y)

    def dense(t: float, y: np.ndarray, rate: np.ndarray, matrix: np.ndarray) -> None:
        matrix[:] = peer.dense(y)

    solver = CVODE(right, rtol=RTOL, atol=ATOL, jacfn=dense, max_num_steps=20_000)
    return np.asarray(solver.solve(np.array([0.0, seconds]), y).y[-1])


def scipy_bdf(peer: Peer, y: np.ndarray, seconds: float) -> np.ndarray:
    """Integrate one row by SciPy's BDF."""
    from scipy.integrate import solve_ivp

    solution = solve_ivp(
        lambda t, y: peer.right(y).copy(),
        (0.0, seconds),
        y,
        method="BDF",
        jac=lambda t, y: peer.dense(y),
        rtol=RTOL,
        atol=ATOL,
    )
    return np.asarray(solution.y[:, -1])


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that `work` takes."""
    before = time.process_time()
    work()
    return time.process_time() - before


def compared(network: Network, ways: list[Way], rows: int) -> list[Figure]:
    """Return CPU seconds per tracer of our solvers, and how much longer others take for `rows` steps."""
    initial = initial_abundances(network)
    methods = ["bdf"] if network.has_bulk else ["bdf", "rodas3"]
    peers = {"CVODE": Peer(network, cvode), "SciPy BDF": Peer(network, scipy_bdf)}
    short = [{name: values[: rows + 1] for name, values in way.items()} for way in ways]
    for method in methods:  # compile
        network.solve({name: values[:2] for name, values in ways[0].items()}, initial, method=method)
    figures = []
    for method in methods:
        taken = [
            cpu_seconds(lambda way=way, method=method: network.solve(way, initial, method=method))
            for way in ways
        ]
        target = TARGETS.get(network.name, FULL_NETWORK_TARGET if len(network.species) > 200 else None)
        spread = (min(taken), max(taken))
        name = f"{network.name} ({len(network.species)} species), {method}: CPU s per tracer"
        figures.append(Figure(name, statistics.median(taken), target, at_most=True, spread=spread))
    for name, peer in peers.items():
        ratios = []
        for way in short:
            ours = cpu_seconds(lambda way=way: network.solve(way, initial))
            ratios.append(cpu_seconds(lambda way=way, peer=peer: peer.run(way, initial)) / ours)
        target = 5.0 if name == "CVODE" else None
        label = f"{network.name}, {name} over our BDF, first {rows} steps: CPU time ratio"
        figures.append(Figure(label, statistics.median(ratios), target, spread=(min(ratios), max(ratios))))
    return figures


def two_cores(network: Network, ways: list[Way]) -> Figure:
    """Return how much faster two threads finish the tracers than one."""
    initial = initial_abundances(network)
    walls = []
    for workers in (1, 2):
        with ThreadPoolExecutor(workers) as pool:
            before = time.perf_counter()
            list(pool.map(lambda way: network.solve(way, initial), ways))
            walls.append(time.perf_counter() - before)
    return Figure(f"{network.name}, two threads over one: wall time ratio", walls[0] / walls[1], 1.9)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", help="folder or file of a further network")
    parser.add_argument("--tracers", type=int, default=4, help="tracers per network")
    parser.add_argument("--rows", type=int, default=20, help="steps that the other solvers integrate")
    options = parser.parse_args()
    ways = [one.as_mapping() for one in generate_tracers(options.tracers, seed=1, pre_phase_share=0.0)]
    figures = []
    for name in ("collapse", "collapse_bulk", *([options.network] if options.network else [])):
        network = Network.read(name)
        figures += compared(network, ways, options.rows)
        figures.append(two_cores(network, ways))
    report(__doc__.partition("\n")[0], figures)


if __name__ == "__main__":
    main()
