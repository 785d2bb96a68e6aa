"""The interactive page of an embedding: one HTML file that needs no server, or one that a server feeds.

The points are drawn by WebGL, a million of them as well as a thousand. Their columns travel in the page,
compressed, and are unpacked when they are first looked at; a page that is served asks for each as it is.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from chemnet.data.parameter_units import with_unit
from chemnet.errors import ConfigError
from chemnet.plots.figures import COLOUR_MAP, COLOURS, Shade
from chemnet.plots.labels import plain_species

#: below this an abundance has the darkest colour
ABUNDANCE_FLOOR = 1e-20
#: abundances of so many points and species together are unpacked at once, to say which are the largest
READABLE_VALUES = 20_000_000
#: stands for an abundance that is not known
MISSING = np.int16(-32768)
#: results that one map shows at most: more have no colours of their own
MOST_LAYERS = len(COLOURS)
_CENTIDEX = 100.0
#: what an abundance of none becomes
FLOOR = np.int16(round(_CENTIDEX * math.log10(ABUNDANCE_FLOOR)))
_LATENT_STEPS = 2**16 - 1
# scripts and styles of the page itself and nothing else; a page from a server may ask that server for numbers
_EMBEDDED_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src data:; "
    "img-src data: blob:"
)

Blocks = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class KnownPoints:
    """Known states that are not on the map, among which those nearest to a selected one are sought.

    Attributes
    ----------
    name
        Where they are from.
    total
        How many there are; M of them are here.
    latents
        ``(M, L)``.
    tracer, tracer_names
        Tracer of each, ``(M,)``, as an index into the names.
    step, time
        Index along the tracer and time [yr] of each, ``(M,)``.
    """

    name: str
    total: int
    latents: np.ndarray
    tracer: np.ndarray
    tracer_names: Sequence[str]
    step: np.ndarray
    time: np.ndarray


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
        are not known, `MISSING` where they are not.
    predicted
        The same as a surrogate predicts them, or None.
    layer, layer_names
        Result of each point, ``(N,)``, as an index into the names; no names: there is but one.
    latents
        ``(N, L)``, by which the states nearest to a selected one are found; None: they are not sought.
    known
        Further states among which they are sought; None: among the points of the first result.
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
    layer: NDArray[np.uint8] | None = None
    layer_names: Sequence[str] = ()
    latents: np.ndarray | None = None
    known: KnownPoints | None = None

    def __post_init__(self) -> None:
        if len(self.layer_names) > MOST_LAYERS:
            raise ConfigError(
                f"{len(self.layer_names)} results on one map; it tells {MOST_LAYERS} apart", hint="name fewer"
            )

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """What the points can be coloured by besides species: physical parameters, and time."""
        return {**self.physical, "time": self.time}


def centidex(abundance: np.ndarray) -> NDArray[np.int16]:
    """Return log10 of abundances in hundredths of a dex, any shape, cut off at `ABUNDANCE_FLOOR`."""
    return np.rint(_CENTIDEX * np.log10(np.clip(abundance, ABUNDANCE_FLOOR, 1.0))).astype(np.int16)


def embedding_page(data: PageData) -> str:
    """Return the page as HTML with every script, style and number inside."""
    meta, blocks = page_blocks(data)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_EMBEDDED_POLICY}">'
    packed = "\n".join(_block(name, values) for name, values in blocks.items())
    return _page(data, meta | {"served": False}, policy, packed, nonce="")


def served_page(data: PageData, meta: Mapping[str, Any], nonce: str) -> str:
    """Return the page as HTML without the numbers, which it asks its server for as ``block/<name>``.

    Parameters
    ----------
    data
        What is shown.
    meta
        As `page_blocks` gives it.
    nonce
        By which the server's policy lets the script and the style of this page run, and no other.
    """
    return _page(data, {**meta, "served": True}, "", "", f' nonce="{nonce}"')


def page_blocks(data: PageData) -> tuple[dict[str, Any], Blocks]:
    """Return what the script must know before it reads a number, and the numbers by name."""
    blocks: Blocks = {
        "place": _in_space(data.embedding),
        "vertex": _in_space(data.path),
        "tracer": data.tracer.astype(np.uint32),
        "step": data.step.astype(np.uint32),
    }
    described: list[dict[str, Any]] = []
    if len(data.layer_names) > 1 and data.layer is not None:
        described.append(_layers(data.layer_names) | {"id": "layer"})
        blocks["layer"] = data.layer.astype(np.uint8)
    for name, values in data.columns.items():
        described.append(_column(name, values) | {"id": f"c{len(described)}"})
        blocks[described[-1]["id"]] = np.asarray(values, np.float32)
    for label, abundance in (("", data.abundance), (" predicted", data.predicted)):
        for number, name in enumerate(data.species if abundance is not None else ()):
            values = abundance[:, number]  # type: ignore[index]
            described.append(_species(name, label, values) | {"id": f"c{len(described)}"})
            blocks[described[-1]["id"]] = _differences(values)
    return _meta(data, described) | {
        "latents": _add_latents(data, blocks),
        "known": _add_known(data, blocks),
    }, blocks


def _page(data: PageData, meta: Mapping[str, Any], policy: str, blocks: str, nonce: str) -> str:
    """Return the page with its words put in."""
    text = _text("page.html")
    for word, value in {
        "@STYLE@": _text("page.css"),
        "@TITLE@": escape(data.title),
        "@SUBTITLE@": escape(data.subtitle),
        "@CHOICES@": f"{len(meta['columns'])} columns",
        "@POLICY@": policy,
        "@NONCE@": nonce,
        "@META@": _as_json(meta),
        "@COLUMNS@": blocks,
        "@SCRIPT@": _text("page.js"),
    }.items():
        text = text.replace(word, value, -1 if word in ("@TITLE@", "@NONCE@") else 1)
    return text


def _meta(data: PageData, columns: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the script must know of points and columns."""
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
        "palette": [np.rint(255 * np.array(mpl.colors.to_rgb(one))).astype(int).tolist() for one in COLOURS],
        "layers": list(data.layer_names),
        "tracers": list(data.tracer_names),
        "offsets": np.asarray(data.offsets).tolist(),
        "columns": columns,
        "readable": READABLE_VALUES,
        "missing": int(MISSING),
        "floor": int(FLOOR),
    }


def _add_latents(data: PageData, blocks: Blocks) -> dict[str, Any] | None:
    """Add the latents in 65,536 steps between their extremes; return what a step is worth, for each."""
    if data.latents is None:
        return None
    tables = [data.latents, *([data.known.latents] if data.known is not None else [])]
    low = np.min([table.min(axis=0) for table in tables], axis=0)
    high = np.max([table.max(axis=0) for table in tables], axis=0)
    scale = np.maximum(high - low, 1e-30) / _LATENT_STEPS
    for name, table in zip(("latent", "knownlatent"), tables, strict=False):
        steps = np.rint((table - low) / scale).astype(np.uint16)
        blocks[name] = np.stack([_differences(column) for column in steps.T])
    return {"scale": scale.tolist()}


def _add_known(data: PageData, blocks: Blocks) -> dict[str, Any] | None:
    """Add further known states; return what they are."""
    known = data.known
    if known is None or data.latents is None:
        return None
    blocks["knowntracer"] = known.tracer.astype(np.uint32)
    blocks["knownstep"] = known.step.astype(np.uint32)
    blocks["knowntime"] = known.time.astype(np.float32)
    return {
        "name": known.name,
        "points": len(known.latents),
        "total": known.total,
        "tracers": list(known.tracer_names),
    }


def _differences(values: np.ndarray) -> np.ndarray:
    """Return whole numbers ``(n,)`` as differences from the one before, which pack well; sums wrap."""
    return np.diff(values, prepend=values.dtype.type(0)).astype(values.dtype)


def _in_space(places: np.ndarray) -> np.ndarray:
    """Return places ``(n, 3)`` float32; a plane lies at height 0."""
    space = np.zeros((len(places), 3), np.float32)
    space[:, : places.shape[1]] = places
    return space


def _layers(names: Sequence[str]) -> dict[str, Any]:
    """Return how the result that a point is from is turned into colours."""
    return {"name": "result", "label": "result", "species": False, "categories": list(names)}


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
    there = values[values != MISSING]
    if (
        there > FLOOR
    ).any():  # what is absent, as many species are at a tracer's start, does not stretch the scale
        there = there[there > FLOOR]
    low, high = np.quantile(there, (0.01, 0.99)) / _CENTIDEX if there.size else (0.0, 0.0)
    return {
        "name": name + suffix,
        "typeset": plain_species(name),
        "label": f"{plain_species(name)}{suffix} per H nucleus",
        "species": True,
        "predicted": bool(suffix),
        "low": float(low),
        "high": float(max(high, low + 0.1)),
    }


def _block(name: str, values: np.ndarray) -> str:
    """Return numbers as an element of the page that no browser runs: little-endian, gzip, base64."""
    packed = base64.b64encode(gzip.compress(little_endian(values), compresslevel=4, mtime=0)).decode("ascii")
    return f'<script type="application/octet-stream" id="{name}">{packed}</script>'


def little_endian(values: np.ndarray) -> bytes:
    """Return the bytes of numbers as browsers read them."""
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _as_json(values: Mapping[str, Any]) -> str:
    """Return JSON that may stand in an element: names cannot close it."""
    return json.dumps(values).replace("<", "\\u003c")


def _label(name: str) -> str:
    """Return a column's name and unit as a browser shows them."""
    return with_unit(name).replace("^-3", "⁻³").replace("^-1", "⁻¹").replace("^-2", "⁻²")


def _text(name: str) -> str:
    """Return the text of a file of this package."""
    return files("chemnet.plots").joinpath(name).read_text(encoding="utf-8")
