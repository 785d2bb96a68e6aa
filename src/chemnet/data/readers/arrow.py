"""CSV and Parquet, streamed from front to back by pyarrow."""

from __future__ import annotations

import csv
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from chemnet.data.readers.columns import TRACER, canonical_name
from chemnet.data.readers.table_source import TableSource
from chemnet.errors import DataError

BATCH_ROWS = 2048
# bytes of each column that are read at a time, so that row groups of any size can be streamed; pyarrow also
# holds one page and one dictionary of each column, 2 MB by default
PAGE_BYTES = 1 << 16
CSV_BLOCK_BYTES = 8 << 20
DELIMITERS = ",;\t"
_COLUMN_NUMBER = re.compile(r"CSV column #(\d+)")
_MISSING = ["", "NaN", "nan", "NAN", "NA", "null", "None"]


class StreamedTable(TableSource):
    """A table that can only be read forwards: a cursor goes on where it was, or starts again to go back."""

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
            self._cursor = _Cursor(self._guarded(wanted), wanted)
        self._cursor.skip(start - self._cursor.position)
        return self._cursor.take(stop - start, self)

    def labels(self, column: int) -> Iterator[np.ndarray]:
        """Yield one column in pieces, as numbers or text."""
        for batch in self._guarded((column,)):
            yield batch.column(0).to_numpy(zero_copy_only=False)

    def _guarded(self, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield batches, with pyarrow's errors as `DataError`."""
        try:
            yield from self._batches(columns)
        except (pa.ArrowException, OSError) as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> DataError:
        """Return pyarrow's error in our words."""
        return DataError(
            f"{self.path}: {str(error).splitlines()[0]}", hint="check that the file is whole; write it again"
        )


class CSVTable(StreamedTable):
    """A text table with one line of column names, separated by commas, semicolons or tabs."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        header = first_line(path)
        self._delimiter = max(DELIMITERS, key=header.count)
        self.columns = tuple(name.strip().strip('"') for name in header.split(self._delimiter))
        if len(self.columns) < 2:
            raise DataError(
                f"{path}: the first line holds no column names separated by one of {DELIMITERS!r}",
                hint="chemnet reads pandas-HDF5, plain HDF5, Carbox HDF5, npy, Parquet and CSV",
            )

    def _batches(self, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        names = [f"c{i}" for i in range(len(self.columns))]
        types = {
            f"c{i}": pa.string() if canonical_name(self.columns[i]) == TRACER else pa.float64()
            for i in columns
        }
        with pyarrow.csv.open_csv(
            self.path,
            read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=1, block_size=CSV_BLOCK_BYTES),
            parse_options=pyarrow.csv.ParseOptions(delimiter=self._delimiter),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types, include_columns=[f"c{i}" for i in columns], null_values=_MISSING
            ),
        ) as reader:
            yield from reader

    def _fault(self, error: Exception) -> DataError:
        """Return what is wrong with which line, found by reading the lines one by one."""
        number = _COLUMN_NUMBER.search(str(error))
        column = int(number.group(1)) if number else None
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            lines = csv.reader(stream, delimiter=self._delimiter)
            next(lines)
            for cells in lines:
                wrong = self._wrong(cells, column)
                if wrong:
                    return DataError(
                        f"{self.path}: line {lines.line_num}: {wrong}",
                        hint="correct that line; an empty cell or NaN stands for a missing value",
                    )
        return super()._fault(error)

    def _wrong(self, cells: list[str], column: int | None) -> str:
        """Return what is wrong with a line, whose `column` must hold a number; empty: nothing."""
        if cells and len(cells) != len(self.columns):
            return f"{len(cells)} cells, the header names {len(self.columns)} columns"
        if column is None or not cells or cells[column].strip() in _MISSING:
            return ""
        try:
            float(cells[column])
        except ValueError:
            return f"column '{self.columns[column]}' holds {cells[column]!r}, which is no number"
        return ""


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
            raise DataError(f"{table.where}: column '{name}' holds {column.type}, not numbers")
        return column.to_numpy(zero_copy_only=False)


def first_line(path: Path) -> str:
    """Return the first line of a text file, without a byte-order mark; empty for what is no text."""
    with path.open("rb") as stream:
        line = stream.readline(1 << 20)
    try:
        return line.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return ""
