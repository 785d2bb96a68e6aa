"""Tables that pyarrow streams from front to back, Parquet for one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from chemnet.data.readers.table_source import TableSource
from chemnet.errors import DataError

BATCH_ROWS = 2048
# bytes of each column that are read at a time, so that row groups of any size can be streamed; pyarrow also
# holds one page and one dictionary of each column, 2 MB by default
PAGE_BYTES = 1 << 16


class StreamedTable(TableSource):
    """A table that can only be read forwards: reading continues where it stopped, or restarts to go back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = str(path)
        self._cursor: _Cursor | None = None

    @abstractmethod
    def _batches(self, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield the table from its first row on, with these columns."""

    def read(self, start: int, stop: int, columns: Sequence[int]) -> np.ndarray:
        """Return rows of some columns, float64."""
        wanted = tuple(columns)
        if self._cursor is None or self._cursor.columns != wanted or self._cursor.position > start:
            self._cursor = _Cursor(self._guarded(self._batches(wanted)), wanted)
        self._cursor.skip(start - self._cursor.position)
        return self._cursor.take(stop - start, self)

    def labels(self, column: int) -> Iterator[np.ndarray]:
        """Yield one column in pieces, as numbers or text."""
        for batch in self._guarded(self._text_batches(column)):
            yield batch.column(0).to_numpy(zero_copy_only=False)

    def _text_batches(self, column: int) -> Iterator[pa.RecordBatch]:
        """Yield one column as it stands: as text where the format knows no numbers."""
        return self._batches((column,))

    def _guarded(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield batches, with pyarrow's errors as `DataError`."""
        try:
            yield from batches
        except (pa.ArrowException, OSError) as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> DataError:
        return DataError(
            f"{self.path}: {str(error).splitlines()[0]}", hint="check that the file is whole; write it again"
        )


class ParquetTable(StreamedTable):
    """A Parquet file, read in batches of rows; row groups may be of any size."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self.columns = tuple(pyarrow.parquet.read_schema(path).names)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: not a readable Parquet file ({error})") from error

    def _batches(self, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        names = [self.columns[i] for i in columns]
        with pyarrow.parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=PAGE_BYTES) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names, use_threads=False):
                yield batch.select(names)


class _Cursor:
    """A position in a stream of record batches."""

    def __init__(self, batches: Iterator[pa.RecordBatch], columns: tuple[int, ...]) -> None:
        self.columns = columns
        self.position = 0
        self._batches = batches
        self._rest: pa.RecordBatch | None = None

    def skip(self, n_rows: int) -> None:
        """Pass over rows."""
        for _ in self._pieces(n_rows):
            pass

    def take(self, n_rows: int, table: StreamedTable) -> np.ndarray:
        """Return the next rows, float64 `(n_rows, columns)`."""
        out = np.empty((n_rows, len(self.columns)))
        filled = 0
        for piece in self._pieces(n_rows):
            for i, column in enumerate(piece.columns):
                out[filled : filled + piece.num_rows, i] = self._numbers(column, table, i)
            filled += piece.num_rows
        return out[:filled]

    def _pieces(self, n_rows: int) -> Iterator[pa.RecordBatch]:
        """Yield batches that hold the next `n_rows` rows together."""
        while n_rows > 0:
            batch = self._rest if self._rest is not None else next(self._batches, None)
            if batch is None:
                return
            piece = batch.slice(0, n_rows)
            self._rest = batch.slice(n_rows) if batch.num_rows > n_rows else None
            n_rows -= piece.num_rows
            self.position += piece.num_rows
            yield piece

    def _numbers(self, column: pa.Array, table: StreamedTable, index: int) -> np.ndarray:
        """Return a column as float64, missing values as NaN."""
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            name = table.columns[self.columns[index]]
            raise DataError(
                f"{table.where}: column '{name}' holds {column.type}, not numbers", hint="store it as numbers"
            )
        return column.to_numpy(zero_copy_only=False)
