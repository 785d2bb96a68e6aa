"""Panels that any columns of states fill: an embedding coloured by them, and their histograms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from chemnet.data.parameter_units import axis_label
from chemnet.figure_style import COLOUR_MAP, COLOURS, GREY, figure_style, paper_figure
from chemnet.plots.labels import TIME

#: a column whose 5th and 95th percentile differ by more than this factor is shown on a logarithmic scale
LOG_RATIO = 30.0
PANEL_HEIGHT, PANEL_HEIGHT_3D = 52.0, 56.0  # [mm]
# an embedding is shown between these quantiles and a margin beside them: few strays would shrink all else
_VIEW, _VIEW_MARGIN = (0.002, 0.998), 0.25


@dataclass(frozen=True)
class Shade:
    """How a column is mapped onto colours or an axis.

    Attributes
    ----------
    logarithmic
        Whether the scale is logarithmic.
    low, high
        Ends of the scale, in the column's unit: the 1st and 99th percentile, so that one stray value does
        not grey all.
    extend
        Where values lie beyond the ends, as the arrows of a colour bar say: ``"neither"``, ``"min"``,
        ``"max"`` or ``"both"``.
    """

    logarithmic: bool
    low: float
    high: float
    extend: str = "neither"

    @classmethod
    def of(cls, values: np.ndarray) -> Shade:
        """Choose the scale for some values ``(n,)``; logarithmic where positive values span a wide range."""
        finite = np.asarray(values, dtype=np.float64)
        finite = finite[np.isfinite(finite)]
        if not finite.size:
            return cls(False, 0.0, 1.0)
        positive = finite[finite > 0]
        early, late = np.quantile(positive, (0.05, 0.95)) if positive.size else (1.0, 1.0)
        # a few zeros (a tracer's first time) do not forbid a logarithm
        logarithmic = bool(late > LOG_RATIO * early and positive.size >= 0.9 * finite.size)
        low, high = np.quantile(positive if logarithmic else finite, (0.01, 0.99))
        if not high > low:
            low, high = finite.min(), finite.max()
        beyond = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
        extend = beyond[bool(finite.min() < low), bool(finite.max() > high)]
        return cls(logarithmic, float(low), float(high) if high > low else float(low) + 1.0, extend)

    def norm(self) -> Normalize:
        """Return matplotlib's form of it."""
        return (LogNorm if self.logarithmic else Normalize)(self.low, self.high, clip=True)


def panels(
    count: int, height: float = PANEL_HEIGHT, layout: str | None = "constrained"
) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` panels, at most three in a row, the last row centred."""
    across = 2 if count == 4 else min(count, 3)
    down = math.ceil(count / across)
    figure = paper_figure(height * down, layout)
    if layout:
        figure.set_layout_engine("constrained", wspace=0.04, hspace=0.05)
    axes = []
    # columns of its own for each row: labels of one row would else take their room from those of the other
    rows = figure.add_gridspec(down, 1)
    for row in range(down):
        in_row = min(across, count - row * across)
        edge = (across - in_row) / 2
        widths = [edge, *[1.0] * in_row, edge] if edge else [1.0] * in_row
        grid = rows[row].subgridspec(1, len(widths), width_ratios=widths)
        axes += [figure.add_subplot(grid[0, bool(edge) + column]) for column in range(in_row)]
    return figure, axes


def embedding_panels(
    embedding: np.ndarray,
    columns: Mapping[str, np.ndarray],
    title: str,
    axes_names: Sequence[str] = ("component 1", "component 2", "component 3"),
) -> Figure:
    """Return one panel per column: the embedding, coloured by that column.

    Parameters
    ----------
    embedding
        ``(n, 2)``, or ``(n, 3)`` for panels in perspective.
    columns
        Values ``(n,)`` by name; chemnet's own names get their units.
    title
        Above the panels; states outside the view are counted behind it.
    axes_names
        What the components are called.
    """
    view = _view(embedding)
    outside = int(((embedding < view[0]) | (embedding > view[1])).any(axis=1).sum())
    if outside:
        title += f"; {outside:,} outside the view"
    with figure_style():
        if embedding.shape[1] == 2:
            figure, axes = panels(len(columns))
        else:  # the layout engine cannot make room for labels in perspective
            figure, axes = panels(len(columns), PANEL_HEIGHT_3D, layout=None)
            figure.subplots_adjust(left=0.0, right=0.94, top=0.9, bottom=0.06, wspace=0.3, hspace=0.25)
            axes = [_in_perspective(figure, axis) for axis in axes]
        for axis, (name, values) in zip(axes, columns.items(), strict=True):
            _draw_embedding(figure, axis, embedding, np.asarray(values), name)
            _set_view(axis, view, axes_names)
        figure.suptitle(title)
    return figure


def _view(embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper corner of what is shown, each ``(2 or 3,)``."""
    low, high = np.quantile(embedding, _VIEW, axis=0)
    margin = _VIEW_MARGIN * np.maximum(high - low, 1e-12)
    return np.maximum(embedding.min(axis=0), low - margin), np.minimum(embedding.max(axis=0), high + margin)


def _set_view(axis: Axes, view: tuple[np.ndarray, np.ndarray], names: Sequence[str]) -> None:
    """Limit the axes to a view, one unit as long in both directions of a plane, and name them."""
    room = 0.03 * np.maximum(view[1] - view[0], 1e-12)
    for letter, low, high, name in zip("xyz", view[0] - room, view[1] + room, names, strict=False):
        axis.set(**{f"{letter}lim": (low, high), f"{letter}label": name})
    if len(view[0]) == 3:
        axis.set_box_aspect(None, zoom=0.8)  # type: ignore[call-arg]
        axis.tick_params(pad=-2)
    else:
        axis.set_aspect("equal")


def shown_column(name: str, values: np.ndarray) -> tuple[np.ndarray, str]:
    """Return a column as figures show it, with its label: times in kyr, all else as it is."""
    return (values / 1e3, TIME) if name == "time" else (values, axis_label(name))


def _in_perspective(figure: Figure, axis: Axes) -> Axes:
    """Replace a panel by one with three axes."""
    place = axis.get_subplotspec()
    axis.remove()
    return figure.add_subplot(place, projection="3d")


def _draw_embedding(figure: Figure, axis: Axes, embedding: np.ndarray, values: np.ndarray, name: str) -> None:
    values, label = shown_column(name, values)
    shade = Shade.of(values)
    size = float(np.clip(8e3 / max(len(embedding), 1), 0.3, 6.0))  # fewer points, larger points
    shown = np.where(values > 0, values, shade.low) if shade.logarithmic else values
    look: Any = {
        "c": shown,
        "s": size,
        "norm": shade.norm(),
        "cmap": COLOUR_MAP,
        "linewidths": 0,
        "rasterized": True,
    }
    points = axis.scatter(*embedding.T, **look)
    bar: Any = {"label": label, "extend": shade.extend, "pad": 0.02 if embedding.shape[1] == 2 else 0.2}
    figure.colorbar(points, ax=axis, shrink=0.9 if embedding.shape[1] == 2 else 0.7, aspect=25, **bar)
    axis.set_title(name)


def histograms(columns: Mapping[str, np.ndarray], title: str) -> Figure:
    """Return one histogram per column, logarithmic where the values span a wide range."""
    with figure_style():
        figure, axes = panels(len(columns), 42.0)
        for axis, (name, values) in zip(axes, columns.items(), strict=True):
            values, label = shown_column(name, np.asarray(values, dtype=np.float64))
            if Shade.of(values).logarithmic:
                n_zero = int((values <= 0).sum())
                values = values[values > 0]
                axis.set_xscale("log")
                bins = np.geomspace(values.min(), values.max(), 41)
                if n_zero:
                    axis.set_title(f"{n_zero:,} states at zero are left out", fontsize="small", color=GREY)
            else:
                bins = np.histogram_bin_edges(values, 40)
            axis.hist(values, bins=bins.tolist(), color=COLOURS[0])
            axis.set(xlabel=label, ylabel="states")
        figure.suptitle(title)
    return figure
