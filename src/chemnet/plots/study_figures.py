"""Pictures of studies: what is lost by training on less, and what the spread of an ensemble tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemnet.figure_style import COLOUR_MAP, COLOURS, figure_style, paper_figure

_ERROR = "mean error [dex]"


def draw_study(study: str, varied: str, records: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the mean error against what was varied, and along the tracers for each value.

    Parameters
    ----------
    study
        Its name.
    varied
        What it varies, for the axis.
    records
        Its trainings that did not fail, the one on everything among them, by value.
    """
    with figure_style():
        figure = paper_figure(70.0)
        overall, along = figure.subplots(1, 2)
        values = [record["value"] for record in records]
        overall.plot(values, [record["errors"]["mlae"] for record in records], "o-", color=COLOURS[0])
        if max(values) > 8 * min(values):
            overall.set_xscale("log")
            overall.minorticks_off()
        overall.set_xticks(values, list(map(str, values)))
        overall.set(xlabel=varied, ylabel=_ERROR, title=study.replace("_", " "), ylim=(0.0, None))
        shades = colormaps[COLOUR_MAP](np.linspace(0.0, 0.9, len(records)))
        for record, shade in zip(records, shades, strict=True):
            _along(along, record["errors"]["by_step"], str(record["value"]), shade)
        along.set(xlabel="row", ylabel=_ERROR, ylim=(0.0, None))
        along.legend(title=varied, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_ensemble(ensemble: Mapping[str, Any]) -> Figure:
    """Return error and spread of a deep ensemble along the tracers."""
    with figure_style():
        figure = paper_figure(70.0)
        axis = figure.subplots()
        _along(axis, ensemble["error_by_step"], "error of the mean", COLOURS[0])
        _along(axis, ensemble["uncertainty_by_step"], "spread of the members", COLOURS[1])
        correlation = ensemble["correlation"]
        title = f"{ensemble['members']} members"
        if correlation is not None:
            title += f", correlation {correlation:.2f}"
        axis.set(xlabel="row", ylabel="mean [dex]", ylim=(0.0, None), title=title)
        axis.legend()
    return figure


def _along(axis: Axes, by_step: Sequence[float], label: str, colour: Any) -> None:
    """Draw a figure along the rows of the tracers, from row 1 on."""
    rows = range(1, len(by_step) + 1)
    axis.plot(rows, by_step, label=label, color=colour, marker="o" if len(by_step) == 1 else None)
