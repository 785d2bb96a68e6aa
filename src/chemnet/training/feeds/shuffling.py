"""The order of an epoch, for splits in memory and for those that are streamed in chunks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def shuffled(n_items: int, seed: int | None, *stream: int) -> np.ndarray:
    """Return the order of items: random by (seed, stream), or as they stand when there is no seed."""
    if seed is None:
        return np.arange(n_items)
    return np.random.default_rng((seed, *stream)).permutation(n_items)


class ChunkedShuffleSampler:
    """Order of items that are read chunk by chunk: chunks in random order, several mixed at a time.

    Every item comes exactly once per epoch. Items that stand together in the file share a chunk, so chunks
    are small and many of them are mixed: next to an item, any of the others in memory comes equally likely.

    Parameters
    ----------
    chunk_items
        Items of each chunk.
    chunks_in_memory
        Chunks that are mixed with one another: a group.
    seed
        Shuffles chunks and items of each epoch in their own order; None keeps the order of the file.

    Examples
    --------
    >>> ChunkedShuffleSampler([2, 3, 2], chunks_in_memory=2, seed=None).epoch_order(1).tolist()
    [0, 1, 2, 3, 4, 5, 6]
    """

    def __init__(self, chunk_items: Sequence[int], chunks_in_memory: int, seed: int | None) -> None:
        self.chunk_items, self.seed = list(chunk_items), seed
        self.chunks_in_memory = max(1, chunks_in_memory)

    @property
    def n_items(self) -> int:
        """Items per epoch."""
        return sum(self.chunk_items)

    def groups(self, epoch: int) -> list[list[int]]:
        """Return the chunks of each group of an epoch, in the order in which they are read."""
        order = shuffled(len(self.chunk_items), self.seed, epoch).tolist()
        size = self.chunks_in_memory
        return [order[first : first + size] for first in range(0, len(order), size)]

    def within(self, n_items: int, epoch: int, group: int) -> np.ndarray:
        """Return the order of the `n_items` items of a group, whose chunks stand one after another."""
        return shuffled(n_items, self.seed, epoch, group)

    def epoch_order(self, epoch: int) -> np.ndarray:
        """Return all items in the order of an epoch, counted as they stand in the file."""
        first = np.cumsum([0, *self.chunk_items])
        parts = []
        for number, chunks in enumerate(self.groups(epoch)):
            items = np.concatenate([np.arange(first[chunk], first[chunk + 1]) for chunk in chunks])
            parts.append(items[self.within(len(items), epoch, number)])
        return np.concatenate(parts) if parts else np.arange(0)
