"""The interactive page of an embedding: one HTML file that needs no server and no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import (
    ColorBar,
    ColumnDataSource,
    CustomJS,
    Div,
    HoverTool,
    InlineStyleSheet,
    LinearColorMapper,
    Select,
    TapTool,
    UIElement,
)
from bokeh.plotting import figure
from bokeh.resources import INLINE

from chemnet.data.parameter_units import with_unit
from chemnet.plots.figures import Shade

#: below this an abundance has the darkest colour
ABUNDANCE_FLOOR = 1e-20
_PALETTE = "Viridis256"
_ACCENT = "#D55E00"
_HELP = (
    "<p>Each point is a state of one tracer; states that are chemically alike lie close together.</p>"
    "<p><b>Hover</b> to read a state, <b>click</b> to draw its tracer's path from start (circle) to end "
    "(square), <b>drag</b> and <b>scroll</b> to move about.</p>"
)


@dataclass(frozen=True, eq=False)
class PageData:
    """What the page shows: N points, and the paths of T tracers.

    Attributes
    ----------
    title, subtitle
        Above the plot.
    embedding
        Places of the points, ``(N, 2)``.
    tracer, tracer_names
        Tracer of each point, ``(N,)``, as an index into the T names.
    step, time
        Index along the tracer and time [yr] of each point, ``(N,)``.
    physical
        Physical parameters of each point by name, raw units, ``(N,)`` each.
    path, offsets
        Vertices of all paths ``(V, 2)``; tracer t owns ``offsets[t]:offsets[t + 1]``.
    species, abundance
        Names, and abundances relative to H nuclei ``(N, S)``; empty when they are not known.
    """

    title: str
    subtitle: str
    embedding: np.ndarray
    tracer: np.ndarray
    tracer_names: Sequence[str]
    step: np.ndarray
    time: np.ndarray
    physical: Mapping[str, np.ndarray]
    path: np.ndarray
    offsets: np.ndarray
    species: Sequence[str] = ()
    abundance: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Physical parameters and time by name: what the points can be coloured by besides species."""
        return {**self.physical, "time": self.time}


def embedding_page(data: PageData) -> str:
    """Return the page as HTML with every script and style inline."""
    style = InlineStyleSheet(css=_text("page.css"))
    choices = {name: _column_choice(name, values) for name, values in data.columns.items()}
    for number, name in enumerate(data.species):
        choices[name] = _species_choice(number, name, data.abundance[:, number])
    first = choices[next(iter(choices))]
    points = _points(data, first)
    packed = {f"s{number}": _packed(data.abundance[:, number]) for number in range(len(data.species))}
    shared = {"points": points, "species": ColumnDataSource(packed), "choices": choices}
    mapper = LinearColorMapper(_PALETTE, low=first["low"], high=first["high"])
    plot = _cloud(points, mapper, list(data.columns))
    plot.title.text = first["label"]
    select = _select(data)
    colour = _script("page_colour.js", select=select, mapper=mapper, title=plot.title, **shared)
    select.js_on_change("value", colour)
    card = Div(text=_HELP, tags=[_HELP], name="card", stylesheets=[style], sizing_mode="stretch_width")
    _draw_path_on_tap(plot, data, card, shared)
    heading = Div(text=f"<h1>{escape(data.title)}</h1><p>{escape(data.subtitle)}</p>", stylesheets=[style])
    return file_html(_layout(heading, plot, select, card), INLINE, data.title)


def _layout(heading: UIElement, plot: UIElement, select: UIElement, card: UIElement) -> UIElement:
    side = column(select, card, width=280, margin=(0, 0, 0, 18), sizing_mode="stretch_height")
    body = row(plot, side, sizing_mode="stretch_both")
    styles = {"padding": "18px", "box-sizing": "border-box"}
    return column(heading, body, sizing_mode="stretch_both", styles=styles)


def _select(data: PageData) -> Select:
    """Return the choice of what the points are coloured by."""
    groups: dict[str, Any] = {"physical": list(data.columns)}
    if data.species:
        groups["species"] = list(data.species)
    return Select(
        title="colour by",
        value=next(iter(data.columns)),
        options=groups,
        name="colour_by",
        sizing_mode="stretch_width",
    )


def _points(data: PageData, choice: dict[str, Any]) -> ColumnDataSource:
    """Return the columns of the points; `colour` is what they are coloured by just now."""
    values = np.asarray(data.columns[choice["column"]], dtype=np.float64)
    colour = np.log10(np.maximum(values, choice["least"])) if choice["logarithmic"] else values
    content = {
        "x": data.embedding[:, 0].astype(np.float32),
        "y": data.embedding[:, 1].astype(np.float32),
        "colour": colour.astype(np.float32),
        "tracer": data.tracer.astype(np.int32),
        "name": np.asarray(data.tracer_names, dtype=object)[data.tracer].tolist(),
        "step": data.step.astype(np.int32),
        **{name: np.asarray(values, dtype=np.float32) for name, values in data.columns.items()},
    }
    return ColumnDataSource(content, name="points")


def _column_choice(name: str, values: np.ndarray) -> dict[str, Any]:
    """Return how a physical parameter or the time is turned into colours."""
    shade = Shade.of(values)
    low, high = np.log10([shade.low, shade.high]) if shade.logarithmic else (shade.low, shade.high)
    return {
        "column": name,
        "species": False,
        "logarithmic": shade.logarithmic,
        "least": shade.low,
        "low": float(low),
        "high": float(high),
        "label": f"log₁₀ {_label(name)}" if shade.logarithmic else _label(name),
    }


def _species_choice(number: int, name: str, abundance: np.ndarray) -> dict[str, Any]:
    """Return how a species is turned into colours: by its logarithm, over the range that it really has."""
    low, high = np.log10(np.clip(np.quantile(abundance, (0.01, 0.99)), ABUNDANCE_FLOOR, 1.0))
    return {
        "column": f"s{number}",
        "species": True,
        "floor": float(np.log10(ABUNDANCE_FLOOR)),
        "low": float(low),
        "high": float(max(high, low + 0.1)),
        "label": f"log₁₀ n({name}) / n(H nuclei)",
    }


def _packed(abundance: np.ndarray) -> np.ndarray:
    """Return log abundances as one byte each, in steps of 0.08 dex: as many as the palette has colours."""
    decades = -np.log10(ABUNDANCE_FLOOR)
    scaled = 1.0 + np.log10(np.clip(abundance, ABUNDANCE_FLOOR, 1.0)) / decades
    return np.rint(255.0 * scaled).astype(np.uint8)


def _cloud(points: ColumnDataSource, mapper: LinearColorMapper, names: Sequence[str]) -> Any:
    plot = figure(
        tools="pan,wheel_zoom,box_zoom,reset,save",
        active_scroll="wheel_zoom",
        x_axis_label="component 1",
        y_axis_label="component 2",
        sizing_mode="stretch_both",
        output_backend="webgl",
        name="plot",
    )
    # fewer points, larger points
    size = float(np.clip(600.0 / np.sqrt(max(len(points.data["x"]), 1)), 3.0, 9.0))
    cloud = plot.scatter(
        "x",
        "y",
        source=points,
        size=size,
        line_color=None,
        fill_color={"field": "colour", "transform": mapper},
        fill_alpha=0.85,
        nonselection_fill_alpha=0.18,
        selection_fill_alpha=1.0,
    )
    tooltips = [("tracer", "@name"), ("step", "@step")]
    tooltips += [(_label(name), f"@{{{name}}}{{%.4g}}") for name in names]
    formatters = {f"@{{{name}}}": "printf" for name in names}
    plot.add_tools(HoverTool(renderers=[cloud], tooltips=tooltips, formatters=formatters, limit=1))
    plot.add_tools(TapTool(renderers=[cloud]))
    plot.add_layout(ColorBar(color_mapper=mapper, width=12), "right")
    _undress(plot)
    return plot


def _draw_path_on_tap(plot: Any, data: PageData, card: Div, shared: dict[str, Any]) -> None:
    """Let a tap on a point draw its tracer's path and write its card."""
    line = ColumnDataSource({"x": [], "y": []}, name="path")
    ends = ColumnDataSource({"x": [], "y": [], "marker": []})
    plot.line("x", "y", source=line, line_color=_ACCENT, line_width=2, line_alpha=0.85)
    style = {"size": 11, "fill_color": "white", "line_color": _ACCENT, "line_width": 2.5}
    plot.scatter("x", "y", source=ends, marker="marker", **style)
    vertices = data.path.astype(np.float32)
    script = _script(
        "page_path.js",
        paths=ColumnDataSource({"x": vertices[:, 0], "y": vertices[:, 1]}),
        offsets=np.asarray(data.offsets).tolist(),
        line=line,
        ends=ends,
        card=card,
        fields=[[name, _label(name)] for name in data.columns],
        **shared,
    )
    shared["points"].selected.js_on_change("indices", script)


def _undress(plot: Any) -> None:
    """Take away what draws the eye from the points."""
    plot.title.align = "right"
    plot.title.text_font_style = "normal"
    plot.toolbar.logo = None
    plot.outline_line_color = None
    plot.grid.grid_line_color = "#eaeef2"
    plot.axis.axis_line_color = "#8c959f"
    plot.axis.major_tick_line_color = "#8c959f"
    plot.axis.minor_tick_line_color = None
    plot.axis.axis_label_text_font_style = "normal"


def _label(name: str) -> str:
    """Return a column's name and unit as a browser shows them."""
    return with_unit(name).replace("^-3", "⁻³").replace("^-1", "⁻¹")


def _script(name: str, **args: Any) -> CustomJS:
    """Return one of the page's scripts with the models that it works on."""
    return CustomJS(args=args, code=_text(name))


def _text(name: str) -> str:
    """Return the text of a file of this package."""
    return files("chemnet.plots").joinpath(name).read_text(encoding="utf-8")
