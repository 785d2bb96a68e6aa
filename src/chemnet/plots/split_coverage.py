"""Which physical conditions each split covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chemnet.data.parameter_units import axis_label
from chemnet.data.preprocess.split_labels import SPLIT_NAMES
from chemnet.figure_style import COLOURS, GREY, figure_style
from chemnet.plots.figures import panels
from chemnet.plots.labels import plain_log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chemnet.data.preprocessed import PreprocessedData

_BINS = 60


def draw_coverage(data: PreprocessedData) -> Figure:
    """Return one histogram per physical parameter, the splits as outlines, as shares of each split's rows.

    Dotted lines mark the range that the parameter is scaled by: that of the training split, rounded outward.
    """
    values = {name: data.split(name).raw_physical() for name in SPLIT_NAMES}
    with figure_style():
        figure, axes = panels(len(data.physical_names), 45.0)
        for column, (axis, name) in enumerate(zip(axes, data.physical_names, strict=True)):
            seen = [split[:, column] for split in values.values()]
            bins: Any = _log_bins(np.concatenate(seen))
            for split, colour, rows in zip(SPLIT_NAMES, COLOURS, seen, strict=False):
                if rows.size:
                    share = np.full(rows.size, 1.0 / rows.size)
                    axis.hist(rows, bins=bins, weights=share, histtype="step", color=colour, label=split)
            for bound in (data.physical_scaling.minimum[column], data.physical_scaling.maximum[column]):
                axis.axvline(bound, color=GREY, linestyle=":", linewidth=0.8)
            axis.set_xscale("log")
            if bins[-1] < 100.0 * bins[0]:
                plain_log_ticks(axis.xaxis)
            axis.set(xlabel=axis_label(name), ylabel="share of rows")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(SPLIT_NAMES))
    return figure


def _log_bins(values: np.ndarray) -> np.ndarray:
    """Return bin edges that are evenly spaced in the logarithm and never of zero width."""
    low, high = np.log10(values.min()), np.log10(values.max())
    return np.logspace(low - 0.02, high + 0.02, _BINS + 1)
