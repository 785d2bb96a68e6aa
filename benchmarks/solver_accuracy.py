"""How far is chemnet's solver from CVODE at rtol 1e-8, and what does each digit cost?

Whole tracers of 298 steps on an embedded network: the densest, those whose temperature jumps most, and others
between. Differences are of log10 abundances, in dex, over all species and steps where CVODE has more than
1e-12.

    python benchmarks/solver_accuracy.py --plot docs/explanation/cvode_comparison.png
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from figures import Figure, report
from numpy.typing import NDArray
from peers import Cvode, System

from chemnet.chemistry.network.initial_abundances import initial_abundances
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.tracers import Tracer, generate_tracers

Array = NDArray[np.float64]
VISIBLE = 1e-12
REFERENCE = (1e-8, 1e-22)
"""rtol and atol of CVODE as the truth."""
ATOL = 1e-20
TOLERANCES = {
    "BDF": (1e-3, 1e-4, 1e-5, 1e-6),
    "RODAS3": (1e-3, 1e-4, 1e-5, 1e-6),
    "CVODE": (1e-4, 1e-5, 1e-6),
}
DEFAULT = ("BDF", 1e-4)


@dataclass
class Run:
    """One solver at one tolerance: differences [dex] and CPU seconds by tracer."""

    differences: list[Array] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def chosen(tracers: Sequence[Tracer], count: int) -> list[Tracer]:
    """Return `count` of the tracers: the densest, those heated most suddenly, and some spread evenly."""
    ways = [one.as_mapping() for one in tracers]
    densest = np.argsort([-way["Density"].max() for way in ways])
    hottest = np.argsort([-np.diff(np.log(way["gasTemp"])).max() for way in ways])
    spread = np.linspace(0, len(ways) - 1, count).astype(int)
    picked = list(dict.fromkeys([*densest[: count // 3], *hottest[: count // 3], *spread]))
    return [tracers[index] for index in sorted(picked[:count])]


def differences(found: Array, expected: Array) -> Array:
    """Return the differences after the first row, where the expected abundances are visible [dex]."""
    seen = expected[1:] > VISIBLE
    return np.abs(np.log10(np.maximum(found[1:][seen], 1e-30) / expected[1:][seen]))


def follow(system: System, solver: str, rtol: float, way: dict[str, Array], initial: Array) -> Array:
    """Return the abundances along a tracer by one of the solvers."""
    if solver == "CVODE":
        return system.follow(Cvode(system, rtol, ATOL), way, initial)
    solution = system.network.solve(way, initial, rtol=rtol, atol=ATOL, method=solver.lower())
    return solution.abundances


def measure(network: Network, tracers: Sequence[Tracer], swept: int) -> dict[tuple[str, float], Run]:
    """Run every tracer with the default, and the first `swept` of them with every solver and tolerance."""
    initial, system = initial_abundances(network), System(network)
    two_rows = {name: values[:2] for name, values in tracers[0].as_mapping().items()}
    for solver in TOLERANCES:  # compile
        follow(system, solver, 1e-4, two_rows, initial)
    runs = {(solver, rtol): Run() for solver, tolerances in TOLERANCES.items() for rtol in tolerances}
    for number, tracer in enumerate(tracers):
        way = tracer.as_mapping()
        expected = system.follow(Cvode(system, *REFERENCE), way, initial)
        for (solver, rtol), run in runs.items():
            if number < swept or (solver, rtol) == DEFAULT:
                before = time.process_time()
                found = follow(system, solver, rtol, way, initial)
                run.seconds.append(time.process_time() - before)
                run.differences.append(differences(found, expected))
    return runs


def table(tracers: Sequence[Tracer], run: Run) -> str:
    """Return a Markdown table of the default run by tracer."""
    lines = [
        "| tracer | largest density | temperature [K] | median [dex] | 99 % | worst |",
        "|---|---|---|---|---|---|",
    ]
    for tracer, errors in zip(tracers, run.differences, strict=True):
        way = tracer.as_mapping()
        figures = " | ".join(f"{value:.1e}" for value in (*np.quantile(errors, (0.5, 0.99)), errors.max()))
        warm = f"{way['gasTemp'].min():.0f} .. {way['gasTemp'].max():.0f}"
        lines.append(
            f"| {tracer.tracer_id}, {tracer.family} | {way['Density'].max():.1e} | {warm} | {figures} |"
        )
    return "\n".join(lines)


def plot(runs: dict[tuple[str, float], Run], swept: int, path: Path) -> None:
    """Draw the differences of the default by tracer, and error against CPU time of every solver."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    share = np.linspace(0.0, 1.0, 2001)
    errors = runs[DEFAULT].differences
    for number, one in enumerate(errors):
        left.plot(
            np.quantile(one, share),
            share,
            color="C0",
            alpha=0.4,
            lw=1,
            label="one tracer" if not number else None,
        )
    left.plot(np.quantile(np.concatenate(errors), share), share, color="C0", lw=2.5, label="all tracers")
    left.plot([1e-4], [0.5], "C3_", ms=14, mew=2, label="target of the median")
    left.axvline(1e-2, color="C3", ls="--", label="target of the worst")
    left.set(
        xscale="log", xlim=(1e-9, 2e-2), ylim=(0, 1.005), xlabel="difference from CVODE at rtol 1e-8 [dex]"
    )
    left.set(ylabel="share of abundances above 1e-12", title="BDF at its default, rtol 1e-4")
    left.legend(loc="upper left", fontsize=9)
    for colour, solver in enumerate(TOLERANCES):
        points = [
            (np.mean(run.seconds[:swept]), np.quantile(np.concatenate(run.differences[:swept]), 0.99), rtol)
            for (name, rtol), run in runs.items()
            if name == solver
        ]
        seconds, error, rtol = zip(*points, strict=True)
        right.loglog(seconds, error, "o-", color=f"C{colour}", label=solver)
        for x, y, value in zip(seconds, error, rtol, strict=True):
            right.annotate(
                f"{value:.0e}".replace("e-0", "e-"), (x, y), (5, 5), textcoords="offset points", fontsize=8
            )
    right.set(xlabel="CPU seconds per tracer of 298 steps", ylabel="99 % of the differences are below [dex]")
    right.set(title=f"what accuracy costs (mean of {swept} tracers; labels: rtol)")
    ticks = [0.3, 0.5, 1, 2, 3, 5]
    right.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    right.minorticks_off()
    right.margins(0.12)
    right.legend(fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Measure, report, and draw on request."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", default="collapse", help="a two-phase or gas network")
    parser.add_argument("--tracers", type=int, default=9)
    parser.add_argument("--swept", type=int, default=2, help="tracers that all solvers and tolerances run")
    parser.add_argument("--plot", type=Path, help="file of the figure")
    options = parser.parse_args()
    network = Network.read(options.network)
    tracers = chosen(generate_tracers(60, seed=7, pre_phase_share=0.0), options.tracers)
    runs = measure(network, tracers, options.swept)
    errors = runs[DEFAULT].differences
    medians, worst = [float(np.median(one)) for one in errors], [float(one.max()) for one in errors]
    print(table(tracers, runs[DEFAULT]), "\n")
    name = f"{network.name}, BDF at rtol 1e-4 against CVODE at 1e-8"
    report(
        __doc__.partition("\n")[0],
        [
            Figure(
                f"{name}: largest median of a tracer [dex]",
                max(medians),
                1e-4,
                True,
                (min(medians), max(medians)),
            ),
            Figure(f"{name}: worst difference [dex]", max(worst), 1e-2, True, (min(worst), max(worst))),
        ],
    )
    if options.plot:
        plot(runs, options.swept, options.plot)


if __name__ == "__main__":
    main()
