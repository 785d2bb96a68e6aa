"""Figures of a benchmark: where, when and in which species a surrogate is wrong.

They are drawn from the plain values of `metrics.json`, and from arrays where that would be too large.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from chemnet.data.metric_meanings import heading
from chemnet.data.parameter_units import axis_label
from chemnet.figure_style import COLOURS, GREY, figure_style, paper_figure, positive
from chemnet.plots.labels import ABUNDANCE, TIME, label_lines, plain_log_ticks, typeset_species

Array = NDArray[np.float64]
Curve = dict[str, Array]

_LINES = {
    "rollout": (COLOURS[0], "-", 1.8),
    "one_step": (COLOURS[5], "-", 1.0),
    "reconstruction": (COLOURS[2], "-", 1.0),
    "pca": (COLOURS[2], ":", 1.0),
    "nearest_neighbour": (COLOURS[1], "--", 1.0),
    "persistence": (COLOURS[3], "--", 1.0),
    "one_step_persistence": (COLOURS[3], ":", 1.0),
}
_CONSERVED = {
    "rollout": (COLOURS[0], "-"),
    "rollout_unconserved": (COLOURS[1], "--"),
    "truth": (COLOURS[7], ":"),
}
_ERRORS = {"mlae": "mLAE, mean [dex]", "lae99": "LAE99, 99th percentile [dex]"}
_ELAPSED = "time since the first row [kyr]"
#: largest drift of an element that conservation allows
PROMISED_DRIFT = 1e-6
# width of a cell of the error map [dex], and the number of states from which on its colour is full
_MAP_CELL, _FULL_COLOUR = (0.2, 0.05), 20


@dataclass(frozen=True)
class Trajectories:
    """Some histories with their truth.

    Attributes
    ----------
    names
        What each history is called in the legend.
    time
        `(B, T)` [yr].
    truth, predicted
        `(B, T, S)`, NaN after a history's end.
    species
        Names of the columns.
    floor
        Lowest abundance that is drawn.
    """

    names: Sequence[str]
    time: Array
    truth: Array
    predicted: Array
    species: Sequence[str]
    floor: float


def draw_error_by_step(scores: Mapping[str, Any], title: str) -> Figure:
    """Draw mean and 99th percentile of the error against time, for the surrogate and its rivals.

    Parameters
    ----------
    scores
        The `scores` of `metrics.json`.
    title
        What was scored; above the panels.
    """
    shown, x_label = _along_time({name: scores[name]["by_step"] for name in _LINES if name in scores})
    with figure_style():
        figure = paper_figure(125.0)
        for axis, error in zip(figure.subplots(2, 1, sharex=True), _ERRORS, strict=True):
            for method, curve in shown.items():
                colour, style, width = _LINES[method]
                axis.loglog(curve["x"], positive(curve[error]), style, color=colour, lw=width, label=method)
            axis.set_ylabel(_ERRORS[error])
            plain_log_ticks(axis.yaxis)
            axis.grid()
            label_lines(axis, {method: heading(method) for method in shown})
        axis.set_xlabel(x_label)
        figure.suptitle(f"{title}: error of log10 abundances over species and tracers")
    return figure


def draw_worst_species(by_species: Mapping[str, Mapping[str, float]], count: int = 40) -> Figure:
    """Draw mean and 99th percentile of the error of the worst species, the worst one first."""
    worst = sorted(by_species, key=lambda name: -by_species[name]["mlae"])[:count]
    place = np.arange(len(worst))
    mean = [by_species[name]["mlae"] for name in worst]
    extreme = [by_species[name]["lae99"] for name in worst]
    with figure_style():
        figure = paper_figure(75.0)
        axis = figure.subplots()
        axis.bar(place, mean, color=COLOURS[0], width=0.75, label="mLAE, mean")
        axis.plot(place, extreme, "o", color=COLOURS[3], label="LAE99, 99th percentile")
        axis.set_xticks(place, [typeset_species(name) for name in worst], rotation=90)
        axis.set(ylabel="error [dex]", xlim=(-0.7, len(worst) - 0.3), ylim=(0.0, None))
        axis.set_title(f"The {len(worst)} worst of {len(by_species)} species in the full rollout")
        axis.legend()
    return figure


def draw_error_map(physical: Array, error: Array, names: Sequence[str]) -> Figure | None:
    """Draw the mean error, and the number of states, over density and temperature.

    The fewer states a mean is taken over, the paler it is.

    Parameters
    ----------
    physical
        Parameters of the states, `(n, P)`.
    error
        Mean error of each state [dex], `(n,)`.
    names
        Of the parameters.

    Returns
    -------
    Figure or None
        None where density or temperature are no parameters.
    """
    if not {"Density", "gasTemp"} <= set(names):
        return None
    columns = [list(names).index(name) for name in ("Density", "gasTemp")]
    logs = np.log10(np.maximum(physical[:, columns], 1e-30))
    edges = [_map_edges(logs[:, i], _MAP_CELL[i]) for i in range(2)]
    count = np.histogramdd(logs, bins=edges)[0]
    total = np.histogramdd(logs, bins=edges, weights=error)[0]
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    weight = 0.15 + 0.85 * np.minimum(1.0, count / _FULL_COLOUR)
    with figure_style():
        figure = paper_figure(90.0)
        left, right = figure.subplots(1, 2)
        drawn = [10.0**edge for edge in edges]
        most = float(np.nanquantile(mean, 0.98))
        shown = left.pcolormesh(*drawn, mean.T, vmin=0.0, vmax=most, alpha=weight.T)
        # the bar tells the full colours
        solid = ScalarMappable(shown.norm, shown.cmap)
        bar: Any = {"location": "bottom", "aspect": 35}
        extend = "max" if np.nanmax(mean) > most else "neither"
        figure.colorbar(solid, ax=left, label="mLAE of the full rollout [dex]", extend=extend, **bar)
        shown = right.pcolormesh(*drawn, np.where(count > 0, count, np.nan).T, cmap="cividis", norm=LogNorm())
        figure.colorbar(shown, ax=right, label="states scored", **bar)
        for axis in (left, right):
            axis.set(xscale="log", yscale="log", xlabel=axis_label("Density"), ylabel=axis_label("gasTemp"))
            plain_log_ticks(axis.yaxis)
        left.set_title(f"mean error; paler: fewer than {_FULL_COLOUR} states")
        right.set_title("states behind each mean")
        figure.suptitle("Error of the full rollout by density and temperature")
    return figure


def draw_trajectories(shown: Trajectories) -> Figure:
    """Draw the abundances of some species along some histories: truth solid, surrogate dashed.

    Row 0 is left out: both share it, and in a cold start most species are not there yet.
    """
    across = min(3, len(shown.species))
    down = math.ceil(len(shown.species) / across)
    with figure_style():
        figure = paper_figure(42.0 * down + 10.0)
        axes = figure.subplots(down, across, squeeze=False, sharex=True).ravel()
        for column, (axis, name) in enumerate(zip(axes, shown.species, strict=False)):
            _draw_species(axis, shown, column)
            axis.set_title(typeset_species(name))
        for spare in axes[len(shown.species) :]:
            spare.remove()
        for axis in axes[max(0, len(shown.species) - across) : len(shown.species)]:
            axis.tick_params(labelbottom=True)
            axis.set_xlabel(TIME)
        for axis in axes[: len(shown.species) : across]:
            axis.set_ylabel(ABUNDANCE)
        figure.legend(handles=_trajectory_legend(shown.names), loc="outside lower center", ncols=4)
    return figure


def draw_conservation(scores: Mapping[str, Any]) -> Figure:
    """Draw the largest drift of any element, and the largest net charge, against time."""
    shown, x_label = _along_time({name: scores[name]["by_step"] for name in _CONSERVED}, first=0)
    steps = len(shown["rollout"]["x"])  # without row 0, whose drift from itself is none
    with figure_style():
        figure = paper_figure(72.0)
        panels = figure.subplots(1, 2)
        for axis, name, label in zip(
            panels,
            ("element_drift", "charge_residual"),
            ("largest relative drift of any element", "largest net charge per H nucleus"),
            strict=True,
        ):
            for method, curve in shown.items():
                colour, style = _CONSERVED[method]
                axis.semilogy(curve["x"], positive(curve[name]), style, color=colour, label=heading(method))
            axis.set(xlabel=x_label, ylabel=label)
            axis.grid()
            _tell_zeros(axis, {heading(method): curve[name][-steps:] for method, curve in shown.items()})
        mark_promise(panels[0])
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        figure.suptitle("Conservation, worst cell at each step")
    return figure


def mark_promise(axis: Axes) -> None:
    """Draw the largest drift that conservation allows."""
    axis.axhline(PROMISED_DRIFT, color=GREY, lw=0.6)
    place: Any = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right"}
    axis.annotate(
        "promised: $10^{-6}$", (0.99, PROMISED_DRIFT), xytext=(0, 2), fontsize="small", color=GREY, **place
    )


def _tell_zeros(axis: Axes, curves: Mapping[str, Array]) -> None:
    """Say where a logarithmic axis leaves out what is exactly zero."""
    zeros = {name: int((values == 0.0).sum()) for name, values in curves.items()}
    lines = [f"{name}: 0 at {n} of {len(curves[name])} steps" for name, n in zeros.items() if n]
    axis.set_title("\n".join(lines), fontsize="small", color=GREY)


def draw_comparison(by_name: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the full-rollout error of several benchmarks against time."""
    shown, x_label = _along_time({name: scores["rollout"]["by_step"] for name, scores in by_name.items()})
    with figure_style():
        figure = paper_figure(80.0)
        panels = figure.subplots(1, 2, sharex=True)
        for axis, error in zip(panels, _ERRORS, strict=True):
            for number, (name, curve) in enumerate(shown.items()):
                colour = COLOURS[number % len(COLOURS)]
                axis.loglog(curve["x"], positive(curve[error]), color=colour, label=name)
            axis.set(xlabel=x_label, ylabel=_ERRORS[error])
            plain_log_ticks(axis.yaxis)
            axis.grid()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        figure.suptitle("Error of the full rollout")
    return figure


def _along_time(
    by_step: Mapping[str, Mapping[str, Sequence[float]]], first: int = 1
) -> tuple[dict[str, Curve], str]:
    """Return curves with their places `x` on an axis, and its label; from step 1 on for a logarithmic one."""
    # benchmarks of before do not say when their steps were
    timed = all("elapsed" in curve for curve in by_step.values())
    curves = {}
    for name, curve in by_step.items():
        arrays = {key: np.array(values, dtype=np.float64) for key, values in curve.items()}
        arrays["x"] = arrays["elapsed"] / 1e3 if timed else arrays["step"]
        curves[name] = {key: values[arrays["step"] >= first] for key, values in arrays.items()}
    return curves, _ELAPSED if timed else "step"


def _map_edges(logs: Array, width: float) -> Array:
    first, last = math.floor(logs.min() / width), math.floor(logs.max() / width) + 1
    return np.arange(first, last + 1) * width


def _draw_species(axis: Axes, shown: Trajectories, column: int) -> None:
    for number in range(len(shown.names)):
        colour = COLOURS[number % len(COLOURS)]
        for values, style in ((shown.truth, "-"), (shown.predicted, "--")):
            axis.semilogy(
                shown.time[number, 1:] / 1e3,
                positive(values[number, 1:, column]),
                style,
                color=colour,
                alpha=0.9,
            )
    low, high = axis.get_ylim()
    low = max(low, shown.floor)
    axis.set_ylim(low, max(high, 10.0 * low))
    # a nearly constant abundance shall look it
    if high / low < 30.0:
        middle = math.sqrt(low * high)
        axis.set_ylim(middle / 6.0, middle * 6.0)


def _trajectory_legend(names: Sequence[str]) -> list[Line2D]:
    entries = [Line2D([], [], color=COLOURS[i % len(COLOURS)], label=name) for i, name in enumerate(names)]
    styles: Any = [("-", "truth"), ("--", "surrogate")]
    return entries + [Line2D([], [], color=GREY, linestyle=style, label=label) for style, label in styles]
