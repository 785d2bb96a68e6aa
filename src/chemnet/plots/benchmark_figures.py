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
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from chemnet.data.parameter_units import axis_label
from chemnet.plots.figures import COLOURS, figure_style

Array = NDArray[np.float64]

#: how each method is called in figures and tables
LABELS = {
    "rollout": "surrogate, full rollout",
    "rollout_unconserved": "the same without conservation",
    "one_step": "surrogate, one step from the truth",
    "reconstruction": "autoencoder alone",
    "pca": "PCA with as many components",
    "nearest_neighbour": "nearest training state",
    "persistence": "persistence: nothing ever changes",
    "one_step_persistence": "one-step persistence",
    "truth": "the truth itself",
}
_LINES = {
    "rollout": (COLOURS[0], "-", 2.2),
    "one_step": (COLOURS[5], "-", 1.4),
    "reconstruction": (COLOURS[2], "-", 1.4),
    "pca": (COLOURS[2], ":", 1.4),
    "nearest_neighbour": (COLOURS[1], "--", 1.4),
    "persistence": (COLOURS[3], "--", 1.4),
    "one_step_persistence": (COLOURS[3], ":", 1.4),
}
_ERRORS = (("mLAE", "mean over species and tracers"), ("LAE99", "99th percentile: the bad cases"))
# smaller errors are drawn at this [dex]
_SMALLEST_ERROR = 1e-3
# smaller drifts and charges are drawn at this
_SMALLEST_DRIFT = 1e-9
# width of a cell of the error map [dex]
_MAP_CELL = (0.2, 0.05)


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
    """Draw mean and 99th percentile of the error against the step, for the surrogate and its rivals.

    Parameters
    ----------
    scores
        The `scores` of `metrics.json`.
    title
        What was scored; above the panels.
    """
    with figure_style():
        figure = Figure(figsize=(10.0, 4.4), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True)
        for axis, figure_name, (label, meaning) in zip(panels, ("mlae", "lae99"), _ERRORS, strict=True):
            for method, (colour, style, width) in _LINES.items():
                if method in scores:
                    curve = _later(scores[method]["by_step"])
                    values = np.maximum(curve[figure_name], _SMALLEST_ERROR)
                    axis.loglog(curve["step"], values, style, color=colour, lw=width, label=LABELS[method])
            axis.set(xlabel="step", ylabel=f"{label} [dex]", title=meaning)
            plain_log_ticks(axis.yaxis)
            axis.grid(alpha=0.25)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
        figure.suptitle(f"{title} and its rivals: error of log10 abundances at each step", fontsize=12)
    return figure


def draw_worst_species(by_species: Mapping[str, Mapping[str, float]], count: int = 40) -> Figure:
    """Draw mean and 99th percentile of the error of the worst species, the worst one first."""
    worst = sorted(by_species, key=lambda name: -by_species[name]["mlae"])[:count]
    place = np.arange(len(worst))
    mean = [by_species[name]["mlae"] for name in worst]
    extreme = [by_species[name]["lae99"] for name in worst]
    with figure_style():
        figure = Figure(figsize=(max(5.0, 0.24 * len(worst) + 1.4), 4.2), layout="constrained")
        axis = figure.subplots()
        axis.bar(place, mean, color=COLOURS[0], width=0.75, label="mLAE")
        axis.plot(place, extreme, "o", color=COLOURS[3], ms=4, label="LAE99")
        axis.set_xticks(place, worst, rotation=90, fontsize=8)
        axis.set(ylabel="error [dex]", xlim=(-0.7, len(worst) - 0.3), ylim=(0.0, None))
        axis.set_title(f"The {len(worst)} worst of {len(by_species)} species in the full rollout")
        axis.legend()
    return figure


def draw_error_map(physical: Array, error: Array, names: Sequence[str]) -> Figure | None:
    """Draw the mean error, and the number of states, over density and temperature.

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
    with figure_style():
        figure = Figure(figsize=(10.0, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        drawn = [10.0**edge for edge in edges]
        shown = left.pcolormesh(*drawn, mean.T, cmap="viridis", vmin=0.0, vmax=np.nanquantile(mean, 0.98))
        bar: Any = {"location": "bottom", "aspect": 35}
        figure.colorbar(shown, ax=left, label="mLAE of the full rollout [dex]", extend="max", **bar)
        shown = right.pcolormesh(*drawn, np.where(count > 0, count, np.nan).T, cmap="cividis", norm=LogNorm())
        figure.colorbar(shown, ax=right, label="states scored", **bar)
        for axis in (left, right):
            axis.set(xscale="log", yscale="log", xlabel=axis_label("Density"), ylabel=axis_label("gasTemp"))
            plain_log_ticks(axis.yaxis)
        left.set_title("mean error")
        right.set_title("states behind each mean")
        figure.suptitle("Error of the full rollout by density and temperature", fontsize=12)
    return figure


def draw_trajectories(shown: Trajectories) -> Figure:
    """Draw the abundances of some species along some histories: truth solid, surrogate dashed.

    Row 0 is left out: both share it, and in a cold start most species are not there yet.
    """
    across = min(3, len(shown.species))
    down = math.ceil(len(shown.species) / across)
    with figure_style():
        figure = Figure(figsize=(3.9 * across, 2.7 * down + 0.5), layout="constrained")
        axes = figure.subplots(down, across, squeeze=False, sharex=True).ravel()
        for column, (axis, name) in enumerate(zip(axes, shown.species, strict=False)):
            _draw_species(axis, shown, column)
            axis.set_title(name)
        for spare in axes[len(shown.species) :]:
            spare.remove()
        for axis in axes[max(0, len(shown.species) - across) : len(shown.species)]:
            axis.tick_params(labelbottom=True)
            axis.set_xlabel("time [kyr]")
        for axis in axes[: len(shown.species) : across]:
            axis.set_ylabel("abundance")
        figure.legend(
            handles=_trajectory_legend(shown.names), loc="outside lower center", ncols=4, fontsize=9
        )
    return figure


def draw_conservation(scores: Mapping[str, Any]) -> Figure:
    """Draw the largest drift of any element, and the largest net charge, against the step."""
    styles = {
        "rollout": (COLOURS[0], "-"),
        "rollout_unconserved": (COLOURS[1], "--"),
        "truth": (COLOURS[7], ":"),
    }
    with figure_style():
        figure = Figure(figsize=(10.0, 4.0), layout="constrained")
        panels = figure.subplots(1, 2)
        for axis, name, label in zip(
            panels,
            ("element_drift", "charge_residual"),
            ("largest relative drift of any element", "largest net charge per H nucleus"),
            strict=True,
        ):
            for method, (colour, style) in styles.items():
                curve = _later(scores[method]["by_step"])
                values = np.maximum(curve[name], _SMALLEST_DRIFT)
                axis.semilogy(curve["step"], values, style, color=colour, label=LABELS[method])
            axis.set(xlabel="step", ylabel=label)
            axis.grid(alpha=0.25)
        panels[0].axhline(1e-6, color="#888888", lw=0.8)
        panels[0].text(0.99, 8e-7, "promised: 1e-6", ha="right", va="top", fontsize=8, color="#666666",
                       transform=panels[0].get_yaxis_transform())  # fmt: skip
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
        figure.suptitle("Conservation, worst cell at each step", fontsize=12)
    return figure


def draw_comparison(by_name: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the full-rollout error of several benchmarks against the step."""
    with figure_style():
        figure = Figure(figsize=(10.0, 4.4), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True)
        for axis, key, label in zip(panels, ("mlae", "lae99"), ("mLAE", "LAE99"), strict=True):
            for number, (name, scores) in enumerate(by_name.items()):
                curve = _later(scores["rollout"]["by_step"])
                values = np.maximum(curve[key], _SMALLEST_ERROR)
                axis.loglog(curve["step"], values, color=COLOURS[number % len(COLOURS)], label=name)
            axis.set(xlabel="step", ylabel=f"{label} of the full rollout [dex]")
            plain_log_ticks(axis.yaxis)
            axis.grid(alpha=0.25)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)
    return figure


def plain_log_ticks(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers at 1, 2 and 5: it may span less than a decade."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _later(curve: Mapping[str, Sequence[float]]) -> dict[str, Array]:
    """Return the curves from step 1 on, as a logarithmic axis needs."""
    arrays = {name: np.array(values, dtype=np.float64) for name, values in curve.items()}
    later = arrays["step"] >= 1
    return {name: values[later] for name, values in arrays.items()}


def _map_edges(logs: Array, width: float) -> Array:
    first, last = math.floor(logs.min() / width), math.floor(logs.max() / width) + 1
    return np.arange(first, last + 1) * width


def _draw_species(axis: Axes, shown: Trajectories, column: int) -> None:
    for number in range(len(shown.names)):
        colour = COLOURS[number % len(COLOURS)]
        for values, style in ((shown.truth, "-"), (shown.predicted, "--")):
            axis.semilogy(
                shown.time[number, 1:] / 1e3,
                np.maximum(values[number, 1:, column], shown.floor),
                style,
                color=colour,
                lw=1.4,
                alpha=0.9,
            )
    low, high = axis.get_ylim()
    # a nearly constant abundance shall look it
    if high / low < 30.0:
        middle = math.sqrt(low * high)
        axis.set_ylim(middle / 6.0, middle * 6.0)


def _trajectory_legend(names: Sequence[str]) -> list[Line2D]:
    entries = [Line2D([], [], color=COLOURS[i % len(COLOURS)], label=name) for i, name in enumerate(names)]
    styles: Any = [("-", "truth"), ("--", "surrogate")]
    return entries + [
        Line2D([], [], color="#555555", linestyle=style, label=label) for style, label in styles
    ]
