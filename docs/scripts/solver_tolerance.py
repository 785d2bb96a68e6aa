"""Error and cost of the solver by its tolerance, against tracers that another code has computed.

    python docs/scripts/solver_tolerance.py TABLE NETWORK [--tracers 12] [--rtol 1e-3] [KEY=VALUE ...]

Seconds are CPU time per tracer, one thread. KEY=VALUE change how the table is read
(`data_set.time_unit=yr`, ...). UCLCHEM's quirks are on unless `--plain` is given.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.solver.solve import Solution
from chemnet.config import load_config
from chemnet.data.readers.tracer_table import TracerTable

FLOOR = 1e-20
RTOLS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
COLUMNS = (
    "rtol",
    "mLAE",
    "LAE99",
    "above 1e-8",
    "LAE99",
    "CPU s",
    "range",
    "steps",
    "factorisations",
    "evaluations",
)
Floats = NDArray[np.float64]
Tracer = tuple[dict[str, Floats], Floats]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", help="tracers with their true abundances")
    parser.add_argument("network", help="name, file or folder of the network that made them")
    parser.add_argument("--tracers", type=int, default=12, help="so many, evenly spaced")
    parser.add_argument("--rtol", action="append", type=float, help="this tolerance alone")
    parser.add_argument("--plain", action="store_true", help="without UCLCHEM's quirks")
    parser.add_argument("keys", nargs="*", help="KEY=VALUE of [data_set]")
    options = parser.parse_args(arguments)
    network = Network.read(options.network)
    tracers = read_tracers(options.table, options.keys, network, options.tracers)
    print(f"{len(tracers)} tracers of {options.table}; steps, factorisations and evaluations per row\n")
    print(row(COLUMNS), row(["---"] * len(COLUMNS)), sep="\n")
    solve(network, (cut(tracers[0][0], 2), tracers[0][1]), RTOLS[0], not options.plain)  # compiles
    for rtol in options.rtol or RTOLS:
        print(row([f"{rtol:g}", *scores(network, tracers, rtol, not options.plain)]), flush=True)


def row(cells: Sequence[str]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def cut(way: dict[str, Floats], rows: int) -> dict[str, Floats]:
    """Return the first rows of a tracer."""
    return {name: values[:rows] for name, values in way.items()}


def read_tracers(table: str, keys: Sequence[str], network: Network, count: int) -> list[Tracer]:
    """Return columns and true abundances (steps, n_species) of some tracers of a table."""
    dataset = TracerTable(load_config((), [f"data_set.path={table}", *keys]))
    chosen = np.unique(np.linspace(0, len(dataset.lengths) - 1, count).astype(int)).tolist()
    block = dataset.read(chosen)
    species = [dataset.species.index(name) for name in network.species_names]
    bounds = np.cumsum(dataset.lengths[chosen])[:-1]
    parts = [np.split(each, bounds) for each in (block.time, block.physical, block.abundance[:, species])]
    names = dataset.physical_names
    return [
        ({"time": when, **dict(zip(names, physical.T, strict=True))}, abundances)
        for when, physical, abundances in zip(*parts, strict=True)
    ]


def solve(network: Network, tracer: Tracer, rtol: float, compatible: bool) -> tuple[Solution, float]:
    """Return what the solver makes of a tracer, and its CPU time [s]."""
    way, truth = tracer
    before = time.process_time()
    solution = network.solve(way, truth[0], rtol=rtol, uclchem_compatible=compatible)
    return solution, time.process_time() - before


def scores(network: Network, tracers: Sequence[Tracer], rtol: float, compatible: bool) -> list[str]:
    """Return the cells of one tolerance: errors [dex], CPU time [s], what was done per row."""
    solved = [solve(network, tracer, rtol, compatible) for tracer in tracers]
    seconds = np.array([taken for _, taken in solved])
    logs = [
        np.concatenate([np.log10(np.clip(values[1:], FLOOR, 1.0)) for values in each])
        for each in ([one.abundances for one, _ in solved], [truth for _, truth in tracers])
    ]
    dex = np.abs(logs[0] - logs[1])
    told = []
    for part in (dex, dex[logs[1] > -8.0]):
        told += [f"{part.mean():.4f}", f"{np.quantile(part, 0.99):.3f}"]
    told += [f"{np.median(seconds):.2f}", f"{seconds.min():.2f} .. {seconds.max():.2f}"]
    done = [dict(one.statistics.items()) for one, _ in solved]
    rows = len(dex)
    return told + [
        f"{sum(one[kind] for one in done) / rows:.0f}" for kind in ("steps", "factorisations", "evaluations")
    ]


if __name__ == "__main__":
    main()
