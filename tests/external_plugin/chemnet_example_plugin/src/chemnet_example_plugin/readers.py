"""A reader: tables whose columns are the arrays of a NumPy archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from chemnet import ConfigDict
from chemnet.data.readers.table_source import TableSource
from chemnet.errors import DataError
from chemnet.registry import READERS


@READERS.register
class ArchiveTable(TableSource):
    """One array per column, as ``numpy.savez(path, Tracer=..., Time=..., Density=..., CO=...)`` writes them.

    Parameters
    ----------
    path
        The file.
    options
        The table ``[data_set]``; this reader needs nothing of it.

    Raises
    ------
    DataError
        When the arrays are no columns of one table.
    """

    def __init__(self, path: Path, options: ConfigDict) -> None:
        self.path, self.where = path, str(path)
        with np.load(path, allow_pickle=False) as archive:
            self._arrays = dict(archive)
        self.columns = tuple(self._arrays)
        shapes = {name: array.shape for name, array in self._arrays.items()}
        if len(set(shapes.values())) != 1 or any(len(shape) != 1 for shape in shapes.values()):
            raise DataError(f"{path}: the arrays have the shapes {shapes}", hint="save columns of one length")

    @classmethod
    def recognises(cls, start: bytes) -> bool:
        """Return whether a file begins as an archive whose first member is an array."""
        return start.startswith(b"PK\x03\x04") and b".npy" in start

    def read(self, start: int, stop: int, columns: Sequence[int]) -> np.ndarray:
        """Return rows of some columns, float64 ``(stop - start, len(columns))``."""
        chosen = [self._arrays[self.columns[column]][start:stop] for column in columns]
        return np.stack(chosen, axis=1).astype(np.float64)

    def labels(self, column: int) -> Iterator[np.ndarray]:
        """Yield one column."""
        yield self._arrays[self.columns[column]]
