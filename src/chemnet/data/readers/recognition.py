"""Find out what a file is by its content and open it as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py

from chemnet.data.readers import npy
from chemnet.data.readers.hdf5 import SIGNATURE as HDF5_SIGNATURE
from chemnet.data.readers.hdf5 import ColumnTable, open_hdf5
from chemnet.data.readers.npy import NpyTable
from chemnet.data.readers.pandas_hdf5 import PandasTable
from chemnet.data.readers.plain_hdf5 import PlainHDF5
from chemnet.data.readers.table_source import TableSource
from chemnet.errors import DataError, nearest
from chemnet.extras import require

FORMATS = "pandas-HDF5, plain HDF5, HDF5 groups of columns (Carbox), npy with columns.json, Parquet, CSV"
# What a folder may hold besides tables; result.toml and the like are a result directory's own.
_NOT_TABLES = (".json", ".toml", ".md", ".txt", ".png", ".log", ".jsonl", ".safetensors", ".yaml", ".yml")
_PANDAS_KEY = "df"
_PARQUET_SIGNATURE = b"PAR1"


def table_files(path: Path) -> list[Path]:
    """Return the files of a table: the file itself, those in a folder, or what a pattern with `*` matches.

    Raises
    ------
    DataError
        When there is none.
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        files = [file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
        files = [file for file in files if file.suffix.lower() not in _NOT_TABLES]
    elif "*" in path.name:
        files = [file for file in path.parent.glob(path.name) if file.is_file()]
    else:
        siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        near = nearest(path.name, siblings)
        meant = f"did you mean {', '.join(near)}?" if near else "check data_set.path"
        raise DataError(f"{path}: no such file", hint=meant)
    if not files:
        raise DataError(f"{path}: no tables here", hint=f"chemnet reads {FORMATS}")
    return sorted(files)


def open_table(path: Path, group: str | None, physical_names: Sequence[str]) -> TableSource:
    """Open one file as a table, whatever its name.

    Parameters
    ----------
    path
        The file.
    group
        HDF5 group or pandas key; None: the only one there is.
    physical_names
        Names for the physical columns of a plain HDF5 file that does not name them.

    Raises
    ------
    DataError
        When the content is of no known format, or the file is empty or damaged.
    """
    with path.open("rb") as stream:
        start = stream.read(8)
    if not start:
        raise DataError(f"{path}: the file is empty", hint="write the table again")
    if start == HDF5_SIGNATURE:
        return _open_hdf5(path, group, physical_names)
    if start.startswith(npy.SIGNATURE):
        return NpyTable(path)
    is_parquet = start.startswith(_PARQUET_SIGNATURE)
    if b"\0" in start and not is_parquet:
        raise DataError(f"{path}: unknown format (begins with {start!r})", hint=f"chemnet reads {FORMATS}")
    require("pyarrow", f"{path}: reading CSV and Parquet")
    from chemnet.data.readers.arrow import CSVTable, ParquetTable

    return ParquetTable(path) if is_parquet else CSVTable(path)


def _open_hdf5(path: Path, group: str | None, physical_names: Sequence[str]) -> TableSource:
    """Open the table in an HDF5 file."""
    file = open_hdf5(path)
    tables = {name: node for name, node in _groups(file) if _is_table(node)}
    if group is None and len(tables) > 1 and _PANDAS_KEY in tables:
        group = _PANDAS_KEY
    if group is None and len(tables) == 1:
        group = next(iter(tables))
    if group is None or group.strip("/") not in tables:
        found = ", ".join(repr(name) for name in tables) or f"none among {', '.join(file) or 'no groups'}"
        asked = (
            "several tables" if group is None and tables else f"no table '{group}'" if group else "no table"
        )
        raise DataError(
            f"{path}: {asked} in this HDF5 file (tables: {found})",
            hint="set data_set.group to one of them" if tables else f"chemnet reads {FORMATS}",
        )
    node = tables[group.strip("/")]
    if PandasTable.matches(node):
        return PandasTable(path, node)
    if PlainHDF5.matches(node):
        return PlainHDF5(path, node, physical_names)
    return ColumnTable(path, node)


def _groups(file: h5py.File) -> list[tuple[str, h5py.Group]]:
    """Return the root, under an empty name, and the groups in it."""
    return [("", file), *((name, node) for name, node in file.items() if isinstance(node, h5py.Group))]


def _is_table(node: h5py.Group) -> bool:
    """Tell whether a group holds a table of a known layout."""
    return PandasTable.matches(node) or PlainHDF5.matches(node) or ColumnTable.matches(node)
