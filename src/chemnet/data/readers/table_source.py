"""What every table format offers to `TracerTable`: column names, tracers and blocks of rows."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chemnet.errors import DataError
from chemnet.progress import get_logger

_log = get_logger(__name__)
_WHOLE_NUMBER = re.compile(r"^(-?\d+)\.0*$")


@dataclass(frozen=True)
class Segments:
    """Which rows of a table belong to which tracer: ids, first rows and lengths, `(n_tracers,)` each."""

    ids: list[str]
    starts: np.ndarray
    lengths: np.ndarray


class TableSource(ABC):
    """A table of one row per (tracer, step), in one file.

    A package adds a format by a subclass under ``@READERS.register`` that `recognises` its files and is
    constructed from ``(path, options)``, the options being the table `[data_set]`.

    Attributes
    ----------
    path
        The file.
    where
        File and what was chosen inside it, for messages.
    columns
        Column names as the file has them.
    optional
        Those of them that are passed over where they mean nothing known: the index of a data frame.
    stated_time_unit
        The unit of the time where the file states it apart from the column's name.
    is_simulated
        Whether `chemnet simulate` wrote the file, whose conventions are known.
    own_split
        Ids of the tracers in each split, where the file states one.
    """

    path: Path
    where: str
    columns: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    stated_time_unit: str | None = None
    is_simulated: bool = False
    own_split: Mapping[str, Sequence[str]] | None = None

    @classmethod
    def recognises(cls, start: bytes) -> bool:
        """Return whether a file with these first 512 bytes is in the format of a registered reader."""
        return False

    @abstractmethod
    def read(self, start: int, stop: int, columns: Sequence[int]) -> np.ndarray:
        """Return rows ``start:stop`` of some columns, float64 `(stop - start, len(columns))`."""

    def read_parts(
        self, start: int, stop: int, conditions: Sequence[int], abundances: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows ``start:stop`` of two kinds of columns, `(stop - start, n)` each.

        The conditions are float64; the abundances may be float32 where the table has them so. A format whose
        kinds of columns lie apart overrides this.
        """
        values = self.read(start, stop, [*conditions, *abundances])
        return values[:, : len(conditions)], values[:, len(conditions) :]

    @abstractmethod
    def labels(self, column: int) -> Iterator[np.ndarray]:
        """Yield one column from its first row to its last, in pieces, as numbers or as text."""

    def segments(self, tracer_column: int | None, time_column: int) -> Segments:
        """Return the tracers of the table.

        Parameters
        ----------
        tracer_column
            Column of the tracer id; None: the whole table is one tracer, called after the file.
        time_column
            Any column that has a value in each row.

        Raises
        ------
        DataError
            When the rows of a tracer do not stand together.
        """
        if tracer_column is None:
            n_rows = sum(len(piece) for piece in self.labels(time_column))
            _log.info("%s: no column Tracer, tracer_id or Model: the whole file is one tracer", self.where)
            ids = [self.path.stem] if n_rows else []
            return Segments(
                ids, np.zeros(len(ids), dtype=np.int64), np.full(len(ids), n_rows, dtype=np.int64)
            )
        ids, starts, n_rows = _runs(self.labels(tracer_column))
        if "" in ids:
            raise DataError(
                f"{self.where}: row {starts[ids.index('')]}: column '{self.columns[tracer_column]}' is empty",
                hint="remove empty rows, and give each row the id of its tracer",
            )
        seen: dict[str, int] = {}
        for tracer, start in zip(ids, starts, strict=True):
            if seen.setdefault(tracer, start) != start:
                raise DataError(
                    f"{self.where}: rows of tracer '{tracer}' stand apart: they begin at row {seen[tracer]} "
                    f"and again at row {start} (column '{self.columns[tracer_column]}')",
                    hint="sort the table by tracer and time",
                )
        edges = np.array([*starts, n_rows], dtype=np.int64)
        return Segments(ids, edges[:-1], np.diff(edges))


def tracer_label(value: object) -> str:
    """Return a tracer id as text, empty where it is missing; whole numbers lose their decimal point.

    Examples
    --------
    >>> tracer_label(np.float32(12.0)), tracer_label(b"run-3 "), tracer_label(7), tracer_label("4.0")
    ('12', 'run-3', '7', '4')
    """
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    text = value.decode() if isinstance(value, bytes) else str(value)
    return _WHOLE_NUMBER.sub(r"\1", text.strip())


def _runs(pieces: Iterator[np.ndarray]) -> tuple[list[str], list[int], int]:
    """Return label and first row of each run of equal labels, and the number of rows."""
    ids: list[str] = []
    starts: list[int] = []
    n_rows = 0
    for piece in pieces:
        changes = np.flatnonzero(piece[1:] != piece[:-1]) + 1
        for first in [0, *changes.tolist()] if len(piece) else []:
            label = tracer_label(piece[first])
            if not ids or label != ids[-1]:
                ids.append(label)
                starts.append(n_rows + first)
        n_rows += len(piece)
    return ids, starts, n_rows
