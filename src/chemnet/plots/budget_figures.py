"""Figures of what forms and destroys a species: over time, and as a graph of its main routes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chemnet.chemistry.network.neighbourhood import relatives
from chemnet.chemistry.network.species_sums import TOTAL_ICE
from chemnet.chemistry.solver.species_budget import LAYERS, SpeciesBudget
from chemnet.figure_style import GREY, figure_style, paper_figure
from chemnet.plots.labels import ABUNDANCE, TIME, typeset_reaction, typeset_species
from chemnet.plots.network_graph import draw_arrow, draw_name

Array = NDArray[np.float64]

_DECADES = 4.0  # below the largest flux that are shown
_LEAST_SHARE = 0.01
_MOST_ROUTES = 10
_OWN_COLOURS = 8


def draw_budget(budget: SpeciesBudget, truth: SpeciesBudget | None = None, most: int = 8) -> Figure:
    """Draw the abundance of a species and the fluxes of its main reactions against time.

    Parameters
    ----------
    budget
        Along one tracer.
    truth
        The same of the true states, where those of `budget` are a surrogate's.
    most
        Reactions to draw on each side, at most; the dashed line is the sum of all.
    """
    with figure_style():
        # no layout engine: it would draw everything twice
        figure = paper_figure(150.0, layout=None)
        figure.subplots_adjust(left=0.1, right=0.66, top=0.94, bottom=0.07, hspace=0.12)
        top, middle, low = figure.subplots(3, 1, sharex=True, height_ratios=[2, 3, 3])
        time = budget.time / 1e3
        top.semilogy(time, budget.abundance, color="#000000", label="surrogate" if truth else None)
        if truth is not None:
            top.semilogy(time, truth.abundance, color=GREY, linestyle=":", label="truth")
            top.legend()
        top.set_ylabel(ABUNDANCE.replace(" ", "\n", 1))  # no panel is as high as the words are long
        _draw_fluxes(middle, time, budget, budget.formation, 1.0, most)
        _draw_fluxes(low, time, budget, budget.destruction, -1.0, most)
        middle.set_ylabel("formation\n[s$^{-1}$ per H nucleus]")
        low.set_ylabel("destruction\n[s$^{-1}$ per H nucleus]")
        low.set_xlabel(TIME)
        figure.suptitle(f"{typeset_species(budget.species)}: what forms and destroys it")
    return figure


def draw_routes(budget: SpeciesBudget) -> Figure:
    """Draw what a species is made from (left) and what it turns into (right), by share of the flux."""
    sources, sinks = _routes(budget, 0), _routes(budget, 1)
    rows = max(len(sources), len(sinks), 3)
    with figure_style():
        figure = paper_figure(32.0 + 8.0 * rows, layout=None)
        figure.subplots_adjust(left=0.01, right=0.99, top=0.9, bottom=0.01)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set(xlim=(-1.0, 1.0), ylim=(-0.08, 1.1))
        middle = draw_name(axes, 0.0, 0.5, budget.species, "center", size=11)
        for routes, side in ((sources, -1), (sinks, 1)):
            heights = np.linspace(0.93, 0.05, len(routes)) if len(routes) > 1 else [0.5] * len(routes)
            for (name, share), height in zip(routes, heights, strict=True):
                text = draw_name(axes, side * 0.55, height, name, "left" if side > 0 else "right")
                ends = (((1.0, 0.5), text), ((0.0, 0.5), middle))
                if side > 0:
                    ends = (((1.0, 0.5), middle), ((0.0, 0.5), text))
                draw_arrow(axes, *ends, 0.4 + 4.0 * share, bend=0.12 * side * float(np.sign(height - 0.5)))
                label, align = f"{100 * share:.0f} %", "left" if side > 0 else "right"
                axes.text(side * 0.82, height, label, ha=align, va="center")
        axes.text(-0.6, 1.03, "formation, share of the flux", ha="center")
        axes.text(0.6, 1.03, "destruction, share of the flux", ha="center")
        figure.suptitle(f"Main routes of {typeset_species(budget.species)}")
    return figure


def _draw_fluxes(
    axes: Axes, time: Array, budget: SpeciesBudget, total: Array, sign: float, most: int
) -> None:
    """Draw the largest fluxes of one sign, and the sum of all."""
    shares = budget.shares()[0 if sign > 0 else 1]
    largest = [i for i in np.argsort(-shares)[:most] if shares[i] > 0.0]
    equations = [_short(budget.reactions[i]) for i in largest]
    for number, i in enumerate(largest):
        values = np.where(sign * budget.fluxes[i] > 0.0, sign * budget.fluxes[i], np.nan)
        style = "-" if number < _OWN_COLOURS else "--"
        share = f"{100 * shares[i]:.0f} %" if shares[i] >= 0.005 else "< 1 %"
        kind = budget.reactions[i].removeprefix(equations[number])  # tells apart what reads the same
        same = kind if equations.count(equations[number]) > 1 else ""
        label = f"{typeset_reaction(equations[number])}{same}  {share}"
        axes.semilogy(time, values, style, color=f"C{number % _OWN_COLOURS}", label=label, linewidth=1.0)
    axes.semilogy(
        time, np.where(total > 0.0, total, np.nan), "--", color=GREY, linewidth=1.0, label="all reactions"
    )
    if total.max(initial=0.0) > 0.0:
        high = 10.0 ** np.ceil(np.log10(total.max()))
        axes.set_ylim(high * 10.0**-_DECADES, high)
    if largest:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.2)


def _routes(budget: SpeciesBudget, side: int) -> list[tuple[str, float]]:
    """Return (species, share) of the formation (side 0) or destruction (1), the largest first."""
    shares = budget.shares()[side]
    found: defaultdict[str, float] = defaultdict(float)
    for reaction, share in zip(budget.reactions, shares, strict=True):
        for name in _ends(reaction, side, budget.species):
            found[name] += share
    kept = sorted(found.items(), key=lambda one: -one[1])[:_MOST_ROUTES]
    return [(name, share) for name, share in kept if share >= _LEAST_SHARE]


def _ends(reaction: str, side: int, species: str) -> Sequence[str]:
    """Return the species on the other end of a reaction that share a heavy element with `species`."""
    formula = species.removeprefix(TOTAL_ICE)
    if reaction == LAYERS:
        return [f"@{formula[1:]}" if formula.startswith("#") else f"#{formula[1:]}"]
    names = _short(reaction).split(" -> ")[side].split(" + ")
    return relatives([name for name in names if name != "nothing"], formula)[:1]


def _short(reaction: str) -> str:
    """Return a reaction without its kind."""
    return reaction.rpartition(" (")[0] or reaction
