"""Pictures of a sweep: how its trials learnt, and what each value was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemnet.data.metric_meanings import METRICS
from chemnet.figure_style import COLOURS, GREY, figure_style
from chemnet.plots.figures import Shade, panels

_BEST, _OTHERS = COLOURS[3], GREY


def draw_sweep(trials: Sequence[Mapping[str, Any]], monitor: str) -> Figure:
    """Return the learning curves of all trials, and one panel per varied key with the scores.

    Parameters
    ----------
    trials
        Records of the trials, best first; those that failed have no score.
    monitor
        The figure that ranks them.
    """
    scored = [trial for trial in trials if trial["score"] is not None]
    keys = list(trials[0]["values"])
    label = METRICS[monitor].label if monitor in METRICS else monitor
    with figure_style():
        figure, axes = panels(1 + len(keys))
        _draw_curves(axes[0], scored, label)
        for axis, key in zip(axes[1:], keys, strict=True):
            _draw_scores(axis, scored, key, label)
    return figure


def _draw_curves(axis: Axes, trials: Sequence[Mapping[str, Any]], figure: str) -> None:
    """Draw the figure of every trial against the epoch, the best on top."""
    for place, trial in reversed(list(enumerate(trials))):
        curve = trial["curve"]
        colour, width = (_BEST, 1.4) if place == 0 else (_OTHERS, 0.6)
        label = f"trial {trial['number']}" if place == 0 else None
        marker = "o" if len(curve) == 1 else None
        axis.plot(range(1, len(curve) + 1), curve, label=label, marker=marker, color=colour, linewidth=width)
    if all(score > 0 for trial in trials for score in trial["curve"]):
        axis.set_yscale("log")
    axis.set(xlabel="epoch", ylabel=figure, title="learning curves")
    axis.legend()


def _draw_scores(axis: Axes, trials: Sequence[Mapping[str, Any]], key: str, figure: str) -> None:
    """Draw each trial's score against one of its values, the best on top."""
    values = [trial["values"][key] for trial in trials]
    scores = [trial["score"] for trial in trials]
    if all(type(value) in (int, float) for value in values):
        if Shade.of(np.asarray(values)).logarithmic or _spans_decades(values):
            axis.set_xscale("log")
    else:
        names = list(dict.fromkeys(map(str, sorted(values, key=str))))
        values = [names.index(str(value)) for value in values]
        axis.set_xticks(range(len(names)), names)
    colours = [_BEST if place == 0 else _OTHERS for place in range(len(trials))]
    axis.scatter(values[::-1], scores[::-1], c=colours[::-1], s=12)
    if all(score > 0 for score in scores):
        axis.set_yscale("log")
    axis.set(xlabel=key, ylabel=figure)


def _spans_decades(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) >= 10 * min(values)
