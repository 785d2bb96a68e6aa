"""Text tables: CSV in the many ways in which people and Fortran write it, plain or compressed by gzip."""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from chemnet.data.readers.arrow import StreamedTable
from chemnet.errors import DataError
from chemnet.progress import get_logger
from chemnet.text_files import is_compressed, is_number, number, open_text

DELIMITERS = ",;\t"
_BLOCK_BYTES = 8 << 20
_MISSING = ["", "NaN", "nan", "NAN", "NA", "null", "None"]
_COLUMN_NUMBER = re.compile(r"CSV column #(\d+)")
_INVALID_VALUE = re.compile(r"invalid value '(.*)'", re.DOTALL)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_SWAPPED = str.maketrans(",.", ".,")
# "#H2O" is a species on ice, "# made in May" and "##" are comments
_COMMENT = re.compile(r"#(?:\s|#|$)")
_log = get_logger(__name__)


class CSVTable(StreamedTable):
    """A text table with one line of column names, separated by commas, semicolons or tabs.

    Comments (`# ...`) and blank lines may stand before the names; a byte-order mark, any line ends and gzip
    do not matter. Numbers may be in Fortran's notation (`2.3D-17`, `1.0-100`).

    Parameters
    ----------
    path
        The file.
    decimal
        The decimal separator of the whole file, "." or ",".

    Raises
    ------
    DataError
        When there are no column names.
    """

    def __init__(self, path: Path, decimal: str = ".") -> None:
        super().__init__(path)
        self._decimal = decimal
        header, self._skipped = _header(path)
        self._delimiter = max(DELIMITERS, key=header.count)
        names = next(csv.reader([header], delimiter=self._delimiter, skipinitialspace=True), [])
        self.columns = tuple(name.strip() for name in names)
        if len(self.columns) < 2:
            blanks = len(header.split()) > 1
            raise DataError(
                f"{path}: the first line holds no column names separated by one of {DELIMITERS!r}",
                hint="write commas in place of the blanks between columns"
                if blanks
                else "chemnet reads pandas-HDF5, plain HDF5, Carbox HDF5, npy, Parquet and CSV",
            )
        if all(is_number(self._with_point(name)) for name in self.columns):
            raise DataError(
                f"{path}: the first line holds numbers where the names of the columns belong: "
                f"{', '.join(self.columns[:4])}, ...",
                hint="put a line of names in front: Tracer,Time,Density,Radfield,Av,gasTemp, and the species",
            )
        self._in_fortran = False
        self._check_first_row()

    def _check_first_row(self) -> None:
        """Refuse a first row without a single number: a second line of headings, such as units."""
        with open_text(self.path) as stream:
            for _ in range(self._skipped):
                stream.readline()
            lines = csv.reader((line for line in stream if line.strip()), delimiter=self._delimiter)
            cells = [self._with_point(cell.strip()) for cell in next(lines, [])]
        if cells and not any(is_number(cell) or cell in _MISSING for cell in cells):
            raise DataError(
                f"{self.path}: the row below the column names holds no number: {', '.join(cells[:4])}, ...",
                hint="remove lines of units and the like, or begin them with '# '",
            )

    def _batches(self, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        rows = 0
        if not self._in_fortran:
            try:
                for batch in self._parsed(columns, pa.float64()):
                    rows += batch.num_rows
                    yield batch
            except pa.ArrowInvalid as error:
                value = _INVALID_VALUE.search(str(error))
                if value is None or not is_number(self._with_point(value.group(1))):
                    raise
                _log.info("%s: %r and the like are read as Fortran writes numbers", self.path, value.group(1))
                self._in_fortran = True
            else:
                return
        for batch in self._parsed(columns, pa.string()):
            known = min(rows, batch.num_rows)
            rows -= known
            yield self._numbers(batch.slice(known), columns)

    def _text_batches(self, column: int) -> Iterator[pa.RecordBatch]:
        return self._parsed((column,), pa.string())

    def _parsed(self, columns: Sequence[int], kind: pa.DataType) -> Iterator[pa.RecordBatch]:
        """Yield columns from the first row on, all as numbers or all as text."""
        names = [f"c{i}" for i in columns]
        with (
            _stream(self.path) as source,
            pyarrow.csv.open_csv(
                source,
                read_options=pyarrow.csv.ReadOptions(
                    column_names=[f"c{i}" for i in range(len(self.columns))],
                    skip_rows=self._skipped,
                    block_size=_BLOCK_BYTES,
                ),
                parse_options=pyarrow.csv.ParseOptions(delimiter=self._delimiter),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, kind),
                    include_columns=names,
                    null_values=_MISSING,
                    strings_can_be_null=True,
                    decimal_point=self._decimal,
                ),
            ) as reader,
        ):
            yield from reader

    def _numbers(self, batch: pa.RecordBatch, columns: Sequence[int]) -> pa.RecordBatch:
        """Return text as numbers, also those that only Fortran writes."""
        arrays = []
        for column, cells in zip(columns, batch.columns, strict=True):
            try:
                values = [None if cell is None else self._number(cell) for cell in cells.to_pylist()]
            except DataError as error:
                raise pa.ArrowInvalid(f"CSV column #{column}: {error.message}") from error
            arrays.append(pa.array(values, pa.float64()))
        return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)

    def _number(self, cell: str) -> float:
        """Return the number in a cell; float is quicker where it can."""
        text = self._with_point(cell)
        try:
            return number(text, "cell", self.where) if "_" in text else float(text)
        except ValueError:
            return number(text, "cell", self.where)

    def _with_point(self, cell: str) -> str:
        """Return a cell with a decimal point; a point where commas are decimal is no part of a number."""
        return cell.translate(_SWAPPED) if self._decimal == "," else cell

    def _fault(self, error: Exception) -> DataError:
        """Return what is wrong with which line, found by reading the lines one by one."""
        try:
            return self._faulty_line(error) or super()._fault(error)
        except (OSError, EOFError, zlib.error):  # what gzip holds breaks off
            return super()._fault(error)

    def _faulty_line(self, error: Exception) -> DataError | None:
        found = _COLUMN_NUMBER.search(str(error))
        column = int(found.group(1)) if found else None
        with open_text(self.path) as stream:
            for _ in range(self._skipped):
                stream.readline()
            lines = csv.reader(stream, delimiter=self._delimiter)
            for cells in lines:
                wrong = self._wrong(cells, column)
                if wrong:
                    return DataError(
                        f"{self.path}: line {self._skipped + lines.line_num}: {wrong[0]}", hint=wrong[1]
                    )
        return None

    def _wrong(self, cells: list[str], column: int | None) -> tuple[str, str] | None:
        """Return what is wrong with a line, whose `column` must hold a number, and the next step."""
        mend = "correct that line; an empty cell or NaN stands for a missing value"
        if cells and len(cells) != len(self.columns):
            return f"{len(cells)} cells, the header names {len(self.columns)} columns", mend
        if column is None or not cells or cells[column].strip() in _MISSING:
            return None
        cell = cells[column].strip()
        try:
            self._number(cell)
        except DataError:
            return f"column '{self.columns[column]}' holds {cell!r}, which is no number", self._mend(
                cell
            ) or mend
        return None

    def _mend(self, cell: str) -> str:
        """Return the next step for a number with the other decimal separator, empty for what is none."""
        if not is_number(cell.replace(",", ".", 1)) and not _THOUSANDS.fullmatch(cell):
            return ""
        if self._decimal == ",":
            return "data_set.decimal_comma = true is for files that have commas throughout: set it to false"
        comma = "for a decimal comma in the whole file set data_set.decimal_comma = true"
        return f"{comma}; take out commas between thousands" if _THOUSANDS.fullmatch(cell) else comma


def _header(path: Path) -> tuple[str, int]:
    """Return the line of column names, and how many lines stand before the first row.

    NumPy and others write the names as the last comment: they are taken from there where numbers follow.
    """
    comment = ""
    with open_text(path) as stream:
        for line_number, line in enumerate(stream):
            text = line.strip()
            if _COMMENT.match(text):
                comment = text.lstrip("# ")
            elif text:
                first = re.split(f"[{DELIMITERS} ]", text, maxsplit=1)[0]
                named_before = comment and is_number(first)
                return (comment, line_number) if named_before else (text, line_number + 1)
    return comment, 0


def _stream(path: Path) -> pa.NativeFile:
    """Open the bytes of a file, without its gzip, as Arrow reads them."""
    return pa.input_stream(str(path), compression="gzip" if is_compressed(path) else None)
