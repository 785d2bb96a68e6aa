"""Batches: every row (or window) exactly once per epoch, nothing dropped, no work per sample.

A *table* holds consecutive rows of a split as tensors on the device; a batch is one indexed gather from it.
When a split fits on the device its table lives there for the whole training (`ResidentFeed`); larger splits
pass through in shuffled chunks, the next being read while the current ones train (`StreamedFeed`). The order
is a function of (seed, epoch) alone: a resumed run sees the batches that it would have seen.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from chemnet.training.feeds.shuffling import ChunkedShuffleSampler, shuffled

Batch = dict[str, Tensor]


class Table(Protocol):
    """Rows of a split on the device, and the items (rows or windows) that can be gathered from them."""

    @property
    def n_items(self) -> int:
        """Rows or windows."""
        ...

    def gather(self, items: Tensor) -> Batch:
        """Return the batch of some items, `(B,)` int64."""
        ...

    @classmethod
    def joined(cls, tables: Sequence[Self]) -> Self:
        """Return several tables as one."""
        ...


@dataclass(frozen=True)
class RowTable:
    """Rows as items: `abundance` (rows, S), `physical` (rows, P), `dt` (rows,) [yr] to the next row."""

    abundance: Tensor
    physical: Tensor
    dt: Tensor

    @property
    def n_items(self) -> int:
        """Number of rows."""
        return len(self.abundance)

    def gather(self, items: Tensor) -> Batch:
        """Return the batch of some rows."""
        return {
            "abundance": self.abundance.index_select(0, items),
            "physical": self.physical.index_select(0, items),
            "dt": self.dt.index_select(0, items),
        }

    @classmethod
    def joined(cls, tables: Sequence[Self]) -> Self:
        """Return the rows of several tables, one after another."""
        return cls(*(torch.cat(columns) for columns in zip(*map(_columns, tables), strict=True)))

    def slices(self, rows: int) -> Iterator[Batch]:
        """Yield all rows in order, at most `rows` at a time, without copying."""
        for start in range(0, self.n_items, rows):
            part = slice(start, start + rows)
            yield {"abundance": self.abundance[part], "physical": self.physical[part], "dt": self.dt[part]}


@dataclass(frozen=True)
class WindowTable:
    """Windows of `window` consecutive rows as items, by their first rows `starts` (n_windows,)."""

    rows: RowTable
    starts: Tensor
    window: int

    @property
    def n_items(self) -> int:
        """Number of windows."""
        return len(self.starts)

    def gather(self, items: Tensor) -> Batch:
        """Return the batch of some windows: `abundance` (B, W, S), `physical` (B, W-1, P), `dt` (B, W-1)."""
        steps = torch.arange(self.window, device=items.device)
        index = self.starts.index_select(0, items)[:, None] + steps
        shape, driving = index.shape, index[:, :-1]
        return {
            "abundance": self.rows.abundance.index_select(0, index.flatten()).unflatten(0, shape),
            "physical": self.rows.physical.index_select(0, driving.flatten()).unflatten(0, driving.shape),
            "dt": self.rows.dt.index_select(0, driving.flatten()).unflatten(0, driving.shape),
        }

    @classmethod
    def joined(cls, tables: Sequence[Self]) -> Self:
        """Return the windows of several tables; their rows stand one after another."""
        first_rows = np.cumsum([0, *(table.rows.n_items for table in tables)]).tolist()
        starts = [table.starts + first for table, first in zip(tables, first_rows, strict=False)]
        return cls(RowTable.joined([table.rows for table in tables]), torch.cat(starts), tables[0].window)


@dataclass(frozen=True)
class TableShard:
    """A table that gathers every `size`-th item of each batch, from number `rank` on: one process's shard."""

    table: Table
    rank: int
    size: int

    @property
    def n_items(self) -> int:
        """Rows or windows of the whole table."""
        return self.table.n_items

    def gather(self, items: Tensor) -> Batch:
        """Return this shard of the batch of some items."""
        return self.table.gather(items[self.rank :: self.size])

    @classmethod
    def joined(cls, tables: Sequence[Self]) -> Self:
        """Return the shards of several tables as one."""
        whole = type(tables[0].table).joined([shard.table for shard in tables])
        return cls(whole, tables[0].rank, tables[0].size)


class Feed(ABC):
    """The batches of a split, in another order each epoch.

    Attributes
    ----------
    n_items
        Rows or windows per epoch.
    batch_size
        Items per batch at most; the batches of an epoch differ by one item at most.
    epoch
        The epoch whose order the next iteration gives.
    """

    def __init__(self, n_items: int, batch_size: int) -> None:
        self.n_items, self.batch_size, self.epoch = n_items, batch_size, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(batch_sizes(self.n_items, self.batch_size))

    @abstractmethod
    def __iter__(self) -> Iterator[Batch]: ...

    @abstractmethod
    def row_batches(self) -> Iterator[Batch]:
        """Yield every row of the split in order: for statistics over the split."""


class ResidentFeed(Feed):
    """Batches gathered from a table that stays on the device.

    Parameters
    ----------
    table
        The whole split.
    batch_size
        Items per batch at most.
    seed
        Shuffles each epoch in its own order; None keeps the order of the split.
    """

    def __init__(self, table: Table, batch_size: int, seed: int | None) -> None:
        super().__init__(table.n_items, batch_size)
        self.table, self.seed = table, seed

    def __iter__(self) -> Iterator[Batch]:
        order = shuffled(self.n_items, self.seed, self.epoch)
        # one transfer per epoch, then views of it
        items = torch.from_numpy(order).to(_device(self.table))
        for part in items.split(batch_sizes(self.n_items, self.batch_size)):
            yield self.table.gather(part)

    def row_batches(self) -> Iterator[Batch]:
        """Yield every row of the split in order, as views."""
        yield from _rows(self.table).slices(_STATISTICS_BATCH)


class StreamedFeed(Feed):
    """Batches from a split that does not fit: chunks in random order, many mixed at a time.

    Parameters
    ----------
    read
        Returns one chunk as a table on the device.
    sampler
        Which chunks are mixed, and the order of the items; the next group is read while one is trained on, so
        twice its chunks are held.
    batch_size
        Items per batch at most.
    """

    def __init__(self, read: Callable[[int], Table], sampler: ChunkedShuffleSampler, batch_size: int) -> None:
        super().__init__(sampler.n_items, batch_size)
        self._read, self.sampler = read, sampler

    def __iter__(self) -> Iterator[Batch]:
        sizes = iter(batch_sizes(self.n_items, self.batch_size))
        missing, parts = next(sizes, 0), []
        for number, table in enumerate(self._groups()):
            order = self.sampler.within(table.n_items, self.epoch, number)
            items = torch.from_numpy(order).to(_device(table))
            start = 0
            while start < len(items):
                part = items[start : start + missing]
                parts.append(table.gather(part))
                start, missing = start + len(part), missing - len(part)
                if missing == 0:
                    yield _concatenated(parts)
                    missing, parts = next(sizes, 0), []

    def row_batches(self) -> Iterator[Batch]:
        """Yield every row of the split in order."""
        for chunk in range(len(self.sampler.chunk_items)):
            yield from _rows(self._read(chunk)).slices(_STATISTICS_BATCH)

    def _groups(self) -> Iterator[Table]:
        """Yield the tables of the sampler's groups, reading one ahead."""
        groups = self.sampler.groups(self.epoch)
        with ThreadPoolExecutor(max_workers=1) as reader:
            ahead = reader.submit(self._read_group, groups[0])
            for following in [*groups[1:], None]:
                table = ahead.result()
                if following is not None:
                    ahead = reader.submit(self._read_group, following)
                yield table

    def _read_group(self, chunks: Sequence[int]) -> Table:
        tables = [self._read(chunk) for chunk in chunks]
        return tables[0] if len(tables) == 1 else type(tables[0]).joined(tables)


# rows at a time when statistics of a whole split are taken
_STATISTICS_BATCH = 16384


def batch_sizes(n_items: int, batch_size: int) -> list[int]:
    """Return the sizes of an epoch's batches: as few as possible, differing by one at most.

    No batch is left with a single item by chance, which BatchNorm could not normalise.

    Examples
    --------
    >>> batch_sizes(9, 4)
    [3, 3, 3]
    """
    n_batches = math.ceil(n_items / batch_size)
    return [n_items // n_batches + (k < n_items % n_batches) for k in range(n_batches)]


def _device(table: Table) -> torch.device:
    return _rows(table).abundance.device


def _rows(table: Table) -> RowTable:
    if isinstance(table, TableShard):
        return _rows(table.table)
    if isinstance(table, WindowTable):
        return table.rows
    assert isinstance(table, RowTable)
    return table


def _columns(table: RowTable) -> tuple[Tensor, Tensor, Tensor]:
    return table.abundance, table.physical, table.dt


def _concatenated(parts: Sequence[Batch]) -> Batch:
    if len(parts) == 1:
        return parts[0]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
