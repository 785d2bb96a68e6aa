"""What share of its matrix products' rate does the training of the autoencoder reach, on one core?

python benchmarks/bench_autoencoder.py [rows, 65536 by default]

The 333-160-80-14 autoencoder with the default loss, optimizer and engine, on random rows that stay in memory.
The floor is its matrix products alone, forward and backward, into memory that is there already, timed in turn
with the epochs. The plain form computes loss, normalisation and activation by PyTorch's own operations, and
lets the system map large tensors anew in every step.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from figures import Figure, report
from floors import training_products
from made_states import N_SPECIES, made_config, made_description
from timing import ratios, rounds_of
from torch import nn

from chemnet.models.contract import build_model
from chemnet.training.feeds.data_feed import ResidentFeed, RowTable
from chemnet.training.loop.engines import make_trainer
from chemnet.training.loop.epoch_means import EpochMeans
from chemnet.training.loop.session import make_session
from chemnet.training.loop.trace import Trace
from chemnet.training.parallel.memory import kept_memory

HIDDEN, LATENT_DIM = [160, 80], 14
BATCH_SIZES = (4096, 65536)
ROUNDS, TARGET = 7, 0.7
CPU = torch.device("cpu")


class PlainLoss(nn.Module):
    """The default criterion by plain operations, without its blocks.

    Parameters
    ----------
    criterion
        The criterion.
    """

    def __init__(self, criterion: Any) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(self, predicted: torch.Tensor, target: torch.Tensor) -> Any:
        """Return the loss and its terms."""
        return self.criterion.plain(predicted, target)


def epoch(table: RowTable, batch_size: int, folder: Path, plain: bool) -> Callable[[], None]:
    """Return an epoch of chemnet's own engine over a table."""
    config = made_config(
        folder, **{"model.Autoencoder.hidden": HIDDEN, "model.Autoencoder.latent_dim": LATENT_DIM}
    )
    torch.manual_seed(0)
    model = build_model(config, made_description())
    if plain:
        model.criterion = PlainLoss(model.criterion)
        for layer in model.modules():
            # what is watched is computed by PyTorch's own operations
            layer.register_forward_hook(lambda *call: None)
    feed = ResidentFeed(table, batch_size, seed=1)
    session = make_session(model, config, training=feed, validation=feed, folder=folder, device=CPU)
    trainer = make_trainer(session, EpochMeans("training"), Trace(0))

    def train() -> None:
        trainer.run(feed, max_epochs=1, epoch_length=len(feed))

    return train


def figures_of(batch_size: int, n_rows: int, folder: Path) -> list[Figure]:
    """Compare floor, chemnet and the plain form at one batch size."""
    table = RowTable(torch.rand(n_rows, N_SPECIES), torch.rand(n_rows, 4), torch.rand(n_rows))
    widths = [N_SPECIES, *HIDDEN, LATENT_DIM, *HIDDEN[::-1], N_SPECIES]
    floor = training_products(widths, batch_size, n_rows // batch_size)
    # as `chemnet train` does it: memory is kept for the whole training
    with kept_memory():
        works = {"floor": floor, "chemnet": epoch(table, batch_size, folder, plain=False)}
        ours = rounds_of(works, ROUNDS)
    works = {"floor": floor, "plain": epoch(table, batch_size, folder, plain=True)}
    plain = rounds_of(works, max(1, ROUNDS // 3))
    words = f"autoencoder training, batch {batch_size}"
    rate = Figure.of(f"{words} [rows/CPU-s]", [n_rows / value for value in ours["chemnet"]])
    share = Figure.of(f"{words}, share of its floor", ratios(ours["floor"], ours["chemnet"]), TARGET)
    before = Figure.of(f"{words}, plain form, share of its floor", ratios(plain["floor"], plain["plain"]))
    return [share, before, rate]


def main() -> None:
    """Measure and print."""
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else max(BATCH_SIZES)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        figures = [one for size in BATCH_SIZES for one in figures_of(size, n_rows, Path(folder))]
    report(__doc__ or "", figures)


if __name__ == "__main__":
    main()
