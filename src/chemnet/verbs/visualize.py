"""`chemnet visualize`: an interactive page of a reduced latent space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, DataError, ResultsError
from chemnet.progress import get_logger
from chemnet.registry import chem_verb
from chemnet.results import ResultWriter, VerbResult, resolve_input
from chemnet.verbs.umap import sample_rows
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from chemnet.data.infer_result.inference_dataset import InferenceDataset
    from chemnet.plots.embedding_page import PageData
    from chemnet.verbs.umap import UmapResult

_ROWS_AT_ONCE = 2**15
_FLOOR = 1e-20
#: vertices of all paths together, per point that is shown
_PATH_BUDGET = 10
#: a path keeps at least this many vertices
_SHORTEST_PATH = 8
_log = get_logger(__name__)


class VisualizeResult(VerbResult):
    """An interactive page; open `page` in a browser."""

    verb = "visualize"

    @property
    def page(self) -> Path:
        """The page: one self-contained HTML file."""
        return self.directory.file("page.html")

    def plot(self) -> Figure:
        """Return the embedding of the page as a static figure."""
        from chemnet.verbs.umap import UmapResult

        return UmapResult(self.directory.parent("umap")).plot()

    def _repr_html_(self) -> str:
        from html import escape

        page = escape(self.page.read_text(encoding="utf-8"), quote=True)
        return f'<iframe srcdoc="{page}" width="100%" height="640" style="border:0"></iframe>'


@chem_verb
class Visualize(Verb[VisualizeResult]):
    """Make an interactive page of a reduced latent space."""

    cli_name = "visualize"
    description = "make an interactive page of a reduced latent space"
    inputs: ClassVar = {"visualize.umap_dir": "umap"}
    examples = ("chemnet visualize",)

    def run(self, umap_dir: str | Path | None = None) -> VisualizeResult:
        """Write the page of an embedding.

        Parameters
        ----------
        umap_dir
            The umap result; wins over ``visualize.umap_dir``.

        Raises
        ------
        ConfigError
            When ``visualize.species`` names a species that the data does not have.
        """
        config = self.with_arguments("visualize", {"umap_dir": umap_dir})
        umap = resolve_input(config, "visualize.umap_dir", "umap")
        from chemnet.plots.embedding_page import embedding_page
        from chemnet.verbs.umap import UmapResult

        config = config.replace({"visualize.umap_dir": str(umap.path)})
        data = page_data(UmapResult(umap), config)
        with ResultWriter(config, verb=self.cli_name, parents={"umap": umap}) as writer:
            html = embedding_page(data)
            (writer.path / "page.html").write_text(html, encoding="utf-8")
            writer.summary.update(
                page="page.html",
                points=len(data.embedding),
                tracers=len(data.tracer_names),
                species=len(data.species),
                megabytes=len(html) / 1e6,
            )
        return VisualizeResult(writer.result)


def page_data(umap: UmapResult, config: ConfigDict) -> PageData:
    """Choose what the page shows: a sample of too many points, and the paths of all their tracers."""
    import numpy as np

    from chemnet.plots.embedding_page import PageData

    states, table = umap.states, config["visualize"]
    rows = sample_rows(len(states), table["max_points"], config["general"]["seed"])
    known = states.rows[rows]
    shown, tracer = np.unique(known["tracer"], return_inverse=True)
    vertices, offsets = _paths(states, shown, _PATH_BUDGET * table["max_points"])
    species = _species_on_page(states, table["species"], len(rows))
    chemistry = _Chemistry.read(states, rows, species)
    counted = f"{len(rows):,} of {len(states):,}" if len(rows) < len(states) else f"{len(rows):,}"
    reduced = f"{umap.summary['reducer']} of {states.latent_dim} latents"
    return PageData(
        title=table["title"] or _title(umap),
        subtitle=f"{counted} states of {len(shown):,} tracers, {reduced}",
        embedding=np.asarray(umap.embedding[rows]),
        tracer=tracer,
        tracer_names=[states.tracer_ids[number] for number in shown],
        step=known["step"],
        time=known["time"],
        physical={name: known[name] for name in states.physical_names} | chemistry.errors,
        path=np.asarray(umap.embedding[vertices]),
        offsets=offsets,
        species=species if len(chemistry.true) else (),
        abundance=chemistry.true,
        predicted=chemistry.predicted,
    )


def _paths(states: InferenceDataset, tracers: np.ndarray, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of each tracer's path by step, thinned to about `budget` in all, and their offsets."""
    import numpy as np

    tracer, step = np.asarray(states.rows["tracer"]), np.asarray(states.rows["step"])
    order = np.lexsort((step, tracer))
    first = np.searchsorted(tracer[order], tracers, side="left")
    last = np.searchsorted(tracer[order], tracers, side="right")
    most = max(_SHORTEST_PATH, budget // len(tracers))
    pieces = [order[_thinned(start, stop, most)] for start, stop in zip(first, last, strict=True)]
    return np.concatenate(pieces), np.cumsum([0, *map(len, pieces)])


def _thinned(start: int, stop: int, most: int) -> np.ndarray:
    """Return at most `most` evenly spread positions in ``start:stop``, both ends among them."""
    import numpy as np

    return np.unique(np.linspace(start, stop - 1, min(most, stop - start)).round().astype(np.int64))


def _title(umap: UmapResult) -> str:
    """Return which model, data and result the page shows."""
    infer = umap.directory.parent("infer")
    model = infer.component or umap.states.path.name
    data = infer.parents["preprocess"].path.name if "preprocess" in infer.parents else infer.name
    return f"{model}: latents of {data}, {umap.path.name}"


def _species_on_page(states: InferenceDataset, wanted: list[str], points: int) -> list[str]:
    """Return the species to colour by: those wanted, else all, or the well-known where all are too many.

    Raises
    ------
    ConfigError
        The data have no such species.
    """
    from chemnet.chemistry.network.species_sums import positions_of
    from chemnet.plots.embedding_page import READABLE_VALUES
    from chemnet.plots.tracer_figures import SPECIES_SHOWN

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


@dataclass(frozen=True, eq=False)
class _Chemistry:
    """Abundances of the points, true and predicted, and how far these are apart.

    Attributes
    ----------
    true, predicted
        ``(points, species)`` in hundredths of a dex; `true` is empty where the truth is gone.
    errors
        The error of each state [dex], by the name of its column; empty where nothing is predicted.
    """

    true: NDArray[np.int16]
    predicted: NDArray[np.int16] | None
    errors: dict[str, NDArray[np.float32]]

    @classmethod
    def read(cls, states: InferenceDataset, rows: np.ndarray, species: list[str]) -> _Chemistry:
        """Read block by block: the abundances of a million states do not fit into memory."""
        import numpy as np

        from chemnet.chemistry.network.species_sums import summed_abundances
        from chemnet.plots.embedding_page import centidex

        field = next((name for name in ("abundance", "reconstruction") if name in states.fields), None)
        true = np.empty((len(rows), len(species)), np.int16)
        predicted = np.empty_like(true) if field else None
        error = np.empty(len(rows), np.float32)
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            part = slice(first, first + _ROWS_AT_ONCE)
            try:
                truth = states.truth(rows[part])
            except ResultsError as gone:
                _log.warning("the page has no species to colour by: %s", gone.message)
                return cls(np.empty((0, 0), np.int16), None, {})
            true[part] = centidex(summed_abundances(truth, species, states.species))
            if field and predicted is not None:
                given = states.take(field, rows[part]).astype(np.float64)
                predicted[part] = centidex(summed_abundances(given, species, states.species))
                apart = np.log10(np.maximum(given, _FLOOR)) - np.log10(np.maximum(truth, _FLOOR))
                error[part] = np.abs(apart).mean(axis=1)
        return cls(true, predicted, {"error": error} if field else {})
