"""chemnet's figures: one clean, colour-blind-safe style, axes with units, no global state.

Figures are built without pyplot, so that a library call never opens a window nor leaves a figure behind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from chemnet.data.parameter_units import axis_label

#: Okabe & Ito's palette, which the colour-blind tell apart
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
#: sequential colours of even lightness
COLOUR_MAP = "viridis"
#: a column whose 5th and 95th percentile differ by more than this factor is shown on a logarithmic scale
LOG_RATIO = 30.0
PANEL_SIZE = (4.6, 3.5)  # [inch]
_STYLE: Any = {
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.linewidth": 0.8,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "font.family": "sans-serif",
    "legend.frameon": False,
    "savefig.dpi": 150,
    "figure.dpi": 110,
    "image.cmap": COLOUR_MAP,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Build figures in chemnet's style within this block."""
    with mpl.rc_context(_STYLE):
        yield


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as an image; the same figure gives the same bytes."""
    figure.savefig(path, metadata={"Software": "chemnet"} if str(path).endswith(".png") else None)


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
    """

    logarithmic: bool
    low: float
    high: float

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
        return cls(logarithmic, float(low), float(high) if high > low else float(low) + 1.0)

    def norm(self) -> Normalize:
        """Return matplotlib's form of it."""
        return (LogNorm if self.logarithmic else Normalize)(self.low, self.high, clip=True)


def _panels(count: int, columns: int = 3) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` panels in rows of at most `columns`."""
    across = min(count, columns)
    down = math.ceil(count / across)
    figure = Figure(figsize=(PANEL_SIZE[0] * across, PANEL_SIZE[1] * down))
    # room between a colour bar's label and the next panel
    figure.set_layout_engine("constrained", wspace=0.08, hspace=0.08, w_pad=0.08, h_pad=0.08)
    axes = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def embedding_panels(embedding: np.ndarray, columns: Mapping[str, np.ndarray], title: str) -> Figure:
    """Return one panel per column: the embedding, coloured by that column.

    Parameters
    ----------
    embedding
        ``(n, 2)``, or ``(n, 3)`` for panels in perspective.
    columns
        Values ``(n,)`` by name; chemnet's own names get their units.
    title
        Above the panels.
    """
    with figure_style():
        figure, axes = _panels(len(columns))
        if embedding.shape[1] == 3:
            axes = [_in_perspective(figure, axis) for axis in axes]
        for axis, (name, values) in zip(axes, columns.items(), strict=True):
            _draw_embedding(figure, axis, embedding, np.asarray(values), name)
        figure.suptitle(title, fontsize=12)
    return figure


def _shown(name: str, values: np.ndarray) -> tuple[np.ndarray, str]:
    """Return a column as figures show it, with its label: times in kyr, all else as it is."""
    return (values / 1e3, "time [kyr]") if name == "time" else (values, axis_label(name))


def _in_perspective(figure: Figure, axis: Axes) -> Axes:
    """Replace a panel by one with three axes."""
    place = axis.get_subplotspec()
    axis.remove()
    return figure.add_subplot(place, projection="3d")


def _draw_embedding(figure: Figure, axis: Axes, embedding: np.ndarray, values: np.ndarray, name: str) -> None:
    values, label = _shown(name, values)
    shade = Shade.of(values)
    size = float(np.clip(4e4 / max(len(embedding), 1), 0.6, 14.0))  # fewer points, larger points
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
    figure.colorbar(points, ax=axis, label=label, shrink=0.9, pad=0.02 if embedding.shape[1] == 2 else 0.12)
    labels = [f"component {number + 1}" for number in range(embedding.shape[1])]
    axis.set(xlabel=labels[0], ylabel=labels[1], title=name)
    if embedding.shape[1] == 3:
        axis.set_zlabel(labels[2])  # type: ignore[attr-defined]


def histograms(columns: Mapping[str, np.ndarray], title: str) -> Figure:
    """Return one histogram per column, logarithmic where the values span a wide range."""
    with figure_style():
        figure, axes = _panels(len(columns))
        for axis, (name, values) in zip(axes, columns.items(), strict=True):
            values, label = _shown(name, np.asarray(values, dtype=np.float64))
            shade = Shade.of(values)
            if shade.logarithmic:
                values = values[values > 0]
                axis.set_xscale("log")
                bins = np.geomspace(values.min(), values.max(), 41)
            else:
                bins = np.histogram_bin_edges(values, 40)
            axis.hist(values, bins=bins.tolist(), color=COLOURS[0])
            axis.set(xlabel=label, ylabel="states")
        figure.suptitle(title, fontsize=12)
    return figure
