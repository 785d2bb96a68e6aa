"""`chemnet save_to_database`: the latents of an infer result become a searchable vector database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from chemnet.config import ConfigDict, load_config
from chemnet.progress import progress
from chemnet.registry import VECTOR_DBS, chem_verb
from chemnet.results import Answer, ResultDirectory, ResultWriter, VerbResult
from chemnet.verbs.dry_run import at_the_pace, in_results, plan_answer
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from chemnet.data.infer_result.inference_dataset import InferenceDataset
    from chemnet.search.connection import DatabaseConnection
    from chemnet.search.vector_database import VectorDatabase


class DatabaseResult(VerbResult):
    """A vector database of known states, with what is known of each beside it."""

    verb = "save_to_database"

    def connect(self, config: ConfigDict | None = None) -> DatabaseConnection:
        """Open the database for searching.

        Parameters
        ----------
        config
            Says how to search and where a server or a folder outside the result is; by default
            ``./chemnet_config.toml`` or the packaged defaults. What the result names counts for nothing.
        """
        from chemnet.search.connection import DatabaseConnection

        return DatabaseConnection(self.directory, config or load_config())

    def plot(self) -> Figure:
        """Return histograms of the known states: what physical parameters and times the database covers."""
        from chemnet.plots.figures import histograms
        from chemnet.search.known_states import KnownStates

        states = KnownStates(self.directory)
        columns = {name: states.rows[name] for name in (*states.physical_names, "time")}
        return histograms(columns, f"{len(states):,} known states")


@chem_verb
class SaveToDatabase(Verb[DatabaseResult]):
    """Store latents in a vector database."""

    cli_name = "save_to_database"
    description = "store latents in a vector database"
    inputs: ClassVar = {"vector_db.infer_dir": "infer"}
    tables = ("vector_db",)
    examples = ("chemnet save_to_database",)

    def run(self, infer_dir: str | Path | None = None) -> DatabaseResult:
        """Insert every state of an infer result.

        Parameters
        ----------
        infer_dir
            The infer result; wins over ``vector_db.infer_dir``. By default the newest of an autoencoder.

        Raises
        ------
        ResultsError
            When there is no infer result, or no server answers.
        """
        from chemnet.data.infer_result.inference_dataset import InferenceDataset
        from chemnet.search.known_states import write_known_states

        config, infer = self._latents(infer_dir)
        name = config["vector_db"]["name"]
        database_class = VECTOR_DBS.get(name)
        data = InferenceDataset(infer)
        with ResultWriter(
            config, verb=self.cli_name, parents={"infer": infer}, living=(database_class.living_folder,)
        ) as writer:
            write_known_states(data, writer.path)
            seconds = _fill(database_class(config, writer.path), data)
            writer.summary.update(
                database=name,
                states=len(data),
                latent_dim=data.latent_dim,
                states_per_second=len(data) / seconds,
            )
        return DatabaseResult(writer.result)

    def plan(self, infer_dir: str | Path | None = None) -> Answer:
        """Return what `run` would read and make; nothing is written."""
        config, infer = self._latents(infer_dir)
        states, name = infer.summary["rows"], config["vector_db"]["name"]
        return plan_answer(
            {"vector_db.infer_dir": infer.path},
            in_results(config, self.cli_name, f"a database of {states:,} states ({name})"),
            at_the_pace(config, self.cli_name, "states", states, lambda one: one.summary["database"] == name),
        )

    def _latents(self, infer_dir: str | Path | None) -> tuple[ConfigDict, ResultDirectory]:
        """Return the configuration that names the infer result which is used, and that."""
        from chemnet.search.chosen_latents import resolve_latents

        config = self.with_arguments("vector_db", {"infer_dir": infer_dir})
        infer = resolve_latents(config, "vector_db.infer_dir")
        return config.replace({"vector_db.infer_dir": str(infer.path)}), infer


def _fill(database: VectorDatabase, data: InferenceDataset) -> float:
    """Insert all latents of `data` into an empty database; return the seconds that took."""
    started = time.perf_counter()
    try:
        database.create(data.latent_dim)
        with progress(total=len(data), desc="insert", unit="state") as bar:
            for ids, vectors in _batches(data, database.batch_size):
                database.insert(ids, vectors)
                bar.update(len(ids))
    finally:
        database.close()
    return time.perf_counter() - started


def _batches(data: InferenceDataset, size: int) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield ids and latents of at most `size` rows at a time."""
    all_ids = data.ids()
    for first, block in data.blocks(rows=size):
        yield all_ids[first : first + len(block)].tolist(), block
