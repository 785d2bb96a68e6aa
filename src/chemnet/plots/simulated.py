"""Figures of simulated tracers."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from chemnet.chemistry.tracers import PHYSICAL_NAMES, PHYSICAL_UNITS
from chemnet.datasets.simulated import SimulatedSet

# what an observer or a cooling function asks for first
SPECIES_SHOWN = ("CO", "#CO", "#H2O", "HCO+", "C+", "E-", "NH3", "#CH3OH")
_LOWEST_SHOWN = 1e-14
_PANELS = 4


def draw_simulated(simulated: SimulatedSet, n_tracers: int = 40) -> Figure:
    """Draw the physical parameters and four species of some tracers against time.

    Parameters
    ----------
    simulated
        The set.
    n_tracers
        How many tracers at most, evenly chosen.

    Returns
    -------
    Figure
        Two rows of four panels; colour tells the tracers apart.
    """
    chosen = np.unique(np.linspace(0, len(simulated) - 1, min(n_tracers, len(simulated))).astype(int))
    species = [name for name in SPECIES_SHOWN if name in simulated.species][:_PANELS]
    species = species or list(simulated.species[:_PANELS])
    figure = Figure(figsize=(15, 6.5), layout="constrained")
    axes = figure.subplots(2, _PANELS, squeeze=False)
    colours = [f"C{number % 10}" for number in range(len(chosen))]
    for tracer, colour in zip(chosen, colours, strict=True):
        time = simulated.time(tracer) / 1e3
        for axis, values in zip(axes[0], simulated.physical(tracer).T, strict=True):
            axis.semilogy(time, values, color=colour, linewidth=0.7)
        abundances = np.maximum(simulated.abundances(tracer), _LOWEST_SHOWN)
        for axis, name in zip(axes[1], species, strict=False):
            axis.semilogy(time, abundances[:, simulated.species.index(name)], color=colour, linewidth=0.7)
    for axis, name, unit in zip(axes[0], PHYSICAL_NAMES, PHYSICAL_UNITS, strict=True):
        axis.set_title(f"{name} [{unit}]", fontsize=10)
    for axis, name in zip(axes[1], species, strict=False):
        axis.set_title(f"{name} per H nucleus", fontsize=10)
        axis.set_ylim(_LOWEST_SHOWN, 1.0)
    for axis in axes.flat:
        axis.set_xlabel("time [kyr]")
        axis.set_visible(axis.has_data())
    figure.suptitle(f"{len(chosen)} of {len(simulated)} tracers", fontsize=11)
    return figure
