"""Growing and reading ``.npy`` files without holding them in memory."""

from __future__ import annotations

import mmap
from pathlib import Path
from tokenize import TokenError
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from chemnet.errors import ResultsError

# what NumPy raises over a header that is none, or that claims what no file has
HEADER_FAULTS = (ValueError, SyntaxError, TokenError, MemoryError, OverflowError, RecursionError)


class NpyAppender:
    """Write one ``.npy`` file row by row block, without knowing its length beforehand.

    NumPy pads the header so that the first axis may grow; closing the file writes the final length over it.

    Parameters
    ----------
    path
        The file to create.
    dtype
        Type of one element; may be structured.
    row_shape
        Shape of one row, ``()`` for a flat array.
    """

    def __init__(self, path: str | Path, dtype: np.dtype, row_shape: tuple[int, ...] = ()) -> None:
        self.dtype = np.dtype(dtype)
        self._row_shape = tuple(row_shape)
        self._rows = 0
        self._file: BinaryIO = Path(path).open("wb")  # noqa: SIM115 (closed by close)
        self._write_header()
        self.header_bytes = self._file.tell()

    @classmethod
    def reopened(
        cls, path: str | Path, dtype: np.dtype, rows: int, row_shape: tuple[int, ...] = ()
    ) -> NpyAppender:
        """Continue after the first `rows` rows of a file that was never closed; later ones are dropped.

        The rows kept are not rewritten, so a process killed here loses none of them.

        Raises
        ------
        ResultsError
            When it holds fewer rows, or rows of another type.
        """
        path = Path(path)
        again = cls.__new__(cls)
        again.dtype, again._row_shape, again._rows = np.dtype(dtype), tuple(row_shape), rows
        again._file = path.open("r+b")
        try:
            np.lib.format.read_magic(again._file)
            shape, _, found = np.lib.format.read_array_header_2_0(again._file)
            again.header_bytes = again._file.tell()
            end = again.header_bytes + rows * int(np.prod(row_shape, dtype=np.int64)) * again.dtype.itemsize
            if (found, shape[1:]) != (again.dtype, again._row_shape) or again._file.seek(0, 2) < end:
                raise ValueError(f"it holds fewer than {rows} rows of the right type")
        except ValueError as error:
            again._file.close()
            raise ResultsError(
                f"{path} is damaged: {error}", hint="the unfinished result is damaged: start afresh"
            ) from error
        again._file.truncate(end)
        again._file.seek(end)
        return again

    def flush(self) -> None:
        """Flush what was appended to the operating system."""
        self._file.flush()

    def _write_header(self) -> None:
        header: dict[str, Any] = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self._rows, *self._row_shape),
        }
        self._file.seek(0)
        np.lib.format.write_array_header_2_0(self._file, header)

    def append(self, rows: np.ndarray) -> None:
        """Append ``(n, *row_shape)`` values of this file's dtype."""
        rows = np.ascontiguousarray(rows, dtype=self.dtype)
        if rows.shape[1:] != self._row_shape:
            raise ValueError(f"rows of shape {rows.shape[1:]} do not fit a file of rows {self._row_shape}")
        self._file.write(rows.reshape(-1).view(np.uint8).data if rows.size else b"")
        self._rows += len(rows)

    def close(self) -> None:
        """Write the final length; a second call does nothing."""
        if not self._file.closed:
            self._write_header()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_npy(path: str | Path) -> np.ndarray:
    """Open an ``.npy`` file as a read-only memory map; nothing in it is ever executed.

    Raises
    ------
    ResultsError
        When the file is missing, truncated or holds Python objects.
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise ValueError("the file is empty")
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise ResultsError(
            f"{path} is missing", hint="the result is not whole: run the verb that made it again"
        ) from error
    except (OSError, *HEADER_FAULTS) as error:
        raise ResultsError(
            f"{path} cannot be read: {error}", hint="the result is damaged: run its verb again"
        ) from error


def let_go(values: np.ndarray) -> None:
    """Release the pages of the read-only memory map behind `values`, if there is one.

    Views stay valid: a page that is read again comes back from the file.
    """
    base: Any = values
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
