"""The interactive page of an embedding: one HTML file that needs no server and no network.

The points are drawn by WebGL, a million of them as well as a thousand; their columns travel in the page,
compressed, and are unpacked when they are first looked at.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from chemnet.data.parameter_units import with_unit
from chemnet.plots.figures import COLOUR_MAP, Shade

#: below this an abundance has the darkest colour
ABUNDANCE_FLOOR = 1e-20
#: abundances of so many points and species together are unpacked at once, to say which are the largest
READABLE_VALUES = 20_000_000
_CENTIDEX = 100.0


@dataclass(frozen=True, eq=False)
class PageData:
    """What the page shows: N points, and the paths of T tracers.

    Attributes
    ----------
    title, subtitle
        Above the plot.
    embedding
        Places of the points, ``(N, 2)`` or ``(N, 3)``.
    tracer, tracer_names
        Tracer of each point, ``(N,)``, as an index into the T names.
    step, time
        Index along the tracer and time [yr] of each point, ``(N,)``.
    physical
        Physical parameters of each point by name, raw units, ``(N,)`` each, and other columns.
    path, offsets
        Vertices of all paths ``(V, 2 or 3)``; tracer t owns ``offsets[t]:offsets[t + 1]``.
    species, abundance
        Names, and log10 abundances relative to H nuclei ``(N, S)`` as `centidex` gives them; empty when they
        are not known.
    predicted
        The same as a surrogate predicts them, or None.
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
    abundance: NDArray[np.int16] = field(default_factory=lambda: np.empty((0, 0), np.int16))
    predicted: NDArray[np.int16] | None = None

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """What the points can be coloured by besides species: physical parameters, and time."""
        return {**self.physical, "time": self.time}


def centidex(abundance: np.ndarray) -> NDArray[np.int16]:
    """Return log10 of abundances in hundredths of a dex, any shape, cut off at `ABUNDANCE_FLOOR`."""
    return np.rint(_CENTIDEX * np.log10(np.clip(abundance, ABUNDANCE_FLOOR, 1.0))).astype(np.int16)


def embedding_page(data: PageData) -> str:
    """Return the page as HTML with every script, style and number inside."""
    blocks: dict[str, np.ndarray] = {
        "place": _in_space(data.embedding),
        "vertex": _in_space(data.path),
        "tracer": data.tracer.astype(np.uint32),
        "step": data.step.astype(np.uint32),
    }
    described: list[dict[str, Any]] = []
    for name, values in data.columns.items():
        described.append(_column(name, values) | {"id": f"c{len(described)}"})
        blocks[described[-1]["id"]] = np.asarray(values, np.float32)
    for label, abundance in (("", data.abundance), (" predicted", data.predicted)):
        for number, name in enumerate(data.species if abundance is not None else ()):
            values = abundance[:, number]  # type: ignore[index]
            described.append(_species(name, label, values) | {"id": f"c{len(described)}"})
            blocks[described[-1]["id"]] = np.diff(values, prepend=np.int16(0)).astype(np.int16)
    text = _text("page.html")
    for word, value in {
        "@STYLE@": _text("page.css"),
        "@TITLE@": escape(data.title),
        "@SUBTITLE@": escape(data.subtitle),
        "@CHOICES@": f"{len(described)} columns",
        "@META@": _as_json(_meta(data, described)),
        "@COLUMNS@": "\n".join(_block(name, values) for name, values in blocks.items()),
        "@SCRIPT@": _text("page.js"),
    }.items():
        text = text.replace(word, value, 1 if word != "@TITLE@" else -1)
    return text


def _meta(data: PageData, columns: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the script must know before it reads a number."""
    low, high = data.embedding.min(axis=0), data.embedding.max(axis=0)
    span = np.maximum(high - low, 1e-6)
    centre = np.zeros(3)
    centre[: len(low)] = 0.5 * (low + high)
    colours = mpl.colormaps[COLOUR_MAP](np.linspace(0.0, 1.0, 256))[:, :3]
    return {
        "points": len(data.embedding),
        "dimensions": data.embedding.shape[1],
        "centre": centre.tolist(),
        "extent": span[:2].tolist(),
        "radius": float(0.5 * np.linalg.norm(span)),
        "ramp": np.rint(255 * colours).astype(int).tolist(),
        "tracers": list(data.tracer_names),
        "offsets": np.asarray(data.offsets).tolist(),
        "columns": columns,
        "readable": READABLE_VALUES,
    }


def _in_space(places: np.ndarray) -> np.ndarray:
    """Return places ``(n, 3)`` float32; a plane lies at height 0."""
    space = np.zeros((len(places), 3), np.float32)
    space[:, : places.shape[1]] = places
    return space


def _column(name: str, values: np.ndarray) -> dict[str, Any]:
    """Return how a physical parameter, the time or an error is turned into colours."""
    shade = Shade.of(values)
    low, high = np.log10([shade.low, shade.high]) if shade.logarithmic else (shade.low, shade.high)
    return {
        "name": name,
        "label": _label(name),
        "species": False,
        "logarithmic": shade.logarithmic,
        "least": shade.low,
        "low": float(low),
        "high": float(high),
    }


def _species(name: str, suffix: str, values: NDArray[np.int16]) -> dict[str, Any]:
    """Return how a species is turned into colours: by its logarithm, over the range that it really has."""
    low, high = np.quantile(values, (0.01, 0.99)) / _CENTIDEX
    return {
        "name": name + suffix,
        "label": f"{name}{suffix} per H nucleus",
        "species": True,
        "predicted": bool(suffix),
        "low": float(low),
        "high": float(max(high, low + 0.1)),
    }


def _block(name: str, values: np.ndarray) -> str:
    """Return numbers as an element of the page that no browser runs: little-endian, gzip, base64."""
    raw = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    packed = base64.b64encode(gzip.compress(raw, compresslevel=4, mtime=0)).decode("ascii")
    return f'<script type="application/octet-stream" id="{name}">{packed}</script>'


def _as_json(values: dict[str, Any]) -> str:
    """Return JSON that may stand in an element: names cannot close it."""
    return json.dumps(values).replace("<", "\\u003c")


def _label(name: str) -> str:
    """Return a column's name and unit as a browser shows them."""
    return with_unit(name).replace("^-3", "⁻³").replace("^-1", "⁻¹").replace("^-2", "⁻²")


def _text(name: str) -> str:
    """Return the text of a file of this package."""
    return files("chemnet.plots").joinpath(name).read_text(encoding="utf-8")
