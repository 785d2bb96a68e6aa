"""From the splits of a preprocess result to feeds: resident on the device where they fit, else streamed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from chemnet.config import ConfigDict
from chemnet.data.preprocessed import PreprocessedData, Split
from chemnet.errors import ConfigError, DataError
from chemnet.progress import get_logger
from chemnet.registry import MODELS
from chemnet.results import ResultDirectory
from chemnet.training.feeds.data_feed import Feed, ResidentFeed, RowTable, StreamedFeed, Table, WindowTable
from chemnet.training.feeds.shuffling import ChunkedShuffleSampler
from chemnet.training.loop.trace import Trace
from chemnet.training.parallel.devices import free_memory

# Rows that are read at a time from a streamed split: a chunk of its file, 2.7 MB of 333 species. The smaller
# it is, the more chunks of distant tracers are mixed in memory; at least this many are.
_CHUNK_ROWS, _FEWEST_CHUNKS = 2048, 8
_log = get_logger(__name__)


def training_data(result: ResultDirectory, config: ConfigDict) -> PreprocessedData:
    """Return a preprocess result in the windows that ``train.window`` asks for; false: in its own."""
    data, window = PreprocessedData(result), config["train"]["window"]
    if window is False or MODELS.get(config["model"]["name"]).feed != "windows":
        return data
    cut = data.in_windows(window)
    if cut.window != window:
        _log.info("train.window: windows of %d rows, the length of the shortest tracer", cut.window)
    return cut


def make_feeds(
    data: PreprocessedData,
    kind: str,
    config: ConfigDict,
    device: torch.device,
    trace: Trace,
    shard: Callable[[Table], Table] = lambda table: table,
) -> tuple[Feed, Feed]:
    """Return the shuffled feed of the training split and the ordered feed of the validation split.

    Parameters
    ----------
    data
        The preprocess result.
    kind
        ``"rows"`` or ``"windows"``.
    config
        Reads ``[train]`` and the seed.
    device
        Where batches are gathered.
    trace
        Shown each read.
    shard
        Gives the table of this process's part of each batch.

    Raises
    ------
    ConfigError
        When a batch is to hold nothing.
    DataError
        When the training split has nothing to train on, or a split that is monitored is empty.
    """
    table = config["train"]
    batch_size = _batch_size(table, kind)
    splits = {name: data.split(name) for name in ("train", "validate")}
    row_bytes = 4 * (len(data.species) + len(data.physical_names) + 1)
    needed = row_bytes * sum(split.n_rows for split in splits.values())
    resident = needed <= table["memory_share"] * free_memory(device)
    if not resident:
        _log.info("the splits need %.1f GB: batches are streamed from the files", needed / 1e9)
    feeds = []
    for name, seed in (("train", config["general"]["seed"]), ("validate", None)):
        reader = SplitReader(splits[name], kind, data.window or 0, device, trace)
        feeds.append(
            ResidentFeed(shard(reader.whole()), batch_size, seed)
            if resident
            else reader.streamed(table["stream_rows"], batch_size, seed, shard)
        )
    training, validation = feeds
    _refuse_empty(training, validation, kind, table["monitor"])
    return training, validation


def batch_bytes(result: ResultDirectory, config: ConfigDict) -> int:
    """Return the bytes of a batch's abundances, which no tensor of a usual training step exceeds by much."""
    data, kind = training_data(result, config), MODELS.get(config["model"]["name"]).feed
    rows = 1 if kind == "rows" else data.window or 1
    return 4 * rows * len(data.species) * _batch_size(config["train"], kind)


def _batch_size(table: ConfigDict, kind: str) -> int:
    """Return the items per step that ``[train]`` asks for."""
    own = table["batch_size"] is not False
    key = "batch_size" if own else "rows_per_batch" if kind == "rows" else "windows_per_batch"
    if table[key] < 1:
        raise ConfigError(f"train.{key} = {table[key]}: a batch holds nothing", hint="set it to 1 or more")
    return table[key]


class SplitReader:
    """Reads a split, whole or in blocks, as tables on a device.

    Parameters
    ----------
    split
        The split.
    kind
        ``"rows"`` or ``"windows"``.
    window
        Rows per window.
    device
        Where the tables go.
    trace
        Shown each read.
    """

    def __init__(self, split: Split, kind: str, window: int, device: torch.device, trace: Trace) -> None:
        self.split, self.kind, self.window, self.device, self.trace = split, kind, window, device, trace

    def whole(self) -> Table:
        """Return the whole split as one table; on the CPU it shares memory with the split."""
        columns = {
            name: self._traced(name, partial(getattr, self.split, name)) for name in ("abundance", "physical")
        }
        rows = self._rows(columns["abundance"], columns["physical"], self.split.dt)
        if self.kind == "rows":
            return rows
        return WindowTable(rows, self._index(self.split.window_start), self.window)

    def streamed(
        self,
        rows_in_memory: int,
        batch_size: int,
        seed: int | None,
        shard: Callable[[Table], Table] = lambda table: table,
    ) -> StreamedFeed:
        """Return a feed that reads the split in chunks: of whole tracers for windows, else of rows."""
        chunk_rows = max(1, min(_CHUNK_ROWS, rows_in_memory // _FEWEST_CHUNKS))
        if self.kind == "rows":
            edges = np.append(np.arange(0, self.split.n_rows, chunk_rows), self.split.n_rows)
            items = np.diff(edges)
        else:
            edges = _tracer_edges(self.split.offsets, chunk_rows)
            items = np.diff(np.searchsorted(self.split.window_start, edges))
        # a chunk of tracers that are shorter than a window holds nothing
        chunks = [(edges[k], edges[k + 1]) for k in np.flatnonzero(items)]
        read: Callable[[int], Table] = lambda chunk: shard(self.block(*chunks[chunk]))  # noqa: E731
        sampler = ChunkedShuffleSampler(items[items > 0].tolist(), rows_in_memory // chunk_rows, seed)
        return StreamedFeed(read, sampler, batch_size)

    def block(self, first: int, last: int) -> Table:
        """Return rows ``first:last`` as a table."""
        rows = slice(int(first), int(last))
        columns = {
            name: self._traced(name, partial(self.split.read, name, rows))
            for name in ("abundance", "physical")
        }
        table = self._rows(columns["abundance"], columns["physical"], self.split.dt[rows])
        if self.kind == "rows":
            return table
        low, high = np.searchsorted(self.split.window_start, (first, last))
        return WindowTable(table, self._index(self.split.window_start[low:high] - first), self.window)

    def _rows(self, abundance: np.ndarray, physical: np.ndarray, dt: np.ndarray) -> RowTable:
        tensors = (
            torch.from_numpy(np.asarray(column, dtype=np.float32)) for column in (abundance, physical, dt)
        )
        return RowTable(*(tensor.to(self.device) for tensor in tensors))

    def _index(self, starts: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(starts, dtype=np.int64)).to(self.device)

    def _traced(self, name: str, read: Callable[[], np.ndarray]) -> np.ndarray:
        """Read a column, showing it to the trace."""
        return self.trace.call(f"read {self.split.name}.{name}", read)


def _tracer_edges(offsets: np.ndarray, chunk_rows: int) -> np.ndarray:
    """Return the row edges of chunks of whole tracers, each of about `chunk_rows` rows."""
    targets = np.arange(0, offsets[-1], chunk_rows)
    return np.unique(np.append(offsets[np.searchsorted(offsets, targets)], offsets[-1]))


def _refuse_empty(training: Feed, validation: Feed, kind: str, monitor: str) -> None:
    """Raise when there is nothing to train on, or nothing to watch."""
    if not training.n_items:
        raise DataError(
            f"the training split holds no {kind}", hint="look at preprocess.train_size and preprocess.window"
        )
    if not validation.n_items and monitor.startswith("validate_"):
        raise DataError(
            f"the validate split holds no {kind}, and train.monitor = {monitor!r} watches it",
            hint="set preprocess.validate_size above 0, or train.monitor = 'train_loss'",
        )
