"""Figures of simulated tracers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chemnet.data.parameter_units import axis_label
from chemnet.data.simulated_set import SimulatedSet
from chemnet.figure_style import COLOURS, GREY, figure_style, paper_figure
from chemnet.plots.labels import ABUNDANCE, TIME, typeset_species

# what an observer or a cooling function asks for first
SPECIES_SHOWN = ("CO", "#CO", "#H2O", "HCO+", "C+", "E-", "NH3", "#CH3OH")
_LOWEST_SHOWN = 1e-14
_PANELS = 4
# bands between these quantiles, and their opacity; the times at which they are taken
_BANDS, _BAND_ROWS = (((0.05, 0.95), 0.15), ((0.16, 0.84), 0.25)), 120
# of a quantile, zero is this
_ZERO = -99.0
# a value that so many tracers end their range at is a limit
_PINNED = 3
# hides the lines behind words
_BEHIND_WORDS: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}


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
        Parameters above, species below, at least four panels each: the tracers in grey, their median, and
        bands that hold 68 and 90 % of them.
    """
    chosen = np.unique(np.linspace(0, len(simulated) - 1, min(n_tracers, len(simulated))).astype(int))
    panels = max(_PANELS, len(simulated.physical_names))
    species = [name for name in SPECIES_SHOWN if name in simulated.species][:panels]
    species = species or list(simulated.species[:panels])
    columns = [simulated.species.index(name) for name in species]
    times = [simulated.time(tracer) / 1e3 for tracer in chosen]
    physical = [_log(simulated.physical(tracer)) for tracer in chosen]
    abundances = [_log(simulated.abundances(tracer)[:, columns]) for tracer in chosen]
    with figure_style():
        # logarithms on plain axes, and no layout engine: log ticks would take most of the time
        figure = paper_figure(88.0, layout=None)
        figure.subplots_adjust(left=0.07, right=0.98, top=0.86, bottom=0.13, hspace=0.55, wspace=0.28)
        axes = figure.subplots(2, panels)
        for row, histories, names in ((0, physical, simulated.physical_names), (1, abundances, species)):
            for column, (axis, name) in enumerate(zip(axes[row], names, strict=False)):
                _draw_panel(axis, times, [values[:, column] for values in histories])
                axis.set_title(f"log {axis_label(name) if row == 0 else typeset_species(name)}")
        for axis in axes[1][: len(species)]:
            # what is rarer leaves the panel below, instead of lying on its edge
            axis.set_ylim(max(axis.get_ylim()[0], np.log10(_LOWEST_SHOWN)), None)
            axis.set_xlabel(TIME)
        axes[1][0].set_ylabel(f"log {ABUNDANCE}")
        for axis in axes.flat:
            axis.set_visible(axis.has_data())
        figure.suptitle(
            f"{len(chosen)} of {len(simulated)} tracers (grey), their median, and bands that hold 68 and 90 %"
        )
    return figure


def _log(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return log10; what is zero is left out of the curve."""
    return np.log10(np.where(values > 0.0, values, np.nan))


def _draw_panel(
    axis: Axes, times: Sequence[NDArray[np.floating]], values: Sequence[NDArray[np.floating]]
) -> None:
    """Draw one column of every tracer, its quantiles, and where many tracers stop at the same value."""
    for time, curve in zip(times, values, strict=True):
        axis.plot(time, curve, color=GREY, alpha=0.35, linewidth=0.4)
    common = np.linspace(min(time[0] for time in times), max(time[-1] for time in times), _BAND_ROWS)
    at_once = np.array(
        [
            np.interp(common, time, np.nan_to_num(curve, nan=_ZERO), left=np.nan, right=np.nan)
            for time, curve in zip(times, values, strict=True)
        ]
    )
    at_once[:, ~np.isfinite(at_once).any(axis=0)] = _ZERO  # between tracers of different times
    if len(values) > 1:
        for (low, high), opacity in _BANDS:
            band = np.nanquantile(at_once, (low, high), axis=0)
            axis.fill_between(common, *band, color=COLOURS[0], alpha=opacity, linewidth=0)
        axis.plot(common, np.nanmedian(at_once, axis=0), color=COLOURS[0])
    present = [curve[np.isfinite(curve)] for curve in values if np.isfinite(curve).any()]
    if present:
        low, high = (extreme(np.concatenate(present)) for extreme in (np.min, np.max))
        room = 0.05 * max(high - low, 1e-3)
        axis.set_ylim(low - room, high + room)
        _tell_limits(axis, present)


def _tell_limits(axis: Axes, values: Sequence[NDArray[np.floating]]) -> None:
    """Write at the top or the bottom of a panel how many tracers stop at exactly the same value there."""
    for extreme, place, side in ((np.max, 0.99, "top"), (np.min, 0.01, "bottom")):
        reached = np.array([extreme(curve) for curve in values])
        pinned = int((reached == extreme(reached)).sum())
        if _PINNED <= pinned < len(values):
            words = f"{pinned} tracers stop at {10.0 ** float(extreme(reached)):.3g}"
            look: Any = {"transform": axis.transAxes, "ha": "right", "va": side, "fontsize": "small"}
            axis.text(0.99, place, words, color=GREY, bbox=_BEHIND_WORDS, **look)
