"""`chemnet umap`: the latent space in two or three dimensions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from chemnet.config import ConfigDict
from chemnet.errors import RunFailedError
from chemnet.plugins import named_by_result
from chemnet.progress import progress, under_way
from chemnet.registry import REDUCERS, chem_verb
from chemnet.results import Answer, ResultDirectory, ResultWriter, VerbResult
from chemnet.verbs.dry_run import at_the_pace, in_results, plan_answer
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from chemnet.data.infer_result.inference_dataset import InferenceDataset
    from chemnet.search.reducers import Reducer

#: points that a static figure shows at most: more cover one another, and each takes memory in each panel
_FIGURE_POINTS = 20_000


class UmapResult(VerbResult):
    """An embedding of latents: ``embedding.npy`` and, in the same order, ``ids.npy``."""

    verb = "umap"

    @cached_property
    def embedding(self) -> np.ndarray:
        """Components of every state, ``(rows, n_components)`` float32, in the order of the infer result."""
        from chemnet.data.npy_files import open_npy

        return open_npy(self.directory.file("embedding.npy"))

    @cached_property
    def ids(self) -> np.ndarray:
        """Sample ids of the rows, ``(rows,)``."""
        from chemnet.data.npy_files import open_npy

        return open_npy(self.directory.file("ids.npy"))

    @cached_property
    def states(self) -> InferenceDataset:
        """The infer result that was reduced."""
        from chemnet.data.infer_result.inference_dataset import InferenceDataset

        return InferenceDataset(self.directory.parent("infer"))

    def plot(self) -> Figure:
        """Return the embedding coloured by each physical parameter and by time."""
        explained = self.summary.get("explained_variance", [])
        return _figure(self.embedding, self.states, self.directory.config, explained)

    def reducer(self) -> Reducer:
        """Return the fitted reducer, to place further latents: `result.reducer().transform(latents)`.

        It is fitted again on the kept sample with the kept seed, which gives the same map; no pickle is kept
        or read.

        Raises
        ------
        ResultsError
            When the run kept no fit sample (``umap.save_fit_model = false``).
        """
        from chemnet.data.npy_files import open_npy

        sample = open_npy(self.directory.file("fit_sample.npy"))
        file = self.directory.file("reducer.json")
        recipe = json.loads(file.read_text(encoding="utf-8"))
        reducer = REDUCERS.get(named_by_result(recipe.pop("reducer"), f"{file}: reducer"))(**recipe)
        reducer.fit(sample)
        return reducer


@chem_verb
class Umap(Verb[UmapResult]):
    """Reduce latents to two or three dimensions."""

    cli_name = "umap"
    description = "reduce latents to two or three dimensions"
    inputs: ClassVar = {"umap.infer_dir": "infer"}
    examples = ("chemnet umap", "chemnet umap umap.reducer=pca umap.infer_dir=20260102-030405-infer-abcdef")

    def run(self, infer_dir: str | Path | None = None) -> UmapResult:
        """Fit a reducer on a seeded sample of an infer result and place every state.

        Parameters
        ----------
        infer_dir
            The infer result; wins over ``umap.infer_dir``. By default the newest of an autoencoder.

        Raises
        ------
        DataError
            When there are too few states, or latents that are not finite.
        """
        config, infer = self._latents(infer_dir)
        import numpy as np

        from chemnet.data.infer_result.inference_dataset import InferenceDataset
        from chemnet.figure_style import save_figure
        from chemnet.search.reducers import sample_rows

        data = InferenceDataset(infer)
        with ResultWriter(config, verb=self.cli_name, parents={"infer": infer}) as writer:
            rows = sample_rows(len(data), config["umap"]["fit_sample_size"], config["general"]["seed"])
            sample = data.take("tensor", rows)
            data.check_finite(sample, rows)
            reducer = _fit(config, sample, writer.path)
            embedding = _place(reducer, data, config["umap"]["batch_size"])
            np.save(writer.path / "embedding.npy", embedding)
            _save_ids(writer.path / "ids.npy", data)
            explained = reducer.explained_variance
            save_figure(_figure(embedding, data, config, explained), writer.path / "embedding.png", config)
            writer.summary.update(
                reducer=config["umap"]["reducer"],
                states=len(data),
                fitted_on=len(rows),
                components=embedding.shape[1],
                **({"explained_variance": explained} if explained else {}),
            )
        return UmapResult(writer.result)

    def plan(self, infer_dir: str | Path | None = None) -> Answer:
        """Return what `run` would read and make; nothing is written."""
        config, infer = self._latents(infer_dir)
        reducer = config["umap"]["reducer"]
        return plan_answer(
            {"umap.infer_dir": infer.path},
            in_results(config, self.cli_name, f"embedding.npy by {reducer}, and embedding.png"),
            at_the_pace(
                config, "umap", "states", infer.summary["rows"], lambda one: one.summary["reducer"] == reducer
            ),
        )

    def _latents(self, infer_dir: str | Path | None) -> tuple[ConfigDict, ResultDirectory]:
        """Return the configuration that names the infer result which is used, and that."""
        from chemnet.search.chosen_latents import resolve_latents

        config = self.with_arguments("umap", {"infer_dir": infer_dir})
        infer = resolve_latents(config, "umap.infer_dir")
        return config.replace({"umap.infer_dir": str(infer.path)}), infer


def _fit(config: ConfigDict, sample: np.ndarray, path: Path) -> Reducer:
    """Fit the configured reducer and, if asked, keep what it takes to fit it again."""
    import numpy as np

    table = config["umap"]
    recipe = {
        "n_components": table["n_components"],
        "seed": config["general"]["seed"],
        "parallel": table["parallel"],
        "options": table["kwargs"].to_dict(),
    }
    reducer = REDUCERS.get(table["reducer"])(**recipe)
    with under_way(f"fitting {table['reducer']} on {len(sample):,} states"):
        reducer.fit(sample)
    if table["save_fit_model"]:
        np.save(path / "fit_sample.npy", sample)
        text = json.dumps({"reducer": table["reducer"], **recipe}, indent=1)
        (path / "reducer.json").write_text(text + "\n", encoding="utf-8")
    return reducer


def _place(reducer: Reducer, data: InferenceDataset, batch_size: int) -> np.ndarray:
    """Return the components of every state, ``(rows, n_components)`` float32."""
    import numpy as np

    embedding = np.empty((len(data), reducer.n_components), dtype=np.float32)
    with progress(total=len(data), desc="place", unit="state") as bar:
        for first, block in data.finite_blocks(rows=batch_size):
            embedding[first : first + len(block)] = reducer.transform(block)
            bar.update(len(block))
    if not np.isfinite(embedding).all():
        row = int(np.argmax(~np.isfinite(embedding).all(axis=1)))
        raise RunFailedError(
            f"{type(reducer).__name__} places state {data[row].id!r} at {embedding[row].tolist()}",
            hint="look at umap.kwargs, or set umap.reducer=pca",
        )
    return embedding


def _save_ids(path: Path, data: InferenceDataset) -> None:
    from chemnet.data.npy_files import NpyAppender

    _, first = next(data.id_blocks(rows=1))
    with NpyAppender(path, first.dtype) as file:
        for _, ids in data.id_blocks():
            file.append(ids)


def _figure(
    embedding: np.ndarray, data: InferenceDataset, config: ConfigDict, explained: Sequence[float]
) -> Figure:
    from chemnet.data.npy_files import let_go
    from chemnet.plots.figures import embedding_panels
    from chemnet.search.reducers import sample_rows

    rows = sample_rows(len(data), _FIGURE_POINTS, config["general"]["seed"])
    columns = {name: data.rows[name][rows] for name in (*data.physical_names, "time")}
    let_go(data.rows)
    shown = f"{len(rows):,} of {len(data):,}" if len(rows) < len(data) else f"{len(data):,}"
    reducer = config["umap"]["reducer"]
    names = [f"{reducer} {number + 1}" for number in range(embedding.shape[1])]
    title = f"{reducer} of {shown} states"
    if explained:
        title += f"; {', '.join(f'{share:.0%}' for share in explained)} of the variance"
    return embedding_panels(embedding[rows], columns, title, names)
