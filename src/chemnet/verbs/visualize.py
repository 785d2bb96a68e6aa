"""`chemnet visualize`: an interactive page of a reduced latent space."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, DataError, ResultsError
from chemnet.extras import require
from chemnet.progress import get_logger
from chemnet.registry import chem_verb
from chemnet.results import ResultWriter, VerbResult, resolve_input
from chemnet.verbs.umap import sample_rows
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from chemnet.data.inference.inference_dataset import InferenceDataset
    from chemnet.plots.pages import PageData
    from chemnet.verbs.umap import UmapResult

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
        require("bokeh", "`chemnet visualize`")
        umap = resolve_input(config, "visualize.umap_dir", "umap")
        from chemnet.plots.pages import embedding_page
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

    from chemnet.plots.pages import PageData

    states, table = umap.states, config["visualize"]
    rows = sample_rows(len(states), table["max_points"], config["general"]["seed"])
    known = states.rows[rows]
    shown, tracer = np.unique(known["tracer"], return_inverse=True)
    vertices, offsets = _paths(states, shown, _PATH_BUDGET * table["max_points"])
    species, abundance = _abundances(states, rows, table["species"])
    counted = f"{len(rows):,} of {len(states):,}" if len(rows) < len(states) else f"{len(rows):,}"
    reduced = f"{umap.summary['reducer']} of {states.latent_dim} latents"
    return PageData(
        title=table["title"],
        subtitle=f"{counted} states of {len(shown):,} tracers, {reduced}",
        embedding=umap.embedding[rows, :2],
        tracer=tracer,
        tracer_names=[states.tracer_ids[number] for number in shown],
        step=known["step"],
        time=known["time"],
        physical={name: known[name] for name in states.physical_names},
        path=umap.embedding[vertices, :2],
        offsets=offsets,
        species=species,
        abundance=abundance,
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


def _abundances(
    states: InferenceDataset, rows: np.ndarray, wanted: list[str]
) -> tuple[list[str], np.ndarray]:
    """Return the species to colour by and their abundances ``(rows, species)``; none when they are gone."""
    import numpy as np

    from chemnet.chemistry.network.species_sums import positions_of, summed_abundances

    for name in wanted:
        try:
            positions_of(name, states.species)
        except DataError as error:
            raise ConfigError(f"visualize.species: no species is called {name!r}", hint=error.hint) from error
    species = list(wanted or states.species)
    try:
        truth = states.truth(rows)
    except ResultsError as error:
        _log.warning("the page has no species to colour by: %s", error.message)
        return [], np.empty((len(rows), 0))
    return species, summed_abundances(truth, species, states.species)
