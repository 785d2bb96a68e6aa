"""Figure of error against CPU time: what a user pays for which error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemnet.data.metric_meanings import heading
from chemnet.figure_style import COLOURS, GREY, figure_style, paper_figure
from chemnet.plots.labels import plain_log_ticks

# colour, marker and line of each kind
_STYLES = {
    "solver": (COLOURS[7], "s", "-"),
    "dial": (COLOURS[0], "o", "-"),
    "surrogate": (COLOURS[0], "o", ""),
    "iterations": (COLOURS[5], "^", ":"),
    "solver_error": (COLOURS[2], "v", ":"),
    "iterations_alone": (COLOURS[3], "D", ":"),
    "fallback": (COLOURS[4], "P", "--"),
    "nearest_neighbour": (COLOURS[1], "X", ""),
}
_PANELS = (("mlae", "all species"), ("mlae_abundant", "abundant species (benchmark.abundant)"))
# how the setting is written beside the points of some kinds; not level where these may stand close together
_NAMED: Any = {
    "solver": {"xytext": (3, 2), "ha": "left", "va": "bottom", "rotation": 50, "rotation_mode": "anchor"},
    "dial": {"xytext": (-6, 0), "ha": "right", "va": "center"},
    "surrogate": {"xytext": (-3, -5), "ha": "left", "va": "top"},
    "fallback": {"xytext": (0, -5), "ha": "center", "va": "top", "rotation": 90},
}


def draw_error_against_cost(priced: Mapping[str, Any]) -> Figure:
    """Draw the mean error of each way to predict against the CPU time that it takes.

    Parameters
    ----------
    priced
        The `error_against_cost` of `metrics.json`.
    """
    with figure_style():
        figure = paper_figure(100.0)
        panels = figure.subplots(1, 2, sharex=True)
        for axis, (error, title) in zip(panels, _PANELS, strict=True):
            for kind in _STYLES:
                _draw_kind(axis, kind, [way for way in priced["rows"] if way["kind"] == kind], error)
            _tell_persistence(axis, priced["rows"], error)
            axis.set(xscale="log", yscale="log", xlabel="CPU time per cell and step [ms]", title=title)
            axis.set_ylabel("mLAE over whole histories [dex]")
            axis.margins(x=0.12, y=0.08)
            plain_log_ticks(axis.yaxis)
            axis.grid()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        figure.suptitle(f"What an error costs: {priced['tracers']} tracers over {priced['steps']} steps")
    return figure


def _draw_kind(axis: Axes, kind: str, ways: Sequence[Mapping[str, Any]], error: str) -> None:
    """Draw the points of one kind, joined from the cheapest on; a logarithmic axis has none for no error."""
    ordered = sorted((way for way in ways if way[error] > 0.0), key=lambda way: float(way["cpu_ms"]))
    if not ordered:
        return
    colour, marker, line = _STYLES[kind]
    places = [(way["cpu_ms"], way[error]) for way in ordered]
    looks: Any = {"ls": line, "marker": marker, "color": colour, "lw": 1.0}
    axis.plot(*zip(*places, strict=True), label=heading(kind), **looks)
    if kind in _NAMED:
        look = {"textcoords": "offset points", "fontsize": "small", "color": colour, **_NAMED[kind]}
        for way, place in zip(ordered, places, strict=True):
            axis.annotate(way["setting"], place, **look)


def _tell_persistence(axis: Axes, ways: Sequence[Mapping[str, Any]], error: str) -> None:
    """Write the error of persistence into a panel: a line there would stretch it."""
    told = [f"nothing ever changes: {way[error]:.2g} dex" for way in ways if way["kind"] == "persistence"]
    place: Any = {"xycoords": "axes fraction", "ha": "right", "va": "top"}
    axis.annotate("".join(told), (0.99, 0.99), fontsize="small", color=GREY, **place)
