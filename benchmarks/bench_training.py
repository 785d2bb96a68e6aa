"""How fast does chemnet train, beside a DataLoader that fetches sample by sample?

python benchmarks/bench_training.py [tracers of 298 steps, 160 by default]

Same model, optimizer and rows, one thread. One peer reads each sample from the split's file, as a data set
of one's own does; chemnet reads that file too, whole, within the epoch that is measured. The other peer has
its rows in memory. The model alone is that peer without fetching: no way of feeding exceeds model / peer.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from figures import Figure, report
from made_states import N_SPECIES, N_STEPS, PEER_MODEL, MadeStates, made_config
from torch import nn

from chemnet.config import ConfigDict
from chemnet.data.preprocessed import PreprocessedData
from chemnet.models.contract import build_model
from chemnet.registry import VERBS
from chemnet.training.feeds.data_feed import ResidentFeed
from chemnet.training.feeds.split_feeds import SplitReader
from chemnet.training.loop.engines import make_trainer
from chemnet.training.loop.epoch_means import EpochMeans
from chemnet.training.loop.session import make_session
from chemnet.training.loop.trace import Trace

REPEATS = 5
BATCH_SIZES = (512, 4096)
# an epoch of the peer that reads its file takes minutes; this share of one tells its rate
SHARE_FROM_FILE = 0.1
CPU = torch.device("cpu")


class Samples(torch.utils.data.Dataset[dict[str, Any]]):
    """Rows one at a time, as named NumPy arrays: the getter that Hyrax and most user code has.

    It fetches the abundances alone, all that the autoencoder needs; chemnet gathers the other columns too.

    Parameters
    ----------
    abundance
        An array in memory, or an HDF5 dataset, which reads each row from its file.
    """

    def __init__(self, abundance: Any) -> None:
        self.abundance = abundance

    def __len__(self) -> int:
        return len(self.abundance)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"abundance": self.abundance[index]}


def chemnet_epoch(data: PreprocessedData, config: ConfigDict, batch_size: int) -> Callable[[], int]:
    """Return an epoch of chemnet's own engine, the reading of the split included; it returns its rows."""
    model = build_model(config, data.describe())

    def table() -> Any:
        return SplitReader(PreprocessedData(data.path).split("train"), "rows", 0, CPU, Trace(0)).whole()

    feed = ResidentFeed(table(), batch_size, seed=1)
    session = make_session(model, config, training=feed, validation=feed, folder=data.path, device=CPU)
    trainer = make_trainer(session, EpochMeans("training"), Trace(0))

    def epoch() -> int:
        feed.table = table()
        trainer.run(feed, max_epochs=1, epoch_length=len(feed))
        return feed.n_items

    return epoch


def plain_epoch(
    data: PreprocessedData, config: ConfigDict, batches: Iterable[dict[str, Any]]
) -> Callable[[], int]:
    """Return a plain training loop over some batches; it returns its rows."""
    model = build_model(config, data.describe())
    optimizer = model.make_optimizer(config)

    def epoch() -> int:
        rows = 0
        for batch in batches:
            optimizer.zero_grad()
            loss, _ = model.train_batch(batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), config["train"]["gradient_clip"])
            optimizer.step()
            loss.item()
            rows += len(batch["abundance"])
        return rows

    return epoch


def matrix_products(n_rows: int, batch_size: int) -> Callable[[], int]:
    """Return the matrix products of an epoch, forward and backward, and nothing else."""
    hidden: Any = PEER_MODEL["model.Autoencoder.hidden"]
    latent: Any = PEER_MODEL["model.Autoencoder.latent_dim"]
    widths = [N_SPECIES, *hidden, latent, *hidden[::-1], N_SPECIES]
    layers = [
        (torch.rand(batch_size, n_in), torch.rand(n_out, n_in), torch.rand(batch_size, n_out))
        for n_in, n_out in pairwise(widths)
    ]
    n_batches = n_rows // batch_size

    def products() -> int:
        for _ in range(n_batches):
            for first, (inputs, weight, gradient) in enumerate(layers):
                inputs @ weight.T
                gradient.T @ inputs
                if first:  # the data need no gradient
                    gradient @ weight
        return n_batches * batch_size

    return products


def works(data: PreprocessedData, config: ConfigDict, batch_size: int) -> dict[str, Callable[[], int]]:
    """Return what is compared, by the names that the figures bear."""
    split = data.split("train")
    rows = split.abundance
    some = torch.utils.data.RandomSampler(range(len(rows)), num_samples=int(SHARE_FROM_FILE * len(rows)))
    in_file = torch.utils.data.DataLoader(
        Samples(split.stored("abundance").dataset), batch_size=batch_size, sampler=some
    )
    in_memory = torch.utils.data.DataLoader(Samples(rows), batch_size=batch_size, shuffle=True)
    one_batch = [{"abundance": torch.from_numpy(rows[:batch_size])}] * (len(rows) // batch_size)
    return {
        "chemnet": chemnet_epoch(data, config, batch_size),
        "DataLoader from the file": plain_epoch(data, config, in_file),
        "DataLoader from memory": plain_epoch(data, config, in_memory),
        "model alone": plain_epoch(data, config, one_batch),
        "matrix products alone": matrix_products(len(rows), batch_size),
    }


def rows_per_second(compared: dict[str, Callable[[], int]]) -> dict[str, list[float]]:
    """Return rows per CPU-second of each work, measured in turn after a first round."""
    rates: dict[str, list[float]] = {name: [] for name in compared}
    for work in compared.values():
        work()
    for _ in range(REPEATS):
        for name, work in compared.items():
            before = time.process_time()
            rows = work()
            rates[name].append(rows / (time.process_time() - before))
    return rates


def figures_of(rates: dict[str, list[float]], batch_size: int) -> list[Figure]:
    """Return the rates and their ratios within each round."""
    words = f"batch {batch_size}:"
    figures = [_figure(f"{words} {name} [rows/CPU-s]", values) for name, values in rates.items()]
    ratios = (
        ("chemnet", "DataLoader from the file", 3.0),
        ("chemnet", "DataLoader from memory", 3.0),
        ("model alone", "DataLoader from memory", None),
        ("matrix products alone", "DataLoader from memory", None),
        ("chemnet", "model alone", None),
    )
    for ours, theirs, target in ratios:
        values = [our / their for our, their in zip(rates[ours], rates[theirs], strict=True)]
        figures.append(_figure(f"{words} {ours} / {theirs}", values, target))
    return figures


def _figure(name: str, values: list[float], target: float | None = None) -> Figure:
    """Return median and range as a figure."""
    return Figure(name, statistics.median(values), target, spread=(min(values), max(values)))


def main() -> None:
    """Measure and print."""
    MadeStates.n_tracers = int(sys.argv[1]) if len(sys.argv) > 1 else 160
    torch.set_num_threads(1)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        config = made_config(Path(folder), **{"criterion.name": "torch.nn.MSELoss"})
        data = VERBS.get("preprocess")(config).run().data
        print(
            f"{data.split('train').n_rows} of {MadeStates.n_tracers * N_STEPS} states, {N_SPECIES} species\n"
        )
        for batch_size in BATCH_SIZES:
            figures += figures_of(rows_per_second(works(data, config, batch_size)), batch_size)
    report(__doc__ or "", figures)


if __name__ == "__main__":
    main()
