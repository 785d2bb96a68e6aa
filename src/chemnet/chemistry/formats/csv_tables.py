"""Tables of separated values with a header: what UCLCHEM's and chemnet's own format are made of."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from chemnet.errors import DataError
from chemnet.text_files import data_lines

_DELIMITERS = ",;\t|"


def table_file(folder: Path, name: str) -> Path:
    """Return the table `name` in a folder, or `name.gz` where only that exists."""
    plain, compressed = folder / name, folder / f"{name}.gz"
    return compressed if compressed.is_file() and not plain.is_file() else plain


def read_table(
    file: Path, canonical: Callable[[str], str] = str
) -> tuple[tuple[str, ...], list[tuple[int, dict[str, str]]]]:
    """Return the columns of a table, and line number and fields of each row.

    Parameters
    ----------
    file
        The table. Commas, semicolons, tabs or bars separate the fields, the header tells which. Lines that
        begin with `!` are comments, and so are those that begin with `#` and hold one field or a blank behind
        it (`#CO` is a species).
    canonical
        Returns the name of a column in the spelling that the caller knows.

    Raises
    ------
    DataError
        The table is empty, a column stands in it twice, or a row has too few or too many fields.
    """
    lines = data_lines(file, ("!", "# "))
    columns, delimiter = _header(file, lines, canonical)
    repeated = [name for name in columns if columns.count(name) > 1]
    if repeated:
        raise DataError(
            f"{file.name}:{lines[0][0]}: column {repeated[0]!r} stands there twice",
            hint="rename one of the two",
        )
    rows = [
        (number, _row(line, delimiter, columns, f"{file.name}:{number}"))
        for number, line in lines[1:]
        if not (line.lstrip().startswith("#") and delimiter not in line)
    ]
    return columns, rows


def read_columns(file: Path, canonical: Callable[[str], str] = str) -> tuple[str, ...]:
    """Return the columns of a table, whatever its rows hold; as `read_table`.

    Raises
    ------
    DataError
        The table is empty or cannot be read.
    """
    return _header(file, data_lines(file, ("!", "# ")), canonical)[0]


def _header(
    file: Path, lines: Sequence[tuple[int, str]], canonical: Callable[[str], str]
) -> tuple[tuple[str, ...], str]:
    """Return the columns that the first line names, and what separates them."""
    if not lines:
        raise DataError(f"{file}: the table is empty", hint="the first line names the columns")
    delimiter = max(_DELIMITERS, key=lines[0][1].count)
    columns = tuple(canonical(name) for name in _fields(lines[0][1], delimiter))
    while columns and not columns[-1]:
        columns = columns[:-1]
    return columns, delimiter


def _row(line: str, delimiter: str, columns: tuple[str, ...], where: str) -> dict[str, str]:
    """Return the fields of one row by column; empty fields after the last column are ignored."""
    fields = _fields(line, delimiter)
    while len(fields) > len(columns) and not fields[-1]:
        fields.pop()
    if len(fields) != len(columns):
        raise DataError(
            f"{where}: {len(fields)} fields, but the table has {len(columns)} columns",
            hint="separate fields as the header does; put a field that holds the separator in double quotes",
        )
    return dict(zip(columns, fields, strict=True))


def _fields(line: str, delimiter: str) -> list[str]:
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
