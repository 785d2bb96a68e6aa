"""What coupling adds to a surrogate's error: tables and pictures of three runs of `collapse.py`.

python compare.py ALONE.npz FALLBACK.npz SOLVER.npz [FOLDER]

Beside the grid it follows shells of gas as single cells, without advection: each history once as a whole, as
the surrogate was scored, and once with its abundances given back to it at every step.

Shapes: T steps, C cells, J shells, S species, P physical parameters.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from collapse import RADIUS, START
from numpy.typing import NDArray

import chemnet
from chemnet.plots.labels import ABUNDANCE, typeset_species

mpl.use("Agg")
import matplotlib.pyplot as plt

Array = NDArray[np.float64]
Run = dict[str, Any]
SHOWN = ("CO", "#CO", "#H2O", "NH3", "HCO+", "N2H+")


def dex(found: Array, truth: Array, above: float = 0.0) -> Array:
    """Return the mean error over species of at least some abundance, as `chemnet benchmark` scores it."""
    error = np.abs(np.log10(np.maximum(found, 1e-20)) - np.log10(np.maximum(truth, 1e-20)))
    return np.mean(error, axis=-1, where=truth >= above)


def shells(run: Run) -> Array:
    """Return the conditions `(J, T + 1, P)` of gas that ends in the cells and was there from the start."""
    enclosed = np.cumsum(run["mass"], axis=1) - 0.5 * run["mass"]
    marks = enclosed[-1][enclosed[-1] < enclosed[0, -1]]
    rows = [
        np.stack([np.interp(marks, at, np.log10(values[:, p])) for p in range(values.shape[1])], axis=1)
        for at, values in zip(enclosed, run["physical"], strict=True)
    ]
    return 10.0 ** np.stack([*rows, rows[-1]], axis=1)


def offline(surrogate: chemnet.Surrogate, physical: Array, years: float) -> tuple[Array, Array, Array]:
    """Return abundances `(T, J, S)` of shells: the solver's, emulated whole, and step by step."""
    start = np.tile([START.get(name, 0.0) for name in surrogate.species], (len(physical), 1))
    solver, alone = (chemnet.Fallback(surrogate, "collapse", tolerance) for tolerance in (0.0, np.inf))
    truth = solver.emulate(physical, start, years).abundances[:, 1:]
    whole = alone.emulate(physical, start, years).abundances[:, 1:]
    stepped = [start]
    for row in range(physical.shape[1] - 1):
        once = alone.emulate(physical[:, [row, row]], stepped[-1], years, rows=[-1])
        stepped.append(once.abundances[:, 0])
    return np.swapaxes(truth, 0, 1), np.swapaxes(whole, 0, 1), np.stack(stepped[1:])


def draw_profiles(runs: dict[str, Run], radius: Array, species: list[str], path: Path) -> None:
    """Draw abundances at the end against radius."""
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.6), sharex=True, layout="constrained")
    styles = {"solver in every cell": "k-", "surrogate and solver": "C1--", "surrogate alone": "C0:"}
    for axis, name in zip(axes.flat, SHOWN, strict=True):
        for label, style in styles.items():
            values = runs[label]["abundances"][-1][:, species.index(name)]
            axis.plot(radius, values, style, lw=2, label=label)
        axis.set(yscale="log", title=typeset_species(name))
        low, high = axis.get_ylim()
        axis.set_ylim(min(low, high / 10.0), high)
    for axis in axes[1]:
        axis.set_xlabel("radius [pc]")
    for axis in axes[:, 0]:
        axis.set_ylabel(ABUNDANCE)
    axes[0, 0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def draw_trust(run: Run, error: Array, radius: Array, time: Array, path: Path) -> None:
    """Draw expected and true errors of all cells and steps, and what the solver did, of the run with both."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for axis, values, title in (
        (axes[0], run["expected_error"], "expected error of the surrogate's step"),
        (axes[1], error, "true error of the state, solver included"),
    ):
        shown = np.clip(values, 0.02, 0.5)
        mesh = axis.pcolormesh(
            radius,
            time,
            np.log10(shown),
            cmap="viridis",
            shading="nearest",
            vmin=np.log10(0.02),
            vmax=np.log10(0.5),
        )
        axis.set(xlabel="radius [pc]", title=title)
    places = np.argwhere(run["by_solver"])
    axes[0].plot(radius[places[:, 1]], time[places[:, 0]], "r.", ms=3, label="sent to the solver")
    axes[0].set_ylabel("time [kyr]")
    axes[0].legend(loc="lower right", fontsize=8)
    bar = figure.colorbar(mesh, ax=axes, ticks=np.log10([0.02, 0.05, 0.1, 0.2, 0.5]), extend="both")
    bar.ax.set_yticklabels(["0.02", "0.05", "0.1", "0.2", "0.5"])
    bar.set_label("dex, mean over species")
    figure.savefig(path, dpi=110)


def draw_share(runs: dict[str, Run], errors: dict[str, Array], time: Array, path: Path) -> None:
    """Draw the share of cells that fell back, and errors, against time."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5), sharex=True, layout="constrained")
    share = 100.0 * np.mean(runs["surrogate and solver"]["by_solver"], axis=1)
    above.step(time, share, "C3", where="mid")
    above.set(ylabel="cells by the solver [%]", ylim=(0, 105))
    for (label, error), style in zip(errors.items(), ("C0:", "C1--", "0.5", "C2-."), strict=True):
        below.plot(time, error.mean(axis=1), style, lw=2, label=label)
    below.set(xlabel="time [kyr]", ylabel="error [dex]", ylim=(0, None))
    below.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main(alone: Path, fallback: Path, solver: Path, folder: Path = Path()) -> None:
    """Print the table and draw the pictures."""
    labels = ("surrogate alone", "surrogate and solver", "solver in every cell")
    runs: dict[str, Run] = {
        label: dict(np.load(path)) for label, path in zip(labels, (alone, fallback, solver), strict=True)
    }
    surrogate = chemnet.Surrogate.load("collapse").neutral()
    years, truth = surrogate.domain.dt_usual, runs["solver in every cell"]["abundances"]
    steps, cells = truth.shape[:2]
    found = {label: (runs[label]["abundances"], truth) for label in labels[:2]}
    shell_truth, whole, stepped = offline(surrogate, shells(runs[labels[0]]), years)
    found |= {"shells, whole histories": (whole, shell_truth), "shells, step by step": (stepped, shell_truth)}
    errors = {label: dex(*pair) for label, pair in found.items()}
    print("error [dex]             at the end   all steps  worst at the end   above 1e-10: at the end   all")
    for label, error in errors.items():
        main_species = dex(*found[label], above=1e-10)
        print(
            f"{label:24s}{error[-1].mean():10.3f}{error.mean():12.3f}{error[-1].max():12.3f}"
            f"{main_species[-1].mean():30.3f}{main_species.mean():8.3f}"
        )
    shares = [np.mean(runs[labels[1]]["by_solver"]), np.mean(runs[labels[1]]["by_solver"][10:])]
    print(f"by the solver: {100 * shares[0]:.1f} % of all steps, {100 * shares[1]:.1f} % after the first ten")
    width = RADIUS / cells
    radius = (4.5 + np.arange(cells)) * width
    time = np.arange(1, steps + 1) * years / 1000.0
    draw_profiles(runs, radius, list(surrogate.species), folder / "coupled_profiles.png")
    draw_trust(runs[labels[1]], errors[labels[1]], radius, time, folder / "coupled_trust.png")
    draw_share(runs, errors, time, folder / "coupled_share.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
