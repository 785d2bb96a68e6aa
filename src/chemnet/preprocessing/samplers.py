"""Samplers that visit each row (or window) once per epoch, in a seeded random order, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chemnet.errors import DataError


class ShuffledBatchSampler:
    """Batches of indices, each of `size` indices exactly once per epoch.

    Parameters
    ----------
    size
        Number of rows or windows.
    batch_size
        Indices per batch; the last batch holds the rest.
    seed
        The order is a function of (seed, epoch) alone, so a resumed run sees the order it would have seen.

    Examples
    --------
    >>> batches = list(ShuffledBatchSampler(5, 2, seed=1))
    >>> [len(batch) for batch in batches], sorted(np.concatenate(batches).tolist())
    ([2, 2, 1], [0, 1, 2, 3, 4])
    """

    def __init__(self, size: int, batch_size: int, seed: int) -> None:
        _check_sizes(size, batch_size)
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-self.size // self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield int64 index arrays `(batch_size,)`; `torch.from_numpy` makes them index tensors."""
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.size)
        for start in range(0, self.size, self.batch_size):
            yield order[start : start + self.batch_size]


class ChunkedShuffleSampler:
    """As `ShuffledBatchSampler`, for splits that do not fit in memory: a batch needs few chunks of the file.

    The rows are cut into chunks of `chunk_rows`. Each epoch draws a random order of the chunks, gathers
    `chunks_in_memory` of them at a time and shuffles the rows of this group, so a reader holds
    ``chunk_rows * chunks_in_memory`` rows and reads every chunk once. Every batch but the last is full: what
    a group leaves over opens the next group's first batch.

    Parameters
    ----------
    size
        Number of rows.
    batch_size
        Indices per batch.
    seed
        The order is a function of (seed, epoch) alone.
    chunk_rows
        Rows per chunk; the chunk length of the HDF5 file or a multiple of it.
    chunks_in_memory
        Chunks that are mixed with one another; more is closer to a full shuffle.
    """

    def __init__(
        self, size: int, batch_size: int, seed: int, chunk_rows: int = 4096, chunks_in_memory: int = 32
    ) -> None:
        _check_sizes(size, batch_size)
        if chunk_rows < 1 or chunks_in_memory < 1:
            raise DataError(f"a group of {chunks_in_memory} chunks of {chunk_rows} rows holds no row")
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.chunk_rows = chunk_rows
        self.chunks_in_memory = chunks_in_memory
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-self.size // self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield int64 index arrays `(batch_size,)`."""
        rng = np.random.default_rng((self.seed, self.epoch))
        left_over = np.empty(0, dtype=np.int64)
        for group in self._groups(rng):
            rows = np.concatenate([left_over, rng.permutation(group)])
            full = rows.size // self.batch_size * self.batch_size
            yield from rows[:full].reshape(-1, self.batch_size)
            left_over = rows[full:]
        if left_over.size:
            yield left_over

    def _groups(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yield the rows of each group of chunks, the chunks drawn at random without replacement."""
        first_rows = rng.permutation(np.arange(0, self.size, self.chunk_rows))
        for start in range(0, first_rows.size, self.chunks_in_memory):
            chunks = first_rows[start : start + self.chunks_in_memory]
            yield np.concatenate([np.arange(row, min(row + self.chunk_rows, self.size)) for row in chunks])


def _check_sizes(size: int, batch_size: int) -> None:
    """Refuse an epoch without rows or batches without indices."""
    if size < 1:
        raise DataError(f"a split of {size} rows has nothing to sample")
    if batch_size < 1:
        raise DataError(f"a batch of {batch_size} rows is empty", hint="set the batch size to 1 or more")
