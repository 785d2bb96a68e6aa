"""Figures of simulated tracers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chemnet.data.parameter_units import axis_label
from chemnet.data.simulated_set import SimulatedSet
from chemnet.plots.figures import figure_style

# what an observer or a cooling function asks for first
SPECIES_SHOWN = ("CO", "#CO", "#H2O", "HCO+", "C+", "E-", "NH3", "#CH3OH")
_LOWEST_SHOWN = 1e-14
_PANELS = 4


def draw_simulated(simulated: SimulatedSet, n_tracers: int = 40) -> Figure:
    """Draw the physical parameters and some species of some tracers against time.

    Parameters
    ----------
    simulated
        The set.
    n_tracers
        How many tracers at most, evenly chosen.

    Returns
    -------
    Figure
        Parameters above, species below, at least four panels each; colour tells the tracers apart.
    """
    chosen = np.unique(np.linspace(0, len(simulated) - 1, min(n_tracers, len(simulated))).astype(int))
    panels = max(_PANELS, len(simulated.physical_names))
    species = [name for name in SPECIES_SHOWN if name in simulated.species][:panels]
    species = species or list(simulated.species[:panels])
    columns = [simulated.species.index(name) for name in species]
    with figure_style():
        # logarithms on plain axes, and no layout engine: log ticks would take most of the time
        figure = Figure(figsize=(15, 6.5))
        figure.subplots_adjust(left=0.04, right=0.99, top=0.89, bottom=0.08, hspace=0.35, wspace=0.18)
        axes = figure.subplots(2, panels)
        for number, tracer in enumerate(chosen):
            time, colour = simulated.time(tracer) / 1e3, f"C{number}"
            abundances = np.maximum(simulated.abundances(tracer)[:, columns], _LOWEST_SHOWN)
            curves = [*_log(simulated.physical(tracer)).T, *_log(abundances).T]
            for axis, values in zip(axes.flat, curves, strict=False):
                axis.plot(time, values, color=colour, linewidth=0.7)
        _label(axes, simulated.physical_names, species)
        figure.suptitle(f"{len(chosen)} of {len(simulated)} tracers", fontsize=11)
    return figure


def _log(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return log10; what is zero is left out of the curve."""
    return np.log10(np.where(values > 0.0, values, np.nan))


def _label(axes: NDArray[Any], parameters: Sequence[str], species: Sequence[str]) -> None:
    """Say what each panel shows, and hide those that show nothing."""
    physical = [f"log {axis_label(name)}" for name in parameters]
    for axis, title in zip(
        axes.flat, [*physical, *(f"log abundance of {name}" for name in species)], strict=False
    ):
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("time [kyr]", fontsize=9)
    for axis in axes.flat:
        axis.set_visible(axis.has_data())
