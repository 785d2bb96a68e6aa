"""Compare chemnet's full network with UCLCHEM's own output: table and figures for `docs/explanation`.

    python docs/scripts/compare_uclchem.py DATA_FOLDER docs/explanation [--tracers N]

DATA_FOLDER holds `network/` and `uclchem_tracers.h5` in the pandas layout of AstroChemNet.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from chemnet.chemistry.network.network import Network

COLUMNS = ("Density", "Radfield", "Av", "gasTemp", "dustTemp", "zeta")
SHOWN = ("CO", "#CO", "#H2O", "#CH3OH", "NH3", "HCO+", "N2H+", "E-")
FLOOR = 1e-12


def read_tracer(rows: pd.DataFrame, network: Network) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return a tracer's columns and UCLCHEM's abundances (steps, n_species)."""
    columns = {name: rows[name].to_numpy(float) for name in COLUMNS}
    return {"time": rows["Time"].to_numpy(float), **columns}, rows[list(network.species_names)].to_numpy(
        float
    )


def differences(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return |log10| of the ratios after the first row, where either is above the floor."""
    ours, theirs = ours[1:], theirs[1:]
    seen = np.maximum(ours, theirs) > FLOOR
    return np.abs(np.log10(np.maximum(ours[seen], 1e-20) / np.maximum(theirs[seen], 1e-20)))


def plot_errors(quirks: list[np.ndarray], right: list[np.ndarray], path: Path) -> None:
    """Draw the share of values within a difference, tracer by tracer and all together."""
    figure, axes = plt.subplots(figsize=(7, 4.2))
    share = np.linspace(0.0, 1.0, 1001)
    for errors, colour, label in ((quirks, "C0", "quirks on"), (right, "C1", "default")):
        for one in errors:
            axes.plot(np.quantile(one, share) + 1e-7, share, color=colour, alpha=0.15, lw=0.8)
        axes.plot(np.quantile(np.concatenate(errors), share) + 1e-7, share, color=colour, lw=2.5, label=label)
    axes.axvline(0.003, color="0.6", ls=":")
    axes.axvline(0.05, color="0.6", ls="--")
    axes.set(xscale="log", xlim=(1e-6, 10), ylim=(0, 1), xlabel="difference from UCLCHEM [dex]")
    axes.set_ylabel(f"share of values above {FLOOR:g}")
    axes.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_tracer(
    network: Network, time_yr: np.ndarray, runs: dict[str, np.ndarray], temperature: np.ndarray, path: Path
) -> None:
    """Draw chosen species along one tracer: UCLCHEM, quirks on, default."""
    figure, axes = plt.subplots(3, 3, figsize=(11, 8), sharex=True)
    styles = {
        "UCLCHEM": ("k", "-", 3.5, 0.35),
        "quirks on": ("C0", "-", 1.2, 1.0),
        "default": ("C1", "--", 1.2, 1.0),
    }
    for axis, species in zip(axes.flat[1:], SHOWN, strict=True):
        for label, abundances in runs.items():
            colour, style, width, alpha = styles[label]
            curve = abundances[1:, network.index(species)]
            axis.plot(time_yr[1:] / 1e6, curve, color=colour, ls=style, lw=width, alpha=alpha, label=label)
        axis.set(yscale="log", title=species)
        low, high = axis.get_ylim()
        axis.set_ylim(max(low, 1e-16), high)
    axes.flat[0].plot(time_yr / 1e6, temperature, "C3")
    axes.flat[0].set(title="temperature [K]")
    axes.flat[1].legend(fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("time [Myr]")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tracers", type=int, default=12, help="evenly picked from the file")
    parser.add_argument("--shown", type=int, default=1, help="which of them is drawn")
    options = parser.parse_args()
    network = Network.read(options.data / "network")
    table = pd.read_hdf(options.data / "uclchem_tracers.h5", "df")
    models = table["Model"].drop_duplicates().to_numpy()
    picked = models[np.linspace(0, len(models) - 1, options.tracers).round().astype(int)]
    quirks, right = [], []
    print("| tracer | CPU s | median | 95 % | 99 % | default: median | 95 % |")
    print("|---|---|---|---|---|---|---|")
    for position, model in enumerate(picked):
        way, theirs = read_tracer(table[table["Model"] == model], network)
        before = time.process_time()
        ours = network.solve(way, theirs[0], uclchem_compatible=True).abundances
        seconds = time.process_time() - before
        plain = network.solve(way, theirs[0]).abundances
        quirks.append(differences(ours, theirs))
        right.append(differences(plain, theirs))
        figures = [*np.quantile(quirks[-1], (0.5, 0.95, 0.99)), *np.quantile(right[-1], (0.5, 0.95))]
        print(
            f"| {model} | {seconds:.1f} | {' | '.join(f'{figure:.5f}' for figure in figures)} |", flush=True
        )
        if position == options.shown:
            runs = {"UCLCHEM": theirs, "quirks on": ours, "default": plain}
            plot_tracer(network, way["time"], runs, way["gasTemp"], options.out / "uclchem_tracer.png")
    plot_errors(quirks, right, options.out / "uclchem_errors.png")
    for label, errors in (("quirks on", quirks), ("default", right)):
        figures = np.quantile(np.concatenate(errors), (0.5, 0.95, 0.99))
        print(f"{label}: median {figures[0]:.5f}, 95 % {figures[1]:.5f}, 99 % {figures[2]:.4f} dex")


if __name__ == "__main__":
    main()
