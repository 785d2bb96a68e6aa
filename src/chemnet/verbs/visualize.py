"""`chemnet visualize`: an interactive page of a reduced latent space."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from chemnet.config import ConfigDict
from chemnet.errors import ResultsError
from chemnet.progress import get_logger
from chemnet.registry import chem_verb
from chemnet.results import Answer, ResultDirectory, ResultWriter, VerbResult, resolve_input
from chemnet.results.result_names import (
    names_and_components,
    newest_of_component,
    result_folder,
    suggest_result,
)
from chemnet.results.verb_inputs import named_result
from chemnet.verbs.dry_run import at_the_pace, in_results, plan_answer
from chemnet.verbs.umap import UmapResult
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chemnet.data.infer_result.inference_dataset import InferenceDataset
    from chemnet.plots.embedding_page import PageData
    from chemnet.plots.page_states import Layer
    from chemnet.search.known_states import KnownStates

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
    examples = (
        "chemnet visualize",
        "chemnet visualize 20260102-030405-umap-abcdef 20260103-040506-infer-fedcba   # new data, too",
        "chemnet visualize --serve                  # more points than a page can hold",
    )

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take results as bare words, and ``--serve``."""
        parser.add_argument(
            "results",
            nargs="*",
            metavar="RESULT",
            help="a result of `umap`: the map; of `infer`: states that are placed on it, too; of "
            "`save_to_database`: known states, among which the nearest are sought",
        )
        parser.add_argument(
            "--serve",
            action="store_true",
            default=None,
            help="show the page at an address of this machine until Ctrl-C, and write nothing",
        )

    def run(
        self, results: str | Path | Sequence[str | Path] | None = None, umap_dir: str | Path | None = None
    ) -> VisualizeResult:
        """Write the page of an embedding.

        Parameters
        ----------
        results
            Paths, names or components of results of `umap`, `infer` and `save_to_database`; they win over
            ``visualize.umap_dir``, ``visualize.overlaid`` and ``visualize.database_dir``.
        umap_dir
            The umap result; wins over ``visualize.umap_dir``.

        Raises
        ------
        ConfigError
            When ``visualize.species`` names a species that the data does not have.
        ResultsError
            When there is no map, or other latents than those of its model are to be placed on it.
        """
        config, parents = self._inputs(results, umap_dir)
        from chemnet.plots.embedding_page import embedding_page

        data = page_data(config, parents)
        with ResultWriter(config, verb=self.cli_name, parents=parents) as writer:
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

    def plan(
        self,
        results: str | Path | Sequence[str | Path] | None = None,
        umap_dir: str | Path | None = None,
        serve: bool = False,
    ) -> Answer:
        """Return what `run` would read and make; nothing is written."""
        config, parents = self._inputs(results, umap_dir)
        points = min(parents["umap"].summary["states"], config["visualize"]["max_points"])
        page = in_results(config, self.cli_name, f"page.html of up to {points:,} points of the map")
        return plan_answer(
            {role: one.path for role, one in parents.items()},
            "nothing: a page shown until Ctrl-C" if serve else page,
            at_the_pace(config, self.cli_name, "points", points),
        )

    def serve(self, results: str | Path | Sequence[str | Path] | None = None) -> Answer:
        """Show the page at an address of this machine, which is printed, until Ctrl-C.

        Parameters
        ----------
        results
            As for `run`.

        Raises
        ------
        ConfigError
            When ``visualize.port`` is taken.
        """
        config, parents = self._inputs(results, None)
        from chemnet.plots.page_server import PageServer

        most = config["visualize"]["max_served_points"]
        data = page_data(config.replace({"visualize.max_points": most}), parents)
        with PageServer(data, config["visualize"]["port"]) as server:
            # at once, and beside what --json prints in the end
            print(
                f"{server.url}\nshown to browsers of this machine; Ctrl-C ends it",
                file=sys.stderr,
                flush=True,
            )
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                _log.info("the page is not shown any more")
        return Answer(
            {"url": server.url, "points": len(data.embedding)}, f"{len(data.embedding):,} points were shown"
        )

    def run_cli(self, args: argparse.Namespace) -> VisualizeResult | Answer:
        """Serve the page, or write it."""
        return self.serve(args.results) if args.serve else self.run(args.results)

    def _inputs(
        self, results: str | Path | Sequence[str | Path] | None, umap_dir: str | Path | None
    ) -> tuple[ConfigDict, dict[str, ResultDirectory]]:
        """Return the configuration that names what is shown, and those results by role."""
        config = self.with_arguments("visualize", {"umap_dir": umap_dir})
        if results:
            named = [results] if isinstance(results, (str, Path)) else results
            config = config.replace(_by_verb(config, [str(one) for one in named]))
        umap = resolve_input(config, "visualize.umap_dir", "umap")
        key = "visualize.overlaid"
        overlaid = [named_result(config, str(one), key, "infer") for one in config.lookup(key)]
        parents = {"umap": umap} | {f"infer_{number}": one for number, one in enumerate(overlaid)}
        used: dict[str, Any] = {"umap_dir": str(umap.path), "overlaid": [str(one.path) for one in overlaid]}
        if config["visualize"]["database_dir"] is not False:
            parents["database"] = resolve_input(config, "visualize.database_dir", "save_to_database")
            used["database_dir"] = str(parents["database"].path)
        return config.replace({f"visualize.{name}": value for name, value in used.items()}), parents


def _by_verb(config: ConfigDict, wanted: Sequence[str]) -> dict[str, Any]:
    """Return the keys that some named results stand for.

    A second map is not laid over the first, whose axes mean something else: its states are placed on that.
    """
    found = [_opened(config, name) for name in wanted]
    keys: dict[str, Any] = {"visualize.overlaid": []}
    for one in found:
        if one.verb == "umap" and "visualize.umap_dir" not in keys:
            keys["visualize.umap_dir"] = str(one.path)
        elif one.verb in ("umap", "infer"):
            infer = one.parent("infer") if one.verb == "umap" else one
            _log.info("visualize: the states of %s are placed on the map, too", infer.name)
            keys["visualize.overlaid"].append(str(infer.path))
        elif one.verb == "save_to_database":
            keys["visualize.database_dir"] = str(one.path)
        else:
            raise ResultsError(
                f"a result of `{one.verb}` cannot be shown on a map: {one.name}",
                hint="name results of umap, infer or save_to_database",
            )
    return keys


def _opened(config: ConfigDict, wanted: str) -> ResultDirectory:
    """Return the result of this path or name, or the newest `infer` result of this component."""
    results_dir = config["general"]["results_dir"]
    folder = result_folder(results_dir, wanted)
    found = ResultDirectory.open(folder) if folder else newest_of_component(results_dir, "infer", wanted)
    if found is None:
        raise ResultsError(
            f"visualize: {wanted!r} is no path, result or component",
            hint=suggest_result(wanted, *names_and_components(results_dir)) or "run `chemnet umap` first",
        )
    return found


def page_data(config: ConfigDict, parents: dict[str, ResultDirectory]) -> PageData:
    """Choose what the page shows of a map and of what is placed on it.

    Parameters
    ----------
    config
        ``[visualize]``, and the seed of samples.
    parents
        ``"umap"``, and perhaps ``"infer_0"``, ``"infer_1"``, ... and ``"database"``.
    """
    from chemnet.plots.page_states import Wanted, page_of

    umap, table = UmapResult(parents["umap"]), config["visualize"]
    overlaid = [one for role, one in parents.items() if role.startswith("infer_")]
    layers = _layers(umap, overlaid)
    wanted = Wanted(
        title=table["title"] or _title(umap, overlaid),
        reduced=f"{umap.summary['reducer']} of {umap.states.latent_dim} latents",
        max_points=table["max_points"],
        species=table["species"],
        seed=config["general"]["seed"],
    )
    return page_of(layers, wanted, _database(umap, parents.get("database")))


def _layers(umap: UmapResult, overlaid: Sequence[ResultDirectory]) -> list[Layer]:
    """Return the map's own states, and those that its reducer places on it."""
    from chemnet.data.infer_result.inference_dataset import InferenceDataset
    from chemnet.plots.page_states import Layer
    from chemnet.progress import under_way

    infer = umap.directory.parent("infer")
    layers = [Layer(infer.name, umap.states, lambda rows: umap.embedding[rows])]
    if not overlaid:
        return layers
    for one in overlaid:
        _check_same_codec(infer, one, umap.states.latent_dim, InferenceDataset(one).latent_dim)
    with under_way(f"fitting the reducer of {umap.path.name} again"):
        reducer = umap.reducer()
    return layers + [_placed(InferenceDataset(one), reducer) for one in overlaid]


def _placed(states: InferenceDataset, reducer: Any) -> Layer:
    from chemnet.plots.page_states import Layer

    return Layer(states.path.name, states, lambda rows: reducer.transform(states.take("tensor", rows)))


def _database(umap: UmapResult, database: ResultDirectory | None) -> KnownStates | None:
    """Return the states of a database, whose latents are those of the map's model."""
    if database is None:
        return None
    from chemnet.search.known_states import KnownStates

    known, infer = KnownStates(database), umap.directory.parent("infer")
    if database.parents["infer"].digest != infer.digest:
        _check_same_codec(infer, database.parent("infer"), umap.states.latent_dim, known.latent_dim)
    return known


def _check_same_codec(infer: ResultDirectory, other: ResultDirectory, latents: int, others: int) -> None:
    """Raise when the latents of two infer results are not of one autoencoder: they mean different things."""
    if _codec(infer) != _codec(other) or latents != others:
        raise ResultsError(
            f"the latents of {other.name} are not of the model whose latents the map shows ({infer.name})",
            hint="infer both with one autoencoder, or an emulator that was trained on it: infer.model_dir",
        )


def _codec(infer: ResultDirectory) -> str | None:
    """Return the digest of the autoencoder whose latents an infer result holds."""
    if "train" not in infer.parents:
        return None
    trained = infer.parent("train")
    return trained.parents.get("autoencoder", infer.parents["train"]).digest


def _title(umap: UmapResult, overlaid: Sequence[ResultDirectory]) -> str:
    """Return which model, data and result the page shows."""
    infer = umap.directory.parent("infer")
    model = infer.component or umap.states.path.name
    data = infer.parents["preprocess"].path.name if "preprocess" in infer.parents else infer.name
    more = f" and {', '.join(one.name for one in overlaid)}" if overlaid else ""
    return f"{model}: latents of {data}{more}, {umap.path.name}"
