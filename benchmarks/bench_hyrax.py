"""How much faster are chemnet's verbs than Hyrax's, on as many rows of 333 values and the same model?

CHEMNET_HYRAX_PYTHON=/path/to/python python benchmarks/bench_hyrax.py [verbs, all by default]

The Python named there has Hyrax (`python -m venv hyrax && hyrax/bin/pip install hyrax==0.13.0`); without it
the figures say "peer absent". Both train the 333-128-64-14 autoencoder without normalisation for three epochs
at batch 512 with Adam and the mean squared error, infer, store and embed its 14 latents (UMAP fitted on
1,024), each verb with its own defaults otherwise, in one thread; imports and first compilations are not
counted. The two run one after the other in processes of their own.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "false")

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from figures import Figure, report
from made_states import N_STEPS, MadeStates, made_config
from timing import cpu_used

from chemnet.registry import VERBS

PYTHON = "CHEMNET_HYRAX_PYTHON"
TRACERS = {"train": 110, "infer": 200, "save_to_database": 10, "umap": 7}
TARGETS = {"infer": 8.0, "save_to_database": 10.0, "umap": 1.5, "train": 1.7}
WORDS = {
    "train": "training, batch 512",
    "infer": "infer",
    "save_to_database": "save_to_database",
    "umap": "umap",
}
REPEATS = 3
EPOCHS = 3
RECIPE = {
    "train.epochs": EPOCHS,
    "model.Autoencoder.norm": "none",
    "umap.fit_sample_size": 1024,
    "train.rows_per_batch": 512,
    "criterion.name": "torch.nn.MSELoss",
    "optimizer.name": "torch.optim.Adam",
}


def seconds_per_row(verb: str, folder: Path) -> list[float]:
    """Return CPU seconds per row of one of chemnet's verbs, after a run that does not count."""
    MadeStates.n_tracers = TRACERS[verb]
    config = made_config(folder / verb, **RECIPE)
    VERBS.get("preprocess")(config).run()
    rows = TRACERS[verb] * N_STEPS
    if verb == "train":
        rows = EPOCHS * VERBS.get("train")(config).run().summary["items_per_epoch"]
        return [taken / rows for taken in _timed(VERBS.get("train")(config).run)]
    VERBS.get("train")(config).run()
    VERBS.get("infer")(config).run()
    return [taken / rows for taken in _timed(VERBS.get(verb)(config).run)]


def _timed(work: Callable[[], Any]) -> list[float]:
    """Return the CPU seconds of each repeat, after one that does not count."""
    work()
    taken = []
    for _ in range(REPEATS):
        before = cpu_used()
        work()
        taken.append(cpu_used() - before)
    return taken


def peer_seconds_per_row(python: str, folder: Path, verbs: Sequence[str]) -> dict[str, list[float]]:
    """Return CPU seconds per row of Hyrax's verbs."""
    rows = {verb: tracers * N_STEPS if verb in verbs else 0 for verb, tracers in TRACERS.items()}
    script = Path(__file__).with_name("hyrax_peer.py")
    words = [python, str(script), str(folder), str(EPOCHS), *(str(count) for count in rows.values())]
    # what it says goes on to the standard error: a peer that fails tells why
    answer = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, cwd=folder)
    taken = json.loads(answer.stdout.splitlines()[-1])
    passes = {verb: rows[verb] * (EPOCHS if verb == "train" else 1) for verb in verbs}
    return {verb: [one / passes[verb] for one in taken[verb]] for verb in verbs}


def figures_of(ours: dict[str, list[float]], theirs: dict[str, list[float]] | None) -> list[Figure]:
    """Return the ratios to Hyrax, and both rates."""
    figures = []
    for verb in ours:
        target = TARGETS[verb]
        name = f"{WORDS[verb]}, rate / Hyrax 0.13's"
        if theirs is None:
            figures.append(Figure(name, None, target, why_not="peer absent"))
        else:
            low, high = min(theirs[verb]) / max(ours[verb]), max(theirs[verb]) / min(ours[verb])
            ratio = statistics.median(theirs[verb]) / statistics.median(ours[verb])
            figures.append(Figure(name, ratio, target, spread=(low, high)))
            figures.append(
                Figure.of(f"{WORDS[verb]}, Hyrax [rows/CPU-s]", [1.0 / one for one in theirs[verb]])
            )
        figures.append(Figure.of(f"{WORDS[verb]}, chemnet [rows/CPU-s]", [1.0 / one for one in ours[verb]]))
    return figures


def main() -> None:
    """Measure and print."""
    python, verbs = os.environ.get(PYTHON), sys.argv[1:] or list(TARGETS)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        theirs = None
        if python:
            (Path(folder) / "peer").mkdir()
            theirs = peer_seconds_per_row(python, Path(folder) / "peer", verbs)
        ours = {verb: seconds_per_row(verb, Path(folder)) for verb in verbs}
    report(__doc__ or "", figures_of(ours, theirs))


if __name__ == "__main__":
    main()
