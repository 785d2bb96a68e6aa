"""Figures of a chemical network: its overview, and the graph around one species."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from chemnet.chemistry.network.neighbourhood import Neighbour, Neighbourhood
from chemnet.chemistry.network.species import parse_species
from chemnet.chemistry.network.survey import Survey
from chemnet.figure_style import figure_style, paper_figure
from chemnet.plots.labels import typeset_species

PHASE_COLOURS = {"gas": "#2b6cb0", "surface": "#c05621", "bulk": "#6b46c1"}
_GREY = "#4a5568"
_PARTNERS_SHOWN = 3
_ROW_HEIGHT = 7.5  # [mm]
# where names, and what is said of them, stand on either side of the middle
_NAME_PLACE, _WORDS_PLACE = 0.34, 0.54
# room around a name, in units of its font size
_BOX_PADDING = 0.25


def draw_neighbourhood(around: Neighbourhood, most: int = 14) -> Figure:
    """Draw what a species is made from (left) and what it turns into (right).

    Parameters
    ----------
    around
        The neighbourhood.
    most
        How many species to draw on each side; the rest is counted in a note.

    Returns
    -------
    Figure
        Lines are the thicker the more reactions they stand for; beside each species stand the number of
        reactions and what it reacts with.
    """
    rows = max(min(len(around.sources), most), min(len(around.sinks), most), 4)
    names = [around.species, *(one.name for one in (*around.sources[:most], *around.sinks[:most]))]
    with figure_style():
        figure = paper_figure(35.0 + _ROW_HEIGHT * rows)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_xlim(-1.0, 1.0)
        axes.set_ylim(-0.08, 1.06)
        middle = draw_name(axes, 0.0, 0.5, around.species, "center", size=11)
        for neighbours, side, words in (
            (around.sources, -1, f"made from  ({around.n_forming} reactions)"),
            (around.sinks, 1, f"turns into  ({around.n_destroying} reactions)"),
        ):
            _draw_side(axes, middle, neighbours[:most], side, len(neighbours) - most)
            axes.text(side * _WORDS_PLACE, 1.02, words, ha="center", va="bottom", color=_GREY)
        _draw_legend(axes, names)
        figure.suptitle(f"Reactions around {typeset_species(around.species)}")
    return figure


def draw_survey(survey: Survey) -> Figure:
    """Draw the number of reactions by kind, and the fraction that is valid at each temperature."""
    with figure_style():
        figure = paper_figure(30.0 + 4.0 * len(survey.kinds))
        left, right = figure.subplots(1, 2, width_ratios=[3, 2])
        bars = left.barh(list(survey.kinds), list(survey.kinds.values()), color=PHASE_COLOURS["gas"])
        left.bar_label(bars, padding=3, fontsize="small")
        left.invert_yaxis()
        left.set_xlabel("reactions")
        left.margins(x=0.12)
        temperatures = [float(temperature) for temperature in survey.coverage]
        right.semilogx(temperatures, [100 * share for share in survey.coverage.values()], "o-", color=_GREY)
        right.set_xlabel("temperature [K]")
        right.set_ylabel(f"valid, of {survey.limited} reactions with a range [%]")
        right.set_ylim(0, 105)
        figure.suptitle(f"{survey.name}: {survey.n_species} species, {survey.n_reactions} reactions")
    return figure


def plain_name(species: str) -> str:
    """Return a species as part of a file's name, without signs that shells dislike."""
    phase = {"#": "surface_", "@": "bulk_", "$": "ice_"}.get(species[:1], "")
    body = species[1:] if phase else species
    return phase + "".join(sign if sign.isalnum() or sign in "+-_" else "_" for sign in body)


def _draw_side(axes: Axes, middle: Text, neighbours: Sequence[Neighbour], side: int, left_out: int) -> None:
    """Draw one column of neighbours with the arrows that join them to the middle."""
    heights = np.linspace(0.93, 0.05, len(neighbours)) if len(neighbours) > 1 else [0.5]
    for one, height in zip(neighbours, heights, strict=False):
        width = 0.5 + 1.0 * np.log10(one.n_reactions)
        name = draw_name(axes, side * _NAME_PLACE, height, one.name, "left" if side > 0 else "right")
        edge, inner = ((1.0, 0.5), (0.0, 0.5)) if side < 0 else ((0.0, 0.5), (1.0, 0.5))
        # text boxes are coordinate systems, so that arrows end at them however long the names are
        (start, end) = ((inner, middle), (edge, name)) if side > 0 else ((edge, name), (inner, middle))
        draw_arrow(axes, start, end, width, bend=0.12 * side * np.sign(height - 0.5))
        align = "left" if side > 0 else "right"
        axes.text(
            side * _WORDS_PLACE, height, _with(one), ha=align, va="center", fontsize="small", color=_GREY
        )
    if left_out > 0:
        axes.text(side * _WORDS_PLACE, -0.05, f"and {left_out} more species", ha="center", color=_GREY)


def draw_arrow(
    axes: Axes,
    start: tuple[tuple[float, float], Text],
    end: tuple[tuple[float, float], Text],
    width: float,
    bend: float,
) -> None:
    """Join two texts, each given with the place in its box where the arrow begins or ends."""
    (away, first), (towards, second) = start, end
    axes.annotate(
        "",
        xy=towards,
        xycoords=second,
        xytext=away,
        textcoords=first,
        arrowprops={
            "arrowstyle": "-|>",
            "color": "#a0aec0",
            "linewidth": width,
            "shrinkA": _BOX_PADDING * float(first.get_fontsize()) + 1.0,
            "shrinkB": _BOX_PADDING * float(second.get_fontsize()) + 1.0,
            "connectionstyle": f"arc3,rad={bend}",
        },
        zorder=1,
    )


def _with(neighbour: Neighbour) -> str:
    """Return the note beside a neighbour: how many reactions, and with what."""
    shown = ", ".join(map(typeset_species, neighbour.partners[:_PARTNERS_SHOWN]))
    more = ", ..." if len(neighbour.partners) > _PARTNERS_SHOWN else ""
    return f"{neighbour.n_reactions} ×  {shown}{more}"


def draw_name(axes: Axes, x: float, y: float, name: str, align: str, size: float = 8) -> Text:
    """Write a species in the colour of its phase and return its text."""
    colour = _GREY if name.startswith("$") else PHASE_COLOURS[parse_species(name).phase]
    return axes.text(
        x,
        y,
        typeset_species(name),
        ha=align,
        va="center",
        fontsize=size,
        color=colour,
        bbox={
            "boxstyle": f"round,pad={_BOX_PADDING}",
            "facecolor": "white",
            "edgecolor": colour,
            "linewidth": 0.8,
        },
        zorder=3,
    )


def _draw_legend(axes: Axes, names: Sequence[str]) -> None:
    found = {parse_species(name).phase for name in names}
    handles = [
        Line2D([], [], color=colour, linewidth=3, label=phase)
        for phase, colour in PHASE_COLOURS.items()
        if phase in found
    ]
    axes.legend(handles=handles, loc="lower center", ncols=3, bbox_to_anchor=(0.5, -0.03))
