"""How fast are storing and looking up states, beside bare Chroma?

Random walks in 14 latents stand for tracers. Inserting 20,000 states is compared with bare Chroma at its own
largest batch, turn by turn; looking up is timed in process among 200,000 states.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "false")

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure, report

from chemnet import ChemNet
from chemnet.config import ConfigDict
from chemnet.data.infer_result.inference_dataset import InferenceDataset, InferenceWriter
from chemnet.results import ResultWriter

N_STEPS, LATENT_DIM, REPEATS, K = 298, 14, 3, 5
N_INSERT, N_LOOKUP = 20_000, 200_000
PHYSICAL = ("Density", "Radfield", "Av", "gasTemp")


def made_infer_result(config: ConfigDict, n: int) -> InferenceDataset:
    """Write an infer result of n states on random walks."""
    rng = np.random.default_rng(0)
    tracer, step = np.divmod(np.arange(n), N_STEPS)
    walks = np.cumsum(rng.normal(0, 0.01, (n, LATENT_DIM)), axis=0) % 1.0
    physical = rng.uniform(1, 2, (n, len(PHYSICAL)))
    with ResultWriter(config, verb="infer") as writer:
        with InferenceWriter(
            writer.path,
            tracer_ids=[f"tracer_{number}" for number in range(int(tracer[-1]) + 1)],
            largest_step=N_STEPS - 1,
            physical_names=PHYSICAL,
        ) as states:
            states.append(
                tracer=tracer,
                step=step,
                time=step * 3367.0,
                physical=physical,
                tensor=walks,
                split_row=np.arange(n),
            )
        writer.summary["rows"] = n
    assert writer.result is not None
    return InferenceDataset(writer.result.path)


def bare_chroma(ids: list[str], vectors: np.ndarray) -> Callable[[], None]:
    """Return the insertion of the same vectors with Chroma alone."""
    import chromadb
    from chromadb.config import Settings

    def insert() -> None:
        with tempfile.TemporaryDirectory() as folder:
            client: Any = chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
            collection = client.create_collection("states", embedding_function=None)
            size = client.get_max_batch_size()
            for start in range(0, len(ids), size):
                collection.add(ids=ids[start : start + size], embeddings=vectors[start : start + size])
            client.close()

    return insert


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work."""
    before = time.process_time()
    work()
    return time.process_time() - before


def milliseconds(work: Callable[[int], object], repeats: int = 101) -> tuple[float, tuple[float, float]]:
    """Return the median and range of the CPU time of `work(number)`, one call before not counted."""
    work(0)
    taken = [cpu(partial(work, number)) * 1e3 for number in range(1, repeats + 1)]
    return statistics.median(taken), (min(taken), max(taken))


def insertion(folder: Path) -> list[Figure]:
    """Compare `save_to_database` with bare Chroma."""
    chem = ChemNet(overrides=[f"general.results_dir={folder}", "general.log_level=warning"])
    data = made_infer_result(chem.config, N_INSERT)
    alone = bare_chroma(data.ids().tolist(), np.array(data.latents))
    alone()
    pairs = [(cpu(alone), cpu(chem.save_to_database)) for _ in range(REPEATS)]
    ratios = [bare / ours for bare, ours in pairs]
    rates = [N_INSERT / ours for _, ours in pairs]
    return [
        Figure(
            "save_to_database, share of bare Chroma's rate",
            statistics.median(ratios),
            0.7,
            False,
            (min(ratios), max(ratios)),
        ),
        Figure(
            "save_to_database, states per CPU-second",
            statistics.median(rates),
            None,
            False,
            (min(rates), max(rates)),
        ),
    ]


def searching(folder: Path) -> list[Figure]:
    """Time lookups among many states, exact and through the database."""
    chem = ChemNet(overrides=[f"general.results_dir={folder}", "general.log_level=error", f"lookup.k={K}"])
    data = made_infer_result(chem.config, N_LOOKUP)
    chem.save_to_database()
    chosen = np.random.default_rng(1).integers(0, N_LOOKUP, 200)
    ids, vectors = data.ids()[chosen].tolist(), np.array(data.take("tensor", chosen))
    figures = []
    with chem.database_connection() as connection:
        figures += [
            _timed("get_by_id [CPU ms]", lambda n: connection.get_by_id(ids[n]), 10.0),
            _timed("search_by_id, exact [CPU ms]", lambda n: connection.search_by_id(ids[n]), 10.0),
            _timed("search_by_vector, exact [CPU ms]", lambda n: connection.search_by_vector(vectors[n])),
        ]
        exact = [near.state.id for n in range(50) for near in connection.search_by_vector(vectors[n])]
    figures.append(
        _timed("ChemNet().lookup(id=...), whole verb [CPU ms]", lambda n: chem.lookup(id=ids[n]), 10.0)
    )
    chem.set_config("lookup.search", "database")
    with chem.database_connection() as connection:
        first = cpu(lambda: connection.search_by_vector(vectors[0]))
        figures.append(Figure("first search through Chroma, its graph loaded [CPU ms]", first * 1e3))
        figures.append(
            _timed("search_by_vector, Chroma [CPU ms]", lambda n: connection.search_by_vector(vectors[n]))
        )
        found = [near.state.id for n in range(50) for near in connection.search_by_vector(vectors[n])]
    shared = np.mean(
        [len(set(exact[n : n + K]) & set(found[n : n + K])) / K for n in range(0, len(exact), K)]
    )
    return [*figures, Figure("share of the exact neighbours that Chroma finds", float(shared))]


def _timed(name: str, work: Callable[[int], object], target: float | None = None) -> Figure:
    """Return the figure of one kind of search."""
    median, spread = milliseconds(work)
    return Figure(name, median, target, True, spread)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        figures = insertion(Path(folder) / "insert")
        figures += searching(Path(folder) / "search")
    report(
        f"How fast are storing and looking up states? (insert {N_INSERT:,}, look up among {N_LOOKUP:,})",
        figures,
    )


if __name__ == "__main__":
    main()
