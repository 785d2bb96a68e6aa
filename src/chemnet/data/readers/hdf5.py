"""HDF5 files: opening them with plain messages, and the column tables that Carbox and others keep inside."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from chemnet.data.readers.global_heaps import refuse_endless_heaps
from chemnet.data.readers.table_source import Segments, TableSource, tracer_label
from chemnet.errors import DataError
from chemnet.extras import is_installed, require

if is_installed("hdf5plugin"):
    import hdf5plugin  # noqa: F401  # registers blosc and the other filters of PyTables

# values never written take no room in a file, and deflate packs a thousand bytes into one
_MOST_PER_BYTE, _ALWAYS_ALLOWED, _LARGEST_CHUNK = 1100, 64 << 20, 1 << 30
# groups within one another
_DEEPEST = 32
SIGNATURE = b"\x89HDF\r\n\x1a\n"
LABEL_ROWS = 1 << 20


def open_hdf5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading.

    Raises
    ------
    DataError
        When the file is truncated or damaged.
    """
    try:
        refuse_endless_heaps(path)
        return h5py.File(path, "r")
    except OSError as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> DataError:
    """Return the error for a file that HDF5 cannot read.

    Raises
    ------
    MissingPackageError
        When it is whole, but compressed by a filter that only an extra brings.
    """
    if "filter" in str(error) or "plugin" in str(error):
        require("hdf5plugin", f"{path}: its compression")
    kind = "a truncated HDF5 file" if "truncated" in str(error) else "not a readable HDF5 file"
    return DataError(
        f"{path}: {kind} ({error})", hint="copy or write the file again; it may not have been closed"
    )


def groups(file: h5py.File) -> Iterator[tuple[str, h5py.Group]]:
    """Yield every group with its path, the root first, each once; sizes beyond any such file are refused.

    Raises
    ------
    DataError
        When a dataset claims more values than can have been written, or groups are nested more than 32 deep.
    """
    allowed = _ALWAYS_ALLOWED + _MOST_PER_BYTE * Path(file.filename).stat().st_size
    level, seen = [file["/"]], {file["/"]}
    for _ in range(_DEEPEST):
        for group in level:
            yield group.name.strip("/"), group
        nodes = [node for group in level for node in _nodes(group)]
        for node in nodes:
            if isinstance(node, h5py.Dataset):
                _refuse_claims(node, allowed)
        level = [node for node in dict.fromkeys(nodes) if isinstance(node, h5py.Group) and node not in seen]
        seen.update(level)
    if level:
        raise DataError(f"{file.filename}: its groups are nested more than {_DEEPEST} deep")


def _nodes(group: h5py.Group) -> Iterator[Any]:
    """Yield what a group holds; a link that leads nowhere holds nothing."""
    for name in group:
        with suppress(KeyError, OSError):
            yield group[name]


def _refuse_claims(dataset: h5py.Dataset, allowed: int) -> None:
    """Refuse a dataset that would fill the memory with what nobody wrote."""
    claimed = math.prod(dataset.shape or ()) * dataset.dtype.itemsize
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    where = f"{dataset.file.filename}: '{dataset.name.strip('/')}'"
    if claimed > allowed:
        raise DataError(
            f"{where} claims {claimed:,} bytes in the shape {dataset.shape}; no file of this size holds them",
            hint="write the file again with the rows that there are",
        )
    if chunk > _LARGEST_CHUNK:
        raise DataError(
            f"{where} has chunks {dataset.chunks} of {chunk:,} bytes, which are read whole",
            hint="rewrite it with smaller chunks: h5repack -l CHUNK=1000x8 old.h5 new.h5",
        )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn HDF5's errors on damaged chunks and metadata into `DataError`."""
    try:
        yield
    except (OSError, RuntimeError, MemoryError) as error:
        raise damaged(path, error) from error


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn what h5py and NumPy raise over parts that are not what their names say into `DataError`."""
    try:
        with readable(path):
            yield
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise DataError(
            f"{path}: not laid out as tables in HDF5 are ({type(error).__name__}: {error})",
            hint="write the table again, or compare it with docs/explanation/conventions.md",
        ) from error


def texts(values: Any) -> list[str]:
    """Return an array of byte strings, text or numbers as stripped text."""
    return [tracer_label(value) for value in np.asarray(values).ravel()]


class ColumnTable(TableSource):
    """A group with `data` (rows, columns) and `columns`, as in Carbox sets.

    `tracer_ptr` (n_tracers, 3) = [id, first row, rows] is used where the group has one.
    """

    def __init__(self, path: Path, group: h5py.Group) -> None:
        self.path = path
        self.where = f"{path} (group '{group.name.strip('/') or '/'}')"
        self._data: h5py.Dataset = group["data"]
        self._pointers = group["tracer_ptr"][:] if "tracer_ptr" in group else None
        self.columns = tuple(texts(group["columns"][:]))
        if self._data.ndim != 2 or self._data.shape[1] != len(self.columns):
            raise DataError(
                f"{self.where}: data of shape {self._data.shape} does not have {len(self.columns)} columns"
            )

    @staticmethod
    def matches(group: h5py.Group) -> bool:
        """Tell whether a group holds such a table."""
        return isinstance(group.get("data"), h5py.Dataset) and isinstance(group.get("columns"), h5py.Dataset)

    def read(self, start: int, stop: int, columns: Sequence[int]) -> np.ndarray:
        """Return rows of some columns, float64."""
        low, high = min(columns), max(columns) + 1
        with readable(self.path):
            rows = self._data[start:stop, low:high]
        out = np.empty((len(rows), len(columns)))
        copy_columns(rows, [column - low for column in columns], out, range(len(columns)))
        return out

    def labels(self, column: int) -> Iterator[np.ndarray]:
        """Yield one column in pieces."""
        for start in range(0, len(self._data), LABEL_ROWS):
            with readable(self.path):
                piece = self._data[start : start + LABEL_ROWS, column]
            yield piece

    def segments(self, tracer_column: int | None, time_column: int) -> Segments:
        """Return the tracers, from `tracer_ptr` where there is one."""
        if self._pointers is None:
            return super().segments(tracer_column, time_column)
        pointers = np.asarray(self._pointers, dtype=np.int64).reshape(-1, 3)
        if len(pointers) and (
            pointers[:, 1:].min() < 0 or pointers[:, 1:].sum(axis=1).max() > len(self._data)
        ):
            raise DataError(f"{self.where}: tracer_ptr points beyond the {len(self._data)} rows of data")
        return Segments([str(tracer) for tracer in pointers[:, 0]], pointers[:, 1], pointers[:, 2])


def copy_columns(rows: np.ndarray, places: Sequence[int], out: np.ndarray, targets: Sequence[int]) -> None:
    """Copy columns `places` of `rows` to columns `targets` of `out`; runs of neighbours are copied as slices.

    Parameters
    ----------
    rows
        Source `(rows, ...)`.
    places, targets
        Column indices, equally many.
    out
        Target with the same number of rows; values are converted to its dtype.
    """
    steps = np.flatnonzero((np.diff(places) != 1) | (np.diff(targets) != 1)) + 1
    for first, last in pairwise([0, *steps.tolist(), len(places)]):
        if last > first:
            place, target, width = places[first], targets[first], last - first
            out[:, target : target + width] = rows[:, place : place + width]
