"""Choosing what a page of the latent space shows: a sample of each layer's states, and whole paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.species_sums import positions_of, summed_abundances
from chemnet.data.infer_result.inference_dataset import InferenceDataset
from chemnet.errors import ConfigError, DataError, ResultsError
from chemnet.plots.embedding_page import MISSING, READABLE_VALUES, KnownPoints, PageData, centidex
from chemnet.plots.tracer_figures import SPECIES_SHOWN
from chemnet.progress import get_logger
from chemnet.search.known_states import KnownStates
from chemnet.search.reducers import sample_rows

_ROWS_AT_ONCE = 2**15
_FLOOR = 1e-20
# vertices of all paths together, per point that is shown
_PATH_BUDGET = 10
# a path keeps at least this many vertices
_SHORTEST_PATH = 8
_log = get_logger(__name__)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """States that are shown on one map.

    Attributes
    ----------
    name
        What the legend calls them.
    states
        The states.
    place
        Returns their places on the map, ``(n, 2)`` or ``(n, 3)``, of their rows ``(n,)``.
    """

    name: str
    states: InferenceDataset
    place: Callable[[Rows], NDArray[np.float32]]


@dataclass(frozen=True)
class Wanted:
    """What the configuration says of a page.

    Attributes
    ----------
    title
        Above the page.
    reduced
        How the map was made, in words.
    max_points
        Largest number of points.
    species
        Names to colour by; none: all, or the well-known ones.
    seed
        Of the samples.
    """

    title: str
    reduced: str
    max_points: int
    species: Sequence[str]
    seed: int


def page_of(layers: Sequence[Layer], wanted: Wanted, known: KnownStates | None = None) -> PageData:
    """Return what the page shows of some layers, the map's own states first.

    Parameters
    ----------
    layers
        States on one map.
    wanted
        What the configuration says.
    known
        A database, among whose states those nearest to a selected one are sought; None: the first layer's.

    Raises
    ------
    ConfigError
        The data have no species of a name that is asked for.
    """
    counts = shares([len(layer.states) for layer in layers], wanted.max_points)
    rows = [
        sample_rows(len(one.states), count, wanted.seed) for one, count in zip(layers, counts, strict=True)
    ]
    species = _species_on_page(layers[0].states, wanted.species, sum(map(len, rows)))
    parts = [_part(layer, some, species) for layer, some in zip(layers, rows, strict=True)]
    predicted = any((one.predicted != MISSING).any() for one in parts)
    # what no layer knows is no column
    told = predicted or any((one.true != MISSING).any() for one in parts)
    first_tracer = np.cumsum([0, *(len(one.names) for one in parts)])
    first_vertex = np.cumsum([0, *(len(one.path) for one in parts)])
    joined = _shared_columns(layers, [one.known for one in parts])
    if predicted:
        joined["error"] = np.concatenate([one.error for one in parts])
    return PageData(
        title=wanted.title,
        subtitle=_subtitle(layers, parts, wanted.reduced),
        embedding=np.concatenate([one.embedding for one in parts]),
        tracer=np.concatenate([one.tracer + first for one, first in zip(parts, first_tracer, strict=False)]),
        tracer_names=[name for one in parts for name in one.names],
        step=np.concatenate([one.known["step"] for one in parts]),
        time=np.concatenate([one.known["time"] for one in parts]),
        physical=joined,
        path=np.concatenate([one.path for one in parts]),
        offsets=np.concatenate(
            [[0], *(one.offsets[1:] + first for one, first in zip(parts, first_vertex, strict=False))]
        ),
        species=species if told else (),
        abundance=np.concatenate([one.true for one in parts]) if told else np.empty((0, 0), np.int16),
        predicted=np.concatenate([one.predicted for one in parts]) if predicted else None,
        layer=np.repeat(np.arange(len(parts)), [len(one.embedding) for one in parts]).astype(np.uint8),
        layer_names=[layer.name for layer in layers],
        latents=np.concatenate([one.latents for one in parts]),
        known=None if known is None else _known_points(known, wanted),
    )


def shares(sizes: Sequence[int], most: int) -> list[int]:
    """Return how many of each are shown: as many of one as of another, as far as there are so many.

    Examples
    --------
    >>> shares([1000, 30], 100), shares([1000, 1000], 100), shares([5, 5], 100)
    ([70, 30], [50, 50], [5, 5])
    """
    counts, left = [0] * len(sizes), most
    for place, number in enumerate(sorted(range(len(sizes)), key=lambda one: sizes[one])):
        counts[number] = min(sizes[number], max(1, left // (len(sizes) - place)))
        left -= counts[number]
    return counts


@dataclass(frozen=True, eq=False)
class _Part:
    """What the page shows of one layer; see `PageData`.

    `known` holds rows of the infer result; `true` and `predicted` are ``(points, species)``; `error` is NaN
    where nothing is predicted.
    """

    embedding: NDArray[np.float32]
    latents: NDArray[np.float32]
    tracer: Rows
    names: list[str]
    known: np.ndarray
    path: NDArray[np.float32]
    offsets: Rows
    true: NDArray[np.int16]
    predicted: NDArray[np.int16]
    error: NDArray[np.float32]


def _part(layer: Layer, rows: Rows, species: Sequence[str]) -> _Part:
    states = layer.states
    known = np.asarray(states.rows[rows])
    shown, tracer = np.unique(known["tracer"], return_inverse=True)
    vertices, offsets = _paths(states, shown, _PATH_BUDGET * len(rows))
    needed, places = np.unique(np.concatenate([rows, vertices]), return_inverse=True)
    placed = np.asarray(layer.place(needed))[places]
    latents = states.take("tensor", rows)
    states.check_finite(latents, rows)
    return _Part(
        placed[: len(rows)], latents, tracer, [states.tracer_ids[number] for number in shown], known,
        placed[len(rows) :], offsets, *_chemistry(states, rows, species),
    )  # fmt: skip


def _paths(states: InferenceDataset, tracers: Rows, budget: int) -> tuple[Rows, Rows]:
    """Return the rows of each tracer's path by step, thinned to about `budget` in all, and their offsets."""
    tracer, step = np.asarray(states.rows["tracer"]), np.asarray(states.rows["step"])
    order = np.lexsort((step, tracer))
    first = np.searchsorted(tracer[order], tracers, side="left")
    last = np.searchsorted(tracer[order], tracers, side="right")
    most = max(_SHORTEST_PATH, budget // len(tracers))
    pieces = [order[_thinned(start, stop, most)] for start, stop in zip(first, last, strict=True)]
    return np.concatenate(pieces), np.cumsum([0, *map(len, pieces)])


def _thinned(start: int, stop: int, most: int) -> Rows:
    """Return at most `most` evenly spread positions in ``start:stop``, both ends among them."""
    return np.unique(np.linspace(start, stop - 1, min(most, stop - start)).round().astype(np.int64))


def _chemistry(
    states: InferenceDataset, rows: Rows, species: Sequence[str]
) -> tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.float32]]:
    """Return true and predicted abundances as `centidex` gives them, and the error of each state [dex].

    Block by block: the abundances of a million states do not fit into memory.
    """
    field = next((name for name in ("abundance", "reconstruction") if name in states.fields), None)
    true = np.full((len(rows), len(species)), MISSING, np.int16)
    predicted, error = true.copy(), np.full(len(rows), np.nan, np.float32)
    there = True
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        try:
            truth = states.truth(rows[part]) if there else None
        except ResultsError as gone:
            _log.warning("no true abundances of %s: %s", states.path.name, gone.message)
            truth, there = None, False
        if truth is not None:
            true[part] = centidex(summed_abundances(truth, species, states.species))
        if field:
            given = states.take(field, rows[part]).astype(np.float64)
            predicted[part] = centidex(summed_abundances(given, species, states.species))
            if truth is not None:
                apart = np.log10(np.maximum(given, _FLOOR)) - np.log10(np.maximum(truth, _FLOOR))
                error[part] = np.abs(apart).mean(axis=1)
    return true, predicted, error


def _species_on_page(states: InferenceDataset, wanted: Sequence[str], points: int) -> list[str]:
    """Return the species to colour by: those wanted, else all, or the well-known where all are too many."""
    for name in wanted:
        try:
            positions_of(name, states.species)
        except DataError as error:
            raise ConfigError(f"visualize.species: no species is called {name!r}", hint=error.hint) from error
    if wanted or points * len(states.species) <= READABLE_VALUES:
        return list(wanted or states.species)
    chosen = [name for name in SPECIES_SHOWN if name in states.species] or list(states.species[:8])
    _log.info(
        "visualize.species: the page of %d points has %s; all %d would be too many, name others there",
        points, ", ".join(chosen), len(states.species),
    )  # fmt: skip
    return chosen


def _shared_columns(layers: Sequence[Layer], known: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the physical parameters that all layers have, and say which they do not."""
    names = [layer.states.physical_names for layer in layers]
    shared = [name for name in names[0] if all(name in one for one in names)]
    lost = sorted({name for one in names for name in one} - set(shared))
    if lost:
        _log.warning("the page leaves out %s, which not all of its results have", ", ".join(lost))
    return {name: np.concatenate([one[name] for one in known]) for name in shared}


def _subtitle(layers: Sequence[Layer], parts: Sequence[_Part], reduced: str) -> str:
    counts = []
    for layer, part in zip(layers, parts, strict=True):
        shown, there = len(part.embedding), len(layer.states)
        counted = f"{shown:,} of {there:,}" if shown < there else f"{shown:,}"
        of = f"{layer.name}: " if len(layers) > 1 else ""
        counts.append(f"{of}{counted} states of {len(part.names):,} tracers")
    return f"{'; '.join(counts)}; {reduced}" if len(layers) > 1 else f"{counts[0]}, {reduced}"


def _known_points(known: KnownStates, wanted: Wanted) -> KnownPoints:
    """Return the states of a database among which the nearest are sought: a sample of too many."""
    rows = sample_rows(len(known), wanted.max_points, wanted.seed)
    facts = np.asarray(known.rows[rows])
    return KnownPoints(
        name=known.path.name,
        total=len(known),
        latents=np.asarray(known.vectors[rows]),
        tracer=facts["tracer"],
        tracer_names=known.tracer_ids,
        step=facts["step"],
        time=facts["time"],
    )
