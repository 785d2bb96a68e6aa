"""Which physical conditions each split covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chemnet.chemistry.tracers import FURTHER_CONDITIONS, PHYSICAL_NAMES, PHYSICAL_UNITS
from chemnet.data.preprocess.split_labels import SPLIT_NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chemnet.data.preprocessed import PreprocessedData

_BINS = 60
_COLOURS = ("#4477AA", "#EE6677", "#228833")  # Paul Tol's bright scheme: distinct without colour vision
_UNITS = {**dict(zip(PHYSICAL_NAMES, PHYSICAL_UNITS, strict=True)), **FURTHER_CONDITIONS}


def draw_coverage(data: PreprocessedData) -> Figure:
    """Return one histogram per physical parameter, the splits as outlines, as shares of each split's rows.

    Dotted lines mark the range that the parameter is scaled by: that of the training split, rounded outward.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    n_physical = len(data.physical_names)
    figure = Figure(figsize=(3.2 * n_physical, 2.8), layout="constrained")
    axes = figure.subplots(1, n_physical, squeeze=False)[0]
    values = {name: data.split(name).raw_physical() for name in SPLIT_NAMES}
    for column, (axis, name) in enumerate(zip(axes, data.physical_names, strict=True)):
        seen = [split[:, column] for split in values.values()]
        bins = _log_bins(np.concatenate(seen))
        for split, colour, rows in zip(SPLIT_NAMES, _COLOURS, seen, strict=True):
            if rows.size:
                share = np.full(rows.size, 1.0 / rows.size)
                axis.hist(rows, bins=bins, weights=share, histtype="step", color=colour, label=split)
        for bound in (data.physical_scaling.minimum[column], data.physical_scaling.maximum[column]):
            axis.axvline(bound, color="grey", linestyle=":", linewidth=1.0)
        axis.set_xscale("log")
        axis.xaxis.set_minor_formatter(NullFormatter())  # within a decade they overlap
        unit = _UNITS.get(name)
        axis.set_xlabel(f"{name} [{unit}]" if unit else name)
    axes[0].set_ylabel("share of rows")
    axes[0].legend(frameon=False)
    return figure


def _log_bins(values: np.ndarray) -> np.ndarray:
    """Return bin edges that are evenly spaced in the logarithm and never of zero width."""
    low, high = np.log10(values.min()), np.log10(values.max())
    return np.logspace(low - 0.02, high + 0.02, _BINS + 1)
