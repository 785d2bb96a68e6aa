"""Find out what a file is by its content and open it as a table."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path, PurePosixPath

import h5py

from chemnet.config import ConfigDict
from chemnet.data.readers import npy
from chemnet.data.readers.codes_hdf5 import CodesTable
from chemnet.data.readers.hdf5 import SIGNATURE as HDF5_SIGNATURE
from chemnet.data.readers.hdf5 import ColumnTable, groups, open_hdf5, understood
from chemnet.data.readers.nautilus_netcdf import NautilusOutput
from chemnet.data.readers.npy import NpyTable
from chemnet.data.readers.pandas_hdf5 import PandasTable
from chemnet.data.readers.plain_hdf5 import PlainHDF5
from chemnet.data.readers.table_source import TableSource
from chemnet.data.readers.uclchem_hdf5 import UclchemModels
from chemnet.errors import DataError, nearest
from chemnet.extras import require
from chemnet.progress import get_logger
from chemnet.registry import READERS
from chemnet.text_files import GZIP_SIGNATURE, UTF16_MARKS

_log = get_logger(__name__)

FORMATS = (
    "pandas-HDF5, plain HDF5, HDF5 groups of columns (Carbox), CODES sets, UCLCHEM's models in HDF5, "
    "Nautilus' NetCDF, "
    "npy with columns.json, Parquet, CSV"
)
# What people hand over that is no table of chemnet's: how it begins, what it is, and the way out.
_OTHERS = {
    b"PK\x03\x04": (
        "an Excel workbook or a zip archive",
        "save the sheet as CSV, or unpack the archive",
    ),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "save the sheet as CSV"),
    b"BZh": ("compressed by bzip2", "decompress it; gzip is read as it is"),
    b"\xfd7zXZ": ("compressed by xz", "decompress it; gzip is read as it is"),
    b"\x28\xb5\x2f\xfd": ("compressed by Zstandard", "decompress it; gzip is read as it is"),
    b"ARROW1": ("an Arrow or Feather file", "write Parquet: pandas.read_feather(path).to_parquet(...)"),
    b"SIMPLE  =": ("a FITS file", "write CSV or Parquet: astropy.table.Table.read(path).write(...)"),
    b"CDF": ("a classic NetCDF file", "write Parquet or CSV with xarray and pandas"),
    b"\x80": (
        "a Python pickle",
        "no pickle is ever loaded, it could run code; write Parquet or CSV with pandas",
    ),
    **dict.fromkeys(UTF16_MARKS, ("text in UTF-16", "save it again as UTF-8")),
    b"{": ("JSON", "write CSV or Parquet: pandas.read_json(path).to_parquet(...)"),
    b"[": ("JSON", "write CSV or Parquet: pandas.read_json(path).to_parquet(...)"),
    b"<": ("XML or HTML (a VOTable?)", "write CSV or Parquet: astropy.table.Table.read(path).write(...)"),
}
_EXAMINED_BYTES = 512
_IN_HDF5 = (PandasTable, PlainHDF5, CodesTable, UclchemModels, NautilusOutput, ColumnTable)
# What a folder may hold besides tables; result.toml and the like are a result directory's own.
_NOT_TABLES = (".json", ".toml", ".md", ".txt", ".png", ".log", ".jsonl", ".safetensors", ".yaml", ".yml")
_PANDAS_KEY = "df"
PARQUET_SIGNATURE = b"PAR1"


def table_files(path: Path) -> list[Path]:
    """Return the files of a table: the file itself, those in a folder, or what a pattern with `*` matches.

    Raises
    ------
    DataError
        When there is none.
    """
    texts: list[str] = []
    if path.is_file():
        return [path]
    if path.is_dir():
        there = [file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
        files = [file for file in there if file.suffix.lower() not in _NOT_TABLES]
        texts = sorted(file.name for file in there if file.suffix.lower() == ".txt")
        if texts and files:
            _log.info("%s: not read as tables: %s", path, ", ".join(texts))
    elif "*" in path.name:
        files = [file for file in path.parent.glob(path.name) if file.is_file()]
    else:
        siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        near = nearest(path.name, siblings)
        meant = f"did you mean {', '.join(near)}?" if near else "check the path"
        raise DataError(f"{path}: no such file", hint=meant)
    if not files:
        named = f"; if these are tables name them: data_set.path = '{path / '*.txt'}'" if texts else ""
        raise DataError(f"{path}: no tables here", hint=f"chemnet reads {FORMATS}{named}")
    return sorted(files)


def open_table(path: Path, options: ConfigDict) -> TableSource:
    """Open one file as a table, whatever its name; readers of other packages are asked first.

    Parameters
    ----------
    path
        The file.
    options
        The configuration table `[data_set]`: the group or key in HDF5, names for the physical columns of a
        plain HDF5 file that does not name them, the decimal separator of text.

    Raises
    ------
    DataError
        When the content is of no known format, or the file is empty or damaged.
    """
    start = _beginning(path)
    if not start:
        raise DataError(f"{path}: the file is empty", hint="write the table again")
    for name in READERS.names():
        if READERS.get(name).recognises(start):
            _log.info("%s: read by %s", path, name)
            return READERS.get(name)(path, options)
    if start.startswith(HDF5_SIGNATURE):
        with understood(path):
            return _open_hdf5(path, options)
    if options["group"]:
        raise DataError(
            f"{path}: data_set.group = {options['group']!r} names a group of an HDF5 file, which this is not",
            hint="leave data_set.group out, or name the HDF5 file in data_set.path",
        )
    if start.startswith(npy.SIGNATURE):
        return NpyTable(path)
    is_parquet = start.startswith(PARQUET_SIGNATURE)
    if start.startswith(GZIP_SIGNATURE):
        start = _unpacked(path)
    for signature, (what, hint) in _OTHERS.items():
        if start.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(signature):
            raise DataError(f"{path}: this is {what}, which chemnet does not read", hint=hint)
    if b"\0" in start and not is_parquet:
        raise DataError(f"{path}: unknown format, begins with {start[:8]!r}", hint=f"chemnet reads {FORMATS}")
    require("pyarrow", f"{path}: reading CSV and Parquet")
    from chemnet.data.readers.arrow import ParquetTable
    from chemnet.data.readers.carbox_csv import CarboxCSV
    from chemnet.data.readers.csv_table import CSVTable

    if is_parquet:
        return ParquetTable(path)
    table = CSVTable(path, "," if options["decimal_comma"] else ".")
    return CarboxCSV(path) if CarboxCSV.matches(table.columns) else table


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_EXAMINED_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})", hint="check its permissions") from error


def _unpacked(path: Path) -> bytes:
    """Return the first bytes of what gzip compressed, which must be text."""
    try:
        with gzip.open(path) as stream:
            start = stream.read(_EXAMINED_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip ({error})", hint="copy or compress the file again") from error
    if start.startswith((HDF5_SIGNATURE, PARQUET_SIGNATURE, npy.SIGNATURE)):
        raise DataError(
            f"{path}: a compressed binary table", hint="run gunzip on it; only text is read from gzip"
        )
    return start


def _open_hdf5(path: Path, options: ConfigDict) -> TableSource:
    file = open_hdf5(path)
    group = options["group"] or None
    tables = _tables(file)
    if group is None and tables and all(map(UclchemModels.matches, tables.values())):
        return UclchemModels(path, list(tables.values()))
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
        return PlainHDF5(path, node, options["physical"])
    if CodesTable.matches(node):
        return CodesTable(path, node, options["physical"])
    if UclchemModels.matches(node):
        return UclchemModels(path, [node])
    if NautilusOutput.matches(node):
        return NautilusOutput(path, node)
    return ColumnTable(path, node)


def _tables(file: h5py.File) -> dict[str, h5py.Group]:
    """Return the tables by their paths; a table's own parts are none."""
    found: dict[str, h5py.Group] = {}
    for name, node in groups(file):
        parents = (str(parent) for parent in PurePosixPath(name).parents)
        if _is_table(node) and not any(parent in found and parent != "." for parent in parents):
            found[name] = node
    return found


def _is_table(node: h5py.Group) -> bool:
    return any(kind.matches(node) for kind in _IN_HDF5)
