"""Method "timeless": rows without their order in time, for networks that see one state at a time.

Tracers are split as in "sequential"; the rows of the training split are then shuffled, so that even a reader
that goes through the file from front to back sees well-mixed batches. Validation and test keep their
trajectories.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from chemnet.config import ConfigDict
from chemnet.data.chem_dataset import BLOCK_VALUES, ChemDataset
from chemnet.data.fused_scaling import scale_abundances
from chemnet.data.preprocess.method import PreprocessingMethod, TracerLabels, keeps_raw
from chemnet.data.preprocess.split_labels import write_split_file
from chemnet.data.preprocess.split_writer import (
    LooseRowWriter,
    Rows,
    SplitLayout,
    SplitWriter,
    TrajectoryWriter,
)
from chemnet.registry import PREPROCESSING


@PREPROCESSING.register(name="timeless")
class Timeless(PreprocessingMethod):
    """Split by tracer and shuffle the rows of the training split."""

    name = "timeless"
    labels: TracerLabels

    def __init__(self, config: ConfigDict, dataset: ChemDataset) -> None:
        super().__init__(config, dataset)
        self.labels = self.split_tracers()
        n_rows = int(
            (self.labels.labels[self.labels.tracers] == 0) @ self.labels.kept_lengths[self.labels.tracers]
        )
        self._n_buckets = -(-n_rows * dataset.n_columns // BLOCK_VALUES)

    def writer(self, split: str, path: Path, layout: SplitLayout) -> SplitWriter:
        """Return a shuffling writer for the training split, an ordered one for the others."""
        if split == "train":
            return ShuffledWriter(path, layout, self._n_buckets, self.seed)
        return TrajectoryWriter(path, layout, keeps_raw(split))

    def write_split_file(self, path: Path) -> None:
        """Write the tracers of each split."""
        write_split_file(path, self.dataset.tracer_ids, self.labels.labels)


class ShuffledWriter(LooseRowWriter):
    """Rows in a random order, shuffled on disk in two passes.

    Each scaled row first goes to a random bucket, a temporary file beside the split; at the end each bucket,
    small enough for the memory, is shuffled and appended. All orders of the rows are equally likely.

    Parameters
    ----------
    path
        The file to make.
    layout
        Scalings and shapes.
    n_buckets
        Number of buckets, at least 1.
    seed
        Seed of the order.
    """

    def __init__(self, path: Path, layout: SplitLayout, n_buckets: int, seed: int) -> None:
        super().__init__(path, layout, keep_raw=False)
        self._rng = np.random.default_rng((seed, 1))
        self._row_type = [
            (name, dtype, (width,) if width else ()) for name, width, dtype in self._specification()
        ]
        self._folder = tempfile.TemporaryDirectory(prefix="shuffle-", dir=path.parent)
        self._buckets = [Path(self._folder.name) / f"{index}.rows" for index in range(n_buckets)]

    def append(self, rows: Rows) -> bool:
        """Scale rows and spread them over the buckets."""
        scaled = np.empty((len(rows), self._layout.n_species), dtype=np.float32)
        sound = scale_abundances(rows.abundance, rows.chosen, self._layout.abundance_scaling, scaled)
        self._spread({"abundance": scaled, **self._conditions(rows)})
        self.n_rows += len(rows)
        return sound

    def finish(self) -> None:
        """Write the buckets, shuffled, and remove them."""
        for columns in self._shuffled_buckets():
            self._append_columns(columns)
        self._folder.cleanup()
        super().finish()

    def discard(self) -> None:
        """Remove the buckets and close the file after an error."""
        self._folder.cleanup()
        super().discard()

    def _spread(self, values: Mapping[str, np.ndarray]) -> None:
        table = np.empty(len(values["time"]), dtype=self._row_type)
        for name in self._columns:
            table[name] = values[name]
        bucket = self._rng.integers(len(self._buckets), size=len(table))
        order = np.argsort(bucket, kind="stable")
        edges = np.searchsorted(bucket[order], np.arange(len(self._buckets) + 1))
        for path, (first, last) in zip(self._buckets, pairwise(edges), strict=True):
            with path.open("ab") as stream:
                table[order[first:last]].tofile(stream)

    def _shuffled_buckets(self) -> Iterator[Mapping[str, np.ndarray]]:
        """Yield the rows of each bucket in random order, as columns."""
        for path in self._buckets:
            if path.exists():
                table = self._rng.permutation(np.fromfile(path, dtype=self._row_type))
                path.unlink()
                yield {name: table[name] for name in self._columns}
