"""Text that people hand over: one opener and one reader of numbers for every format.

UTF-8 with or without a byte-order mark, gzip by content, the line ends of any system; numbers in Python's,
C's and Fortran's notation.
"""

from __future__ import annotations

import gzip
import io
import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from chemnet.errors import DataError

GZIP_SIGNATURE = b"\x1f\x8b"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_EXAMINED_BYTES = 1024
_MOST_ZEROS = 0.2
_SHORTEST_UTF16 = 16
# the last form is Fortran's: it drops the letter where the exponent fills three places, as in 1.0-100
_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[edq][+-]?\d+)?|[+-]?(?:\d+\.\d*|\.\d+)[+-]\d{3}", re.IGNORECASE
)
_SHORT_EXPONENT = re.compile(r"(?<=[\d.])([+-]\d{3})$")
_SEPARATORS = " \t,;:"


def open_text(path: Path) -> TextIO:
    """Open a text file, compressed by gzip or not, at its first character after a byte-order mark.

    Parameters
    ----------
    path
        The file. Bytes that are no UTF-8 (found in references and comments) are replaced, and every kind of
        line end is read as a line feed.

    Raises
    ------
    DataError
        The file cannot be read, is damaged, or is in UTF-16.
    """
    try:
        opened = gzip.open(path, "rb") if is_compressed(path) else path.open("rb")  # noqa: SIM115 (closed with the text)
        start = opened.read(_EXAMINED_BYTES)
        opened.seek(0)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error
    if start.startswith(UTF16_MARKS) or start.count(0) > _MOST_ZEROS * max(len(start), _SHORTEST_UTF16):
        opened.close()
        raise DataError(
            f"{path}: the text is in UTF-16, as some editors of Windows save it",
            hint="save the file again as UTF-8",
        )
    return io.TextIOWrapper(opened, encoding="utf-8-sig", errors="replace", newline=None)


def is_compressed(path: Path) -> bool:
    """Return whether a file begins as gzip does."""
    with path.open("rb") as stream:
        return stream.read(len(GZIP_SIGNATURE)) == GZIP_SIGNATURE


def read_text(path: Path) -> str:
    """Return the whole text of a file; as `open_text`.

    Raises
    ------
    DataError
        As `open_text`.
    """
    try:
        with open_text(path) as stream:
            return stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error


def data_lines(path: Path, comment_marks: Sequence[str] = ()) -> list[tuple[int, str]]:
    """Return the lines of a file that hold data, each with its line number.

    Parameters
    ----------
    path
        The file.
    comment_marks
        Beginnings of lines to leave out.

    Returns
    -------
    list
        Pairs of line number (from 1) and the line without its end. Lines of nothing but blanks and separators
        are left out.

    Raises
    ------
    DataError
        As `open_text`.
    """
    marks = tuple(comment_marks)
    return [
        (number, line)
        for number, line in enumerate(read_text(path).split("\n"), start=1)
        if line.strip(_SEPARATORS) and not line.lstrip().startswith(marks)
    ]


def number(text: str, what: str, where: str) -> float:
    """Return a finite number written in Python's, C's or Fortran's way (`1.5e-9`, `2.3D-17`, `1.0-100`).

    Parameters
    ----------
    text
        What stands in the file; blanks around it are allowed.
    what, where
        Column and place (`file:line`), for the message.

    Raises
    ------
    DataError
        `text` is no finite number.

    Examples
    --------
    >>> number("2.3D-17", "alpha", "network.txt:3"), number(" 1.0-100", "alpha", "network.txt:4")
    (2.3e-17, 1e-100)
    """
    stripped = text.strip()
    value = _value(stripped)
    if not math.isfinite(value):
        comma = _NUMBER.fullmatch(stripped.replace(",", ".", 1)) is not None and "," in stripped
        raise DataError(
            f"{where}: {what} is {stripped!r}, which is no finite number",
            hint="write a decimal point, not a comma" if comma else "write it as in 1.5e-9",
        )
    return value


def is_number(text: str) -> bool:
    """Return whether `number` reads `text`.

    Examples
    --------
    >>> is_number("1.d-9"), is_number("1_000"), is_number("nan")
    (True, False, False)
    """
    return math.isfinite(_value(text.strip()))


def _value(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        return math.nan
    plain = text.lower().replace("d", "e").replace("q", "e")
    return float(plain if "e" in plain else _SHORT_EXPONENT.sub(r"e\1", plain))


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or error
    return DataError(f"{path}: cannot be read ({reason})", hint="check the path, and that the file is whole")
