"""HDF5 datasets that grow row by row and reach the file chunk by chunk, each chunk once and whole."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np


class GrowingColumn:
    """A dataset that rows are appended to, through a buffer of one chunk.

    A chunk without compression goes to the file as it is, past HDF5's copies. What has been appended is in
    the dataset after `flush` alone.

    Parameters
    ----------
    dataset
        An empty, chunked dataset whose first axis may grow; its chunks hold whole rows.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self.dataset = dataset
        self._plain = dataset.compression is None
        self._buffer = np.empty(dataset.chunks, dataset.dtype)
        self._stored, self._filled = 0, 0

    def append(self, values: np.ndarray) -> None:
        """Append rows; they are converted to the dataset's dtype."""
        for part, space in self.spaces(len(values)):
            space[...] = values[part]

    def spaces(self, n_rows: int) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield room for `n_rows` rows, piece by piece: which of them, and the array to write them to.

        A piece must be filled before the next one is asked for.
        """
        start = 0
        while start < n_rows:
            stop = min(n_rows, start + len(self._buffer) - self._filled)
            end = self._filled + stop - start
            yield slice(start, stop), self._buffer[self._filled : end]
            start, self._filled = stop, end
            if end == len(self._buffer):
                self.flush()

    def flush(self) -> None:
        """Write what is in the buffer; more can be appended only where that was a whole chunk."""
        if not self._filled:
            return
        self.dataset.resize(self._stored + self._filled, axis=0)
        if self._plain:
            # what is behind the last row must not depend on what was there before
            self._buffer[self._filled :] = 0
            corner = (self._stored, *(0 for _ in self._buffer.shape[1:]))
            self.dataset.id.write_direct_chunk(corner, self._buffer)
        else:
            self.dataset[self._stored :] = self._buffer[: self._filled]
        self._stored, self._filled = self._stored + self._filled, 0
