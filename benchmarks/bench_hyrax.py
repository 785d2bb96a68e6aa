"""How much faster are chemnet's verbs than Hyrax's, on as many rows of 333 values and the same model?

CHEMNET_HYRAX_PYTHON=/path/to/python python benchmarks/bench_hyrax.py [verbs, all by default]

The Python named there has Hyrax (`python -m venv hyrax && hyrax/bin/pip install hyrax==0.13.0`); without it
the figures say "peer absent". Both train a 333-128-64-14 autoencoder without normalisation for ten epochs at
batch 512 with Adam and the mean squared error, without validation or limit of the gradient, tracked by
MLflow; they infer, store and embed its 14 latents (UMAP fitted on 1,024), each verb with its own defaults
otherwise, in one thread. The first training figure has the very module that Hyrax trains, as a plugin; the
second chemnet's own autoencoder, whose decoder has the encoder's weights. Imports and first compilations are
not counted. The two take turns, run by run, so a ratio is that of neighbours in time.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "false")

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from figures import Figure, report
from made_states import N_STEPS, MadeStates, made_config
from timing import cpu_used, ratios
from torch import Tensor, nn

from chemnet import chem_model
from chemnet.registry import VERBS

PYTHON = "CHEMNET_HYRAX_PYTHON"
TRACERS = {"train": 110, "infer": 200, "save_to_database": 10, "umap": 7}
TARGETS = {"train": 1.7, "infer": 8.0, "save_to_database": 10.0, "umap": 1.5}
REPEATS = 5
EPOCHS = 10
RECIPE = {
    "model.Autoencoder.norm": "none",
    "umap.fit_sample_size": 1024,
    "criterion.name": "torch.nn.MSELoss",
    "optimizer.name": "torch.optim.Adam",
}
TRAINING = {
    "train.epochs": EPOCHS,
    "train.rows_per_batch": 512,
    "train.gradient_clip": False,
    "train.monitor": "train_loss",
    "preprocess.train_size": 1.0,
    "preprocess.validate_size": 0.0,
    "preprocess.test_size": 0.0,
    "mlflow.enabled": True,
}


@chem_model
class PlainAutoencoder(nn.Module):
    """The module that Hyrax trains, with separate decoder weights."""

    role = "other"
    criterion: Any

    def __init__(self, config: Any, data: Any) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(333, 128), nn.GELU(), nn.Linear(128, 64), nn.GELU(), nn.Linear(64, 14)
        )
        self.decoder = nn.Sequential(
            nn.Linear(14, 64), nn.GELU(), nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 333)
        )

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the reconstruction."""
        return self.decoder(self.encoder(batch["abundance"]))

    def train_batch(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss."""
        return self.criterion(self(batch), batch["abundance"]), {}

    def infer_batch(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the latents."""
        return {"latent": self.encoder(batch["abundance"])}


class Peer:
    """Hyrax in a process of its own, which runs a verb whenever it is told to.

    Parameters
    ----------
    python
        The Python that has it.
    folder
        Where it works.
    rows
        The verbs that it prepares, and the rows of each.
    """

    def __init__(self, python: str, folder: Path, rows: dict[str, int]) -> None:
        script = Path(__file__).with_name("hyrax_peer.py")
        words = [python, str(script), str(folder), str(EPOCHS), *(f"{verb}={n}" for verb, n in rows.items())]
        # what it says goes on to the standard error: a peer that fails tells why
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        )

    def seconds(self, verb: str) -> float:
        """Run a verb and return its CPU seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(verb, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(
                f"Hyrax ended with exit code {self._process.wait()} at {verb}; it told why above"
            )
        return float(answer)

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def own_works(verb: str, folder: Path) -> dict[str, Callable[[], Any]]:
    """Return chemnet's work of a verb by the name of its figure, each run once."""
    MadeStates.n_tracers = TRACERS[verb]
    if verb == "train":
        config = made_config(folder / verb, **RECIPE, **TRAINING)
        VERBS.get("preprocess")(config).run()
        works = {
            "training, batch 512, the same module": config.replace({"model.name": "PlainAutoencoder"}),
            "training, batch 512, chemnet's autoencoder": config,
        }
        runs = {name: VERBS.get("train")(settings).run for name, settings in works.items()}
    else:
        config = made_config(folder / verb, **RECIPE, **{"train.epochs": 1})
        for before in ("preprocess", "train", "infer"):
            VERBS.get(before)(config).run()
        runs = {verb: VERBS.get(verb)(config).run}
    for run in runs.values():
        run()
    return runs


def seconds(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of some work."""
    before = cpu_used()
    work()
    return cpu_used() - before


def figures_of(verb: str, peer: Peer | None, folder: Path) -> list[Figure]:
    """Measure a verb in turns with the peer's; return ratios and rates."""
    runs, theirs = own_works(verb, folder), []
    ours: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(REPEATS):
        for name, run in runs.items():
            ours[name].append(seconds(run))
        if peer:
            theirs.append(peer.seconds(verb))
    rows = TRACERS[verb] * N_STEPS * (EPOCHS if verb == "train" else 1)
    figures = []
    for name, taken in ours.items():
        title = f"{name}, rate / Hyrax 0.13's"
        figures.append(
            Figure.of(title, ratios(theirs, taken), TARGETS[verb])
            if peer
            else Figure(title, None, TARGETS[verb], why_not="peer absent")
        )
        figures.append(Figure.of(f"{name}, chemnet [rows/CPU-s]", [rows / one for one in taken]))
    if peer:
        figures.append(Figure.of(f"{verb}, Hyrax [rows/CPU-s]", [rows / one for one in theirs]))
    return figures


def main() -> None:
    """Measure and print."""
    python, verbs = os.environ.get(PYTHON), sys.argv[1:] or list(TARGETS)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        peer = None
        if python:
            (Path(folder) / "peer").mkdir()
            peer = Peer(python, Path(folder) / "peer", {verb: TRACERS[verb] * N_STEPS for verb in verbs})
        figures = [figure for verb in verbs for figure in figures_of(verb, peer, Path(folder))]
        if peer:
            peer.close()
    report(__doc__ or "", figures)


if __name__ == "__main__":
    main()
