"""Error and cost of a surrogate at every setting of its dial, over whole histories of a table of tracers.

    python docs/scripts/error_against_cost.py TABLE [--surrogate uclchem] [--tracers 12] [KEY=VALUE ...]

Milliseconds are CPU time of one thread per cell and step, steps of the solver included. KEY=VALUE change how
the table is read (`data_set.time_unit=yr`, ...).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chemnet.config import load_config
from chemnet.data.readers.tracer_table import TracerTable
from chemnet.surrogate.accuracy import ACCURACIES
from chemnet.surrogate.rollout import rollout_states
from chemnet.surrogate.surrogate import Surrogate

FLOOR = 1e-20
COLUMNS = (
    "setting", "mLAE", "LAE99", "above 1e-14", "LAE99", "above 1e-8", "LAE99",
    "first step", "by the solver", "CPU ms per cell and step",
)  # fmt: skip
Floats = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", help="tracers with their true abundances")
    parser.add_argument("--surrogate", default="uclchem", help="a surrogate with a dial")
    parser.add_argument("--tracers", type=int, default=0, help="so many, evenly spaced; 0: all")
    parser.add_argument("--accuracy", action="append", choices=ACCURACIES, help="this setting alone")
    parser.add_argument("keys", nargs="*", help="KEY=VALUE of [data_set]")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    dataset = TracerTable(load_config((), [f"data_set.path={options.table}", *options.keys]))
    chosen = np.unique(
        np.linspace(0, len(dataset.lengths) - 1, options.tracers or len(dataset.lengths)).astype(int)
    )
    print(f"{len(chosen)} tracers of {options.table}\n")
    print(row(COLUMNS), row(["---"] * len(COLUMNS)), sep="\n")
    for accuracy in options.accuracy or ACCURACIES:
        surrogate = Surrogate.load(options.surrogate, accuracy=accuracy)
        print(row([accuracy, *scores(surrogate, dataset, chosen.tolist())]), flush=True)


def row(cells: Sequence[str]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def scores(surrogate: Surrogate, dataset: TracerTable, chosen: list[int]) -> list[str]:
    """Return the cells of one surrogate: errors [dex], share of the solver, cost."""
    block = dataset.read(chosen)
    columns = [dataset.species.index(name) for name in surrogate.species]
    lengths = dataset.lengths[chosen]
    truth, physical, times = (
        np.stack(np.split(values, np.cumsum(lengths)[:-1]))
        for values in (block.abundance[:, columns], block.physical, block.time)
    )
    inputs: Any = (truth[:, 0], physical, np.diff(times, axis=1))
    surrogate.emulate(physical[:1, :2], truth[:1, 0], inputs[2][:1, :1])  # compiles
    predicted, by_solver, seconds = rollout(surrogate, *inputs)
    logs = [np.log10(np.clip(values, FLOOR, 1.0)) for values in (predicted, truth[:, 1:])]
    dex = np.abs(logs[0] - logs[1])
    told = []
    for above in (-99.0, -14.0, -8.0):
        part = dex[logs[1] > above]
        told += [f"{part.mean():.3f}", f"{np.quantile(part, 0.99):.2f}"]
    milliseconds = 1e3 * seconds / (dex.shape[0] * dex.shape[1])
    return [*told, f"{dex[:, 0].mean():.3f}", by_solver, f"{milliseconds:.3f}"]


def rollout(surrogate: Surrogate, start: Floats, physical: Floats, dt: Floats) -> tuple[Floats, str, float]:
    """Return abundances `(B, T - 1, S)`, the share of steps that the solver did, and the CPU time [s]."""
    tensors = [torch.from_numpy(np.ascontiguousarray(each)).double() for each in (start, physical, dt)]
    before = time.process_time()
    with torch.inference_mode():
        predictor = surrogate.predictor
        states = rollout_states(predictor, predictor.start(tensors[0]), *tensors[1:])
        flat = {name: values[:, 1:].flatten(0, 1) for name, values in states.items()}
        abundance = predictor.abundance(flat).unflatten(0, (len(start), -1)).numpy()
    seconds = time.process_time() - before
    steps = states.get("solver_steps")
    share = "none" if steps is None else f"{100.0 * float(steps[:, -1].sum()) / dt.size:.1f} %"
    return abundance, share, seconds


if __name__ == "__main__":
    main()
