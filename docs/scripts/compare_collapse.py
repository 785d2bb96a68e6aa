"""Compare the shipped network `collapse` with tracers of a full gas-grain network, species by species.

    python docs/scripts/compare_collapse.py TRACERS.h5 --count 12 --output docs/explanation

writes `collapse_comparison.md` (a table of differences in dex) and one figure per tracer that `--plot` names.
TRACERS.h5 is a table of UCLCHEM in any format that chemnet reads. Each run starts from the table's first row.
With `--against NETWORK` chemnet solves that larger network too and compares with it, not with the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import Reaction
from chemnet.config import load_config
from chemnet.data.readers import TracerTable

SHOWN = 1e-12
"""Abundance relative to H nuclei below which a species is not compared."""

SETTLING_STEPS = 3
"""Steps at the beginning that still carry the first row."""

GAS = [
    "CO", "H2O", "O", "O2", "OH", "C", "C+", "CH4", "NH3", "N2", "N", "HCN", "HNC", "CN", "NO",
    "CO2", "H2CO", "CH3OH", "HCO+", "N2H+", "H3+", "H3O+", "E-", "S", "CS", "H2S", "MG", "MG+",
    "H",
]  # fmt: skip
ICE = [
    "#H2O", "#CO", "#CO2", "#CH3OH", "#H2CO", "#CH4", "#NH3", "#N2", "#O2", "#HCN", "#HNC",
    "#NO", "#H2S", "#CS", "#MG",
]  # fmt: skip
LUMPED = {"#CS": ("#HCS", "#H2CS")}
"""Species that stand for others of the full network too."""

PLOTTED = {
    "gas": ["CO", "H2O", "O", "C", "NH3"],
    "gas, traces": ["N2", "HCN", "C+", "CH3OH", "H2CO"],
    "ions": ["HCO+", "N2H+", "H3+", "H3O+", "E-"],
    "ice": ["#H2O", "#CO", "#CO2", "#CH3OH"],
    "ice, traces": ["#CH4", "#NH3", "#N2", "#H2S"],
}


@dataclass
class Run:
    """One tracer through both networks: time [yr], abundances (steps,) by species, ice of all phases."""

    tracer_id: str
    time: NDArray[np.float64]
    physical: NDArray[np.float64]
    full: dict[str, NDArray[np.float64]]
    ours: dict[str, NDArray[np.float64]]


def main() -> None:
    """Run the comparison that the command line asks for."""
    args = parse_arguments()
    table = TracerTable(load_config(overrides=[f'data_set.path="{args.tracers}"']))
    chosen = args.ids or list(np.linspace(0, len(table.tracer_ids) - 1, args.count).astype(int))
    network = Network.read(args.network)
    against = larger_network(args.against, network) if args.against else None
    with ThreadPoolExecutor(args.workers) as pool:
        runs = [run for run in pool.map(lambda index: one_run(table, network, against, index), chosen) if run]
    args.output.mkdir(parents=True, exist_ok=True)
    text = table_text(runs)
    name = f"{args.network}_reduction" if against else f"{args.network}_comparison"
    (args.output / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
    for number in args.plot:
        figure(runs[number], args.output / f"{name}_{number}.png")


def parse_arguments() -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tracers", type=Path)
    parser.add_argument("--network", default="collapse")
    parser.add_argument("--against", type=Path, help="network to solve instead of reading its abundances")
    parser.add_argument("--count", type=int, default=12, help="tracers, spread evenly over the table")
    parser.add_argument("--ids", type=int, nargs="*", help="positions of tracers instead")
    parser.add_argument("--plot", type=int, nargs="*", default=[0], help="which of these tracers to draw")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path())
    return parser.parse_args()


def larger_network(path: Path, network: Network) -> Network:
    """Return a network with the temperature ranges of the rows that `network` extrapolates lifted."""
    larger = Network.read(path)
    lifted = {sides(one) for one in network.reactions if one.kind == "TWOBODY" and one.extrapolate}
    rows = [replace(one, extrapolate=one.extrapolate or sides(one) in lifted) for one in larger.reactions]
    return Network.from_parts(larger.species, rows, larger.name)


def sides(reaction: Reaction) -> tuple[frozenset[str], frozenset[str]]:
    """Return what reacts and what forms, in no order."""
    return frozenset(reaction.reactants), frozenset(reaction.products)


def one_run(table: TracerTable, network: Network, against: Network | None, index: int) -> Run | None:
    """Follow one tracer from the state of the full network in its first row; None if a solver gives up."""
    block = table.read([index])
    tracer = {"time": block.time} | dict(zip(table.physical_names, block.physical.T, strict=True))
    first = block.abundance[0]
    ours = solved(network, tracer, start(table, first, network))
    full = (
        solved(against, tracer, start(table, first, against))
        if against
        else by_species(table.species, block.abundance)
    )
    if ours is None or full is None:
        print(f"tracer {table.tracer_ids[index]}: the solver gave up")
        return None
    for name, others in LUMPED.items():
        full[name] = full[name] + sum(full.get(other, 0.0) for other in others)
    return Run(table.tracer_ids[index], block.time, block.physical, full, ours)


def solved(
    network: Network, tracer: dict[str, NDArray[np.float64]], initial: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]] | None:
    """Return abundance along a tracer by species, None if the solver gives up."""
    solution = network.solve(tracer, initial)
    whole = len(solution.abundances) == len(tracer["time"]) and np.isfinite(solution.abundances).all()
    return by_species(network.species_names, solution.abundances) if whole else None


def start(table: TracerTable, first: NDArray[np.float64], network: Network) -> NDArray[np.float64]:
    """Return the full network's first row on our species, its charge balanced."""
    full = {name: values[0] for name, values in by_species(table.species, first[None]).items()}
    if network.has_bulk:
        full |= dict(zip(table.species, first, strict=True))
    initial = np.array([max(full.get(name, 0.0), 1e-30) for name in network.species_names])
    electron = network.index("E-")
    initial[electron] = 0.0
    initial[electron] = initial @ network.charges
    return initial


def by_species(names: Sequence[str], abundance: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return abundance along a tracer by species; `#X` is all ice of X, in the surface and in the bulk."""
    found: dict[str, NDArray[np.float64]] = {}
    for name, values in zip(names, abundance.T, strict=True):
        ice = name.replace("@", "#")
        found[ice] = found.get(ice, 0.0) + values
    return found


def differences(runs: Sequence[Run], name: str) -> NDArray[np.float64]:
    """Return ours minus theirs [dex] wherever the full network has the species."""
    parts = []
    for run in runs:
        full, ours = run.full[name][SETTLING_STEPS:], run.ours[name][SETTLING_STEPS:]
        there = full > SHOWN
        parts.append(np.log10(np.maximum(ours[there], 1e-20) / full[there]))
    return np.concatenate(parts)


def table_lines(runs: Sequence[Run], names: Sequence[str]) -> Iterator[str]:
    """Yield the table's line for each species."""
    for name in names:
        dex = differences(runs, name)
        if dex.size:
            middle, size, worst = np.median(dex), np.median(np.abs(dex)), np.percentile(np.abs(dex), 90)
            yield f"| {name} | {size:.2f} | {worst:.2f} | {middle:+.2f} | {dex.size} |"


def table_text(runs: Sequence[Run]) -> str:
    """Return the table of all species of interest."""
    head = "| species | median, dex | 90 % within | bias | rows |\n|---|---|---|---|---|\n"
    return head + "\n".join([*table_lines(runs, ICE), *table_lines(runs, GAS)]) + "\n"


def figure(run: Run, path: Path) -> None:
    """Draw one tracer: the full network as lines, ours dashed."""
    fig, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained", sharex=True)
    kyr = run.time / 1e3
    first, *others = axes.flat
    for column, label in enumerate(("n [cm$^{-3}$]", "F [Habing]", "Av [mag]", "T [K]")):
        first.semilogy(kyr, run.physical[:, column], label=label)
    first.set(title=f"physical conditions of tracer {run.tracer_id}", ylabel="in the unit of the legend")
    for axis, (title, names) in zip(others, PLOTTED.items(), strict=True):
        for number, name in enumerate(names):
            axis.semilogy(kyr, run.full[name], color=f"C{number}", label=name)
            axis.semilogy(kyr, run.ours[name], color=f"C{number}", linestyle="--")
        axis.set(title=title, ylim=(1e-13, 1e-3), ylabel="abundance per H nucleus")
    for axis in axes.flat:
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("time [kyr]")
        axis.legend(fontsize=8, ncols=2)
    styles: Any = {"full network (UCLCHEM)": "-", "reduced network (chemnet)": "--"}
    fig.legend(
        handles=[Line2D([], [], color="0.3", linestyle=style, label=name) for name, style in styles.items()],
        loc="outside upper center",
        ncols=2,
    )
    fig.savefig(path, dpi=80)
    plt.close(fig)


if __name__ == "__main__":
    main()
