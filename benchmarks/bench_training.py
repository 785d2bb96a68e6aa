"""How fast does chemnet train, beside a per-sample DataLoader and beside the matrix products alone?

python benchmarks/bench_training.py [rows, 60000 by default]
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import Figure, report
from made_states import N_SPECIES, PEER_MODEL, made_config
from torch import nn

from chemnet.datasets.preprocessed import DataDescription
from chemnet.models.base import build_model
from chemnet.preprocessing.scaling import AbundanceScaling, PhysicalScaling
from chemnet.training.data_feed import ResidentFeed, RowTable
from chemnet.training.engines import make_session, make_trainer
from chemnet.training.epoch_means import EpochMeans
from chemnet.training.trace import Trace

REPEATS = 5
N_PHYSICAL = 4


def description() -> DataDescription:
    """Return what the model knows of its data."""
    return DataDescription(
        species=tuple(f"S{number}" for number in range(N_SPECIES)),
        elements=("H",),
        stoichiometry=np.ones((N_SPECIES, 1)),
        physical_names=("Density", "Radfield", "Av", "gasTemp"),
        abundance_scaling=AbundanceScaling(1e-20),
        physical_scaling=PhysicalScaling((1.0,) * N_PHYSICAL, (10.0,) * N_PHYSICAL),
    )


class Samples(torch.utils.data.Dataset[dict[str, Any]]):
    """The same rows one at a time, as named NumPy arrays: the getter that Hyrax and most user code has."""

    def __init__(self, rows: RowTable) -> None:
        self.columns = {name: getattr(rows, name).numpy() for name in ("abundance", "physical", "dt")}

    def __len__(self) -> int:
        return len(self.columns["dt"])

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: values[index] for name, values in self.columns.items()}


def chemnet_epoch(rows: RowTable, batch_size: int, folder: Path) -> Callable[[], Any]:
    """Return an epoch of chemnet's own engine: gathered batches, losses read once per log interval."""
    config = made_config(folder, **{"criterion.name": "torch.nn.MSELoss"})
    model = build_model(config, description())
    feed = ResidentFeed(rows, batch_size, seed=1)
    session = make_session(
        model, config, training=feed, validation=feed, folder=folder, device=torch.device("cpu")
    )
    means = EpochMeans("training")
    trainer = make_trainer(session, means, Trace(0))
    return lambda: trainer.run(feed, max_epochs=1, epoch_length=len(feed))


def loader_epoch(rows: RowTable, batch_size: int, folder: Path) -> Callable[[], Any]:
    """Return the same epoch fed sample by sample, as `torch.utils.data.DataLoader` does by default."""
    config = made_config(folder, **{"criterion.name": "torch.nn.MSELoss"})
    model = build_model(config, description())
    optimizer = model.make_optimizer(config)
    loader = torch.utils.data.DataLoader(Samples(rows), batch_size=batch_size, shuffle=True)

    def epoch() -> None:
        for batch in loader:
            optimizer.zero_grad()
            loss, _ = model.train_batch(batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimizer.step()
            loss.item()

    return epoch


def matrix_products(n_rows: int, batch_size: int) -> Callable[[], Any]:
    """Return the matrix products of an epoch, forward and backward, and nothing else."""
    hidden, latent = PEER_MODEL["model.Autoencoder.hidden"], PEER_MODEL["model.Autoencoder.latent_dim"]
    widths = [N_SPECIES, *hidden, latent, *hidden[::-1], N_SPECIES]  # type: ignore[misc]
    layers = [
        (torch.rand(batch_size, n_in), torch.rand(n_out, n_in), torch.rand(batch_size, n_out))
        for n_in, n_out in pairwise(widths)
    ]

    def products() -> None:
        for _ in range(n_rows // batch_size):
            for first, (inputs, weight, gradient) in enumerate(layers):
                inputs @ weight.T
                gradient.T @ inputs
                if first:  # the data need no gradient
                    gradient @ weight

    return products


def rows_per_second(works: dict[str, Callable[[], Any]], n_rows: int) -> dict[str, list[float]]:
    """Return rows per CPU-second of each work, measured in turn."""
    rates: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(REPEATS):
        for name, work in works.items():
            before = time.process_time()
            work()
            rates[name].append(n_rows / (time.process_time() - before))
    return rates


def main() -> None:
    """Measure and print."""
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    rows = RowTable(
        torch.rand(n_rows, N_SPECIES, generator=generator), torch.rand(n_rows, N_PHYSICAL), torch.ones(n_rows)
    )
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for batch_size in (512, 4096):
            works = {
                "chemnet": chemnet_epoch(rows, batch_size, Path(folder)),
                "loader": loader_epoch(rows, batch_size, Path(folder)),
                "products": matrix_products(n_rows, batch_size),
            }
            rates = rows_per_second(works, n_rows)
            figures += _figures(rates, batch_size)
    report(__doc__ or "", figures)


def _figures(rates: dict[str, list[float]], batch_size: int) -> list[Figure]:
    """Return the rates and their ratios."""
    middle = {name: statistics.median(values) for name, values in rates.items()}
    spread = {name: (min(values), max(values)) for name, values in rates.items()}
    words = f"batch {batch_size}:"
    ratios = [ours / theirs for ours, theirs in zip(rates["chemnet"], rates["loader"], strict=True)]
    shares = [ours / floor for ours, floor in zip(rates["chemnet"], rates["products"], strict=True)]
    return [
        Figure(f"{words} chemnet [rows/CPU-s]", middle["chemnet"], spread=spread["chemnet"]),
        Figure(f"{words} per-sample DataLoader [rows/CPU-s]", middle["loader"], spread=spread["loader"]),
        Figure(f"{words} matrix products alone [rows/CPU-s]", middle["products"], spread=spread["products"]),
        Figure(
            f"{words} chemnet / DataLoader", statistics.median(ratios), 3.0, spread=(min(ratios), max(ratios))
        ),
        Figure(f"{words} chemnet / products", statistics.median(shares), spread=(min(shares), max(shares))),
    ]


if __name__ == "__main__":
    main()
