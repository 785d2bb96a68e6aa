"""Pictures of results side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chemnet.data.metric_meanings import METRICS
from chemnet.figure_style import COLOURS, figure_style, paper_figure
from chemnet.plots.benchmark_figures import draw_comparison
from chemnet.plots.labels import plain_log_ticks, typeset_species

# without the yellow, which is too pale for a line
_LINES = tuple(colour for colour in COLOURS if colour != "#F0E442")
_OTHERS = "#B5BDC4"
_SPECIES = 30


def draw_compared(verb: str, values: Mapping[str, Any]) -> Figure:
    """Draw results of one verb side by side.

    Parameters
    ----------
    verb
        What made them.
    values
        The `values` of their comparison.
    """
    if verb == "train":
        return _draw_trainings(values)
    if verb == "sweep":
        return _draw_sweeps(values)
    if verb == "simulate":
        return _draw_simulations(values)
    return draw_comparison({name: one["scores"] for name, one in values.items()})


def _draw_trainings(values: Mapping[str, Any]) -> Figure:
    """Draw the figure that ranks trainings over epochs and over time; the best have colours of their own."""
    ranking, trainings = values["ranking"], values["trainings"]
    with figure_style():
        figure = paper_figure(85.0)
        left, right = figure.subplots(1, 2, sharey=True)
        curves = {name: one["curves"][ranking] for name, one in trainings.items()}
        _draw_lines(left, {name: (one["curves"]["epoch"], curves[name]) for name, one in trainings.items()})
        _draw_lines(right, {name: (one["seconds"], curves[name]) for name, one in trainings.items()})
        left.set(xlabel="epoch", ylabel=values["label"])
        left.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        right.set(xlabel=values["clock"])
        if all(value > 0.0 for curve in curves.values() for value in curve):
            for axis in (left, right):
                axis.set_yscale("log")
                plain_log_ticks(axis.yaxis)
        _legend(figure, left)
    return figure


def _draw_sweeps(values: Mapping[str, Any]) -> Figure:
    """Draw how low the score of each sweep was by then, and how its best trial learnt."""
    with figure_style():
        figure = paper_figure(85.0)
        left, right = figure.subplots(1, 2)
        _draw_lines(left, {name: (one["seconds"], one["reached"]) for name, one in values.items()}, step=True)
        curves = {name: one["best_curve"] for name, one in values.items()}
        _draw_lines(right, {name: (range(1, len(one) + 1), one) for name, one in curves.items()})
        ranking = sorted({one["monitor"] for one in values.values()})
        monitors = " or ".join(METRICS[name].label if name in METRICS else name for name in ranking)
        left.set(xlabel="training time of all trials [s]", ylabel=f"lowest {monitors} so far")
        right.set(xlabel="epoch", ylabel=monitors, title="the best trial of each")
        _legend(figure, left)
    return figure


def _draw_simulations(values: Mapping[str, Any]) -> Figure:
    """Draw the species that differ most from the first set, and the mean difference along the tracers."""
    pairs = values["pairs"]
    largest = {
        name: max(pair["by_species"].get(name, {"mean": 0.0})["mean"] for pair in pairs.values())
        for name in {name for pair in pairs.values() for name in pair["by_species"]}
    }
    differing = [name for name in largest if largest[name]]
    worst = sorted(differing, key=lambda name: (-largest[name], name))[:_SPECIES]
    with figure_style():
        figure = paper_figure(85.0)
        left, right = figure.subplots(1, 2, width_ratios=[2.2, 1.0])
        width = 0.8 / len(pairs)
        for number, (name, pair) in enumerate(pairs.items()):
            heights = [pair["by_species"].get(one, {"mean": 0.0})["mean"] for one in worst]
            place = np.arange(len(worst)) + (number - 0.5 * (len(pairs) - 1)) * width
            left.bar(place, heights, width, color=_LINES[number % len(_LINES)], label=name)
        left.set_xticks(np.arange(len(worst)), [typeset_species(name) for name in worst], rotation=90)
        left.set(ylabel=f"mean difference from\n{values['first']} [dex]", xlim=(-0.7, len(worst) - 0.3))
        _draw_lines(right, {name: tuple(pair["by_step"].values()) for name, pair in pairs.items()})
        right.set(xlabel="step", ylabel="mean over species [dex]", ylim=(0.0, None))
        right.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _legend(figure, left)
    return figure


def _draw_lines(
    axis: Axes, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], step: bool = False
) -> None:
    """Draw curves by name, the first ones on top and in colours of their own, the others in grey."""
    for place, (name, (x, y)) in reversed(list(enumerate(lines.items()))):
        own = place < len(_LINES)
        more = f"{len(lines) - len(_LINES)} others" if place == len(_LINES) else "_"
        axis.plot(
            x, y,
            color=_LINES[place] if own else _OTHERS,
            linewidth=1.2 if own else 0.6,
            marker="o" if len(y) == 1 else None,
            drawstyle="steps-post" if step else "default",
            label=name if own else more,
        )  # fmt: skip
    axis.grid()


def _legend(figure: Figure, axis: Axes) -> None:
    """Write the legend of a panel below all, in the order of the table."""
    handles, labels = axis.get_legend_handles_labels()
    if handles and not hasattr(handles[0], "patches"):
        handles, labels = handles[::-1], labels[::-1]
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
