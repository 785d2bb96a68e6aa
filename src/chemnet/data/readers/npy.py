"""Arrays in `.npy` files whose column names stand in a `columns.json` beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from chemnet.data.npy_files import HEADER_FAULTS
from chemnet.data.readers.hdf5 import LABEL_ROWS, copy_columns
from chemnet.data.readers.table_source import TableSource
from chemnet.errors import DataError

SIGNATURE = b"\x93NUMPY"
COLUMNS_FILE = "columns.json"


class NpyTable(TableSource):
    """A 2-D array (rows, columns), or a 3-D one (tracers, steps, columns) read row after row.

    The file is read in pieces with plain reads: a memory map would count towards the process's memory.

    Raises
    ------
    DataError
        When the file is truncated, pickled or in Fortran order, or `columns.json` is missing or does not fit.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = str(path)
        shape, self._dtype, self._data_start = self._read_header()
        self._width = shape[-1]
        self._n_rows = math.prod(shape[:-1])
        expected = self._data_start + self._n_rows * self._width * self._dtype.itemsize
        if path.stat().st_size < expected:
            raise DataError(f"{path}: truncated: {path.stat().st_size} bytes, {expected} expected")
        self.columns = read_column_names(path)
        if len(self.columns) != self._width:
            raise DataError(
                f"{path}: {self._width} columns, but {COLUMNS_FILE} names {len(self.columns)}",
                hint="name every column once, from '0' on",
            )

    def read(self, start: int, stop: int, columns: Sequence[int]) -> np.ndarray:
        """Return rows of some columns, float64."""
        rows = self._rows(start, stop)
        out = np.empty((len(rows), len(columns)))
        copy_columns(rows, columns, out, range(len(columns)))
        return out

    def labels(self, column: int) -> Iterator[np.ndarray]:
        """Yield one column in pieces."""
        step = max(1, LABEL_ROWS // self._width)
        for start in range(0, self._n_rows, step):
            yield self._rows(start, min(start + step, self._n_rows))[:, column]

    def _rows(self, start: int, stop: int) -> np.ndarray:
        """Read whole rows `(stop - start, columns)` from the file."""
        row_bytes = self._width * self._dtype.itemsize
        with self.path.open("rb") as stream:
            stream.seek(self._data_start + start * row_bytes)
            flat = np.fromfile(stream, dtype=self._dtype, count=(stop - start) * self._width)
        return flat.reshape(-1, self._width)

    def _read_header(self) -> tuple[tuple[int, ...], np.dtype, int]:
        try:
            with self.path.open("rb") as stream:
                version = npy_format.read_magic(stream)
                reader = (
                    npy_format.read_array_header_1_0
                    if version == (1, 0)
                    else npy_format.read_array_header_2_0
                )
                shape, fortran, dtype = reader(stream)
                position = stream.tell()
        except HEADER_FAULTS as error:
            raise DataError(f"{self.path}: not a readable .npy file ({error})") from error
        if dtype.kind not in "biuf" or fortran or len(shape) not in (2, 3) or min(shape) < 1:
            order = "Fortran" if fortran else "C"
            raise DataError(
                f"{self.path}: an array of shape {shape}, dtype {dtype}, {order} order; "
                "needed: numbers in C order, at least one, (rows, columns) or (tracers, steps, columns)",
                hint="np.save(path, np.ascontiguousarray(array))",
            )
        return shape, dtype, position


def read_column_names(path: Path) -> tuple[str, ...]:
    """Return the column names of an array: from `<name>.columns.json` or the folder's `columns.json`.

    Raises
    ------
    DataError
        When neither file is there, or it is no list of names.
    """
    candidates = [path.with_suffix(f".{COLUMNS_FILE}"), path.parent / COLUMNS_FILE]
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        raise DataError(
            f"{path}: no {COLUMNS_FILE} beside it",
            hint='write one such as {"0": "Model", "1": "Time", "2": "H"}',
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        names = content if isinstance(content, list) else [content[str(i)] for i in range(len(content))]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: not a list of column names ({type(error).__name__}: {error})",
            hint='needed: {"0": "Model", "1": "Time", ...} or ["Model", "Time", ...]',
        ) from error
    return tuple(str(name) for name in names)
