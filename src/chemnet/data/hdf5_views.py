"""Rows of an HDF5 dataset as views of its file, uncopied where a chunk holds the rows as they are."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

# bytes of a map that stay in this process's memory at most: a few chunks
_HELD_BYTES = 8 * 2**20


class Rows(Protocol):
    """Anything that yields rows `(n, ...)` when sliced: an array, or rows of a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> np.ndarray: ...


class StoredRows:
    """Reads slices of a dataset, through a memory map where its file has the rows side by side.

    A chunk without compression is the rows themselves. A slice inside one chunk is a view of the file's own
    pages; every other slice is read by HDF5. A view is to be read only: what is written to one may be lost.

    Parameters
    ----------
    dataset
        The dataset, first axis rows; its file is open for reading and stays as it is.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self.dataset = dataset
        self._row_shape = dataset.shape[1:]
        self._chunk_rows = _plain_chunk_rows(dataset)
        self._map = _private_map(Path(dataset.file.filename)) if self._chunk_rows else None
        self._offsets: dict[int, int | None] = {}
        self._seen_bytes = 0

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Return some consecutive rows, to be read only: what is written to them never reaches the file."""
        start, stop, step = rows.indices(len(self))
        if self._map is None or step != 1 or start >= stop:
            return self.dataset[rows]
        chunk, first = divmod(start, self._chunk_rows)
        offset = self._offset(chunk) if stop <= (chunk + 1) * self._chunk_rows else None
        if offset is None:
            return self.dataset[rows]
        row_items = int(np.prod(self._row_shape, dtype=np.int64))
        begin = offset + first * row_items * self.dataset.dtype.itemsize
        items = (stop - start) * row_items
        self._let_go(items * self.dataset.dtype.itemsize)
        view = np.frombuffer(self._map, dtype=self.dataset.dtype, count=items, offset=begin)
        return view.reshape(stop - start, *self._row_shape)

    def _let_go(self, n_bytes: int) -> None:
        """Count bytes that were looked at, and now and then let their pages go: the file may be huge.

        Views stay valid: a page that is read again comes back from the file.
        """
        self._seen_bytes += n_bytes
        if self._map is not None and self._seen_bytes > _HELD_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._seen_bytes = 0

    def _offset(self, chunk: int) -> int | None:
        """Return where a chunk begins in the file; None when it was never written."""
        if chunk not in self._offsets:
            corner = (chunk * self._chunk_rows, *(0 for _ in self._row_shape))
            self._offsets[chunk] = self.dataset.id.get_chunk_info_by_coord(corner).byte_offset
        return self._offsets[chunk]


class RowRange:
    """A range of `rows`, counted from its own start.

    Parameters
    ----------
    rows
        The rows that it is part of.
    start, stop
        Its first row, and the one after its last.
    """

    def __init__(self, rows: Rows, start: int, stop: int) -> None:
        self._rows, self._range = rows, range(start, stop)

    def __len__(self) -> int:
        return len(self._range)

    def __getitem__(self, rows: slice) -> np.ndarray:
        part = self._range[rows]
        return self._rows[part.start : part.stop : part.step]


def _plain_chunk_rows(dataset: h5py.Dataset) -> int:
    """Return the rows per chunk when chunks hold whole rows without filters, else 0."""
    chunks = dataset.chunks
    plain = chunks is not None and chunks[1:] == dataset.shape[1:] and dataset.dtype.isnative
    return chunks[0] if plain and not dataset.id.get_create_plist().get_nfilters() else 0


def _private_map(path: Path) -> mmap.mmap:
    """Map a whole file; private, as torch wants arrays that could be written to."""
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
