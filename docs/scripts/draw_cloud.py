"""Draw a hot core over time, and a cloud at rest with depth, from two results of `simulate`.

Usage: python docs/scripts/draw_cloud.py HOT_CORE CLOUD PICTURE

HOT_CORE and CLOUD are the results that docs/how-to/cloud.md makes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from chemnet.config import load_config
from chemnet.data.simulated_set import SimulatedSet
from chemnet.figure_style import COLOURS, figure_style, paper_figure, save_figure
from chemnet.plots.labels import ABUNDANCE, typeset_species

OVER_TIME = ("CO", "$CO", "H2O", "$H2O", "CH3OH")
WITH_DEPTH = ("C+", "C", "CO", "H2O")
LOWEST = 1e-12


def main(hot_core: str, cloud: str, picture: str) -> None:
    """Draw both and write the picture."""
    with figure_style():
        figure = paper_figure(92.0)
        axes = figure.subplots(1, 3)
        with SimulatedSet(Path(hot_core) / "tracers.h5") as simulated:
            draw_conditions(axes[0], simulated)
            draw_over_time(axes[1], simulated)
        with SimulatedSet(Path(cloud) / "tracers.h5") as simulated:
            draw_with_depth(axes[2], simulated)
        save_figure(figure, picture, load_config())


def draw_conditions(axes: Axes, simulated: SimulatedSet) -> None:
    """Draw the temperature of each point against the time since phase 2 began."""
    for point in simulated:
        time, rows = since_phase_2(simulated, point)
        axes.plot(time, simulated.physical(point)[rows, 3], label=f"point {simulated.tracer_ids[point]}")
    axes.set(xscale="log", xlim=(1e3, 1e6), ylabel="temperature [K]", ylim=(0, 320))
    axes.set_title("hot core: warm-up", fontsize=9)
    axes.set_xlabel("time in phase 2 [yr]")
    place_legend(axes)


def draw_over_time(axes: Axes, simulated: SimulatedSet) -> None:
    """Draw abundances of the innermost point (solid) and the outermost one (dashed)."""
    for point, style in ((0, "-"), (len(simulated) - 1, "--")):
        time, rows = since_phase_2(simulated, point)
        abundances = np.maximum(simulated.abundances(point, OVER_TIME)[rows], LOWEST)
        for species, colour, values in zip(OVER_TIME, COLOURS, abundances.T, strict=False):
            ice = "ice " if species.startswith("$") else ""
            label = ice + typeset_species(species.removeprefix("$")) if point == 0 else None
            axes.plot(time, values, style, color=colour, label=label)
    axes.set(xscale="log", yscale="log", xlim=(1e3, 1e6), ylim=(1e-10, 1e-3))
    axes.set(xlabel="time in phase 2 [yr]", ylabel=ABUNDANCE)
    axes.set_title(f"point 1 (solid), {len(simulated)} (dashed)", fontsize=9)
    place_legend(axes)


def draw_with_depth(axes: Axes, simulated: SimulatedSet) -> None:
    """Draw the last abundances of each point against its extinction."""
    depth = [simulated.physical(point)[-1, 2] for point in simulated]
    abundances = np.array([simulated.abundances(point, WITH_DEPTH)[-1] for point in simulated])
    for species, values in zip(WITH_DEPTH, np.maximum(abundances, LOWEST).T, strict=True):
        axes.plot(depth, values, "o-", markersize=3, label=typeset_species(species))
    axes.set(yscale="log", ylim=(1e-10, 1e-3), xlabel="Av [mag]", ylabel=ABUNDANCE)
    axes.set_title("cloud at rest, 1 Myr", fontsize=9)
    place_legend(axes)


def place_legend(axes: Axes) -> None:
    """Put the legend below an axis, where it hides no line."""
    axes.legend(fontsize=7, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.22))


def since_phase_2(simulated: SimulatedSet, point: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the times since phase 2 began [yr], and which rows these are."""
    start = json.loads(simulated.provenance["phase_starts_yr"])[-1]
    time = simulated.time(point) - start
    rows = time > 0.0
    return time[rows], rows


if __name__ == "__main__":
    main(*sys.argv[1:4])
