"""Arrays of several points in time, as UCLCHEM and Nautilus write them: each point is a tracer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from chemnet.data.readers.hdf5 import copy_columns
from chemnet.data.readers.table_source import TableSource


class PointArrays(TableSource):
    """Tracers one after another, each read from arrays of its own.

    A subclass sets `edges` and states `rows_of`; column 0 is the number of the tracer.

    Attributes
    ----------
    edges
        Tracer t owns rows ``edges[t]:edges[t + 1]`` of the table, int64 `(n_tracers + 1,)`.
    """

    edges: np.ndarray

    @abstractmethod
    def rows_of(self, tracer: int, start: int, stop: int) -> np.ndarray:
        """Return rows ``start:stop`` of a tracer, float64 `(rows, columns)`, without column 0."""

    def read(self, start: int, stop: int, columns: Sequence[int]) -> np.ndarray:
        """Return rows of some columns, float64."""
        out = np.empty((stop - start, len(columns)))
        first = int(np.searchsorted(self.edges, start, side="right")) - 1
        for tracer in range(first, int(np.searchsorted(self.edges, stop))):
            begin, end = self.edges[tracer : tracer + 2].tolist()
            low, high = max(start, begin), min(stop, end)
            rows = self.rows_of(tracer, low - begin, high - begin)
            rows = np.concatenate([np.full((len(rows), 1), tracer), rows], axis=1)
            copy_columns(rows, columns, out[low - start : high - start], range(len(columns)))
        return out

    def labels(self, column: int) -> Iterator[np.ndarray]:
        """Yield one column tracer by tracer."""
        for start, stop in zip(self.edges[:-1].tolist(), self.edges[1:].tolist(), strict=True):
            yield self.read(start, stop, [column])[:, 0]
