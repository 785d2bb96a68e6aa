"""A user's own tracers, from CSV, Parquet or HDF5; which one it is, the content tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.tracers.tracer import PHYSICAL_NAMES, Tracer
from chemnet.errors import DataError, suggest
from chemnet.extras import require

TIME_NAME = "Time"
# what tables call the column that tells tracers apart
ID_NAMES = ("Tracer", "tracer_id", "Model")

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_PARQUET_MAGIC = b"PAR1"


def read_tracers(path: str | Path) -> list[Tracer]:
    """Read every tracer of a file, in the order in which they first appear.

    Tables (CSV with a header, Parquet, pandas HDF5) hold one row per tracer and step with the columns `Time`
    [yr], `Density` [H nuclei cm^-3], `Radfield` [Habing], `Av` [mag], `gasTemp` [K] and, if there is more
    than one tracer, `Tracer`, `tracer_id` or `Model`; case does not matter and further columns are ignored.
    Plain HDF5 holds `time` of shape ``(tracers, steps)`` or ``(steps,)`` and `physical` of shape
    ``(tracers, steps, columns)`` whose attribute `names` lists the columns; rows that are NaN throughout pad
    shorter tracers.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DataError
        The file is missing, empty or of no known format, a column is missing or holds no numbers, or a
        tracer fails the checks of `Tracer` (its name and step are in the message).
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no tracer file {path}", hint="set simulate.tracers to a CSV, Parquet or HDF5 file")
    tracers = _reader(path)(path)
    if not tracers:
        raise DataError(
            f"{path} holds no tracers", hint="a table needs a header and at least two rows per tracer"
        )
    return tracers


def _reader(path: Path) -> Callable[[Path], list[Tracer]]:
    """Return the function that reads this file's format."""
    with path.open("rb") as stream:
        start = stream.read(len(_HDF5_MAGIC))
    if start == _HDF5_MAGIC:
        return _read_hdf5
    require("pyarrow", f"{path}: reading CSV and Parquet")
    if start.startswith(_PARQUET_MAGIC):
        return _read_parquet
    return _read_csv


def _read_csv(path: Path) -> list[Tracer]:
    """Read a table of comma-separated values with a header line."""
    import pyarrow as pa
    from pyarrow import csv

    try:
        table = csv.read_csv(path)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise DataError(
            f"{path} is no table of comma-separated values: {error}",
            hint="write one header line and then as many values in every row",
        ) from error
    return _from_columns(_arrow_columns(table), path)


def _read_parquet(path: Path) -> list[Tracer]:
    """Read a Parquet table."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is a damaged Parquet file: {error}", hint="write the file again") from error
    return _from_columns(_arrow_columns(table), path)


def _arrow_columns(table: Any) -> dict[str, NDArray[Any]]:
    """Return an Arrow table as NumPy columns; empty cells of number columns become NaN."""
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _read_hdf5(path: Path) -> list[Tracer]:
    """Read plain arrays or a pandas table."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "physical" in file:
                return _from_arrays(file, path)
            tables = [node for node in file.values() if isinstance(node, h5py.Group) and "axis0" in node]
            if len(tables) == 1:
                return _from_columns(_pandas_columns(tables[0]), path)
            found = ", ".join(file) or "nothing"
    except OSError as error:
        raise DataError(f"{path} is a damaged HDF5 file: {error}", hint="write the file again") from error
    raise DataError(
        f"{path} holds {found}; chemnet looks for datasets 'physical' and 'time' or one pandas table",
        hint="DataFrame.to_hdf(path, key='df') writes such a table",
    )


def _pandas_columns(group: Any) -> dict[str, NDArray[Any]]:
    """Return the columns of a pandas table in the fixed layout: blocks of columns that share a type."""
    columns: dict[str, NDArray[Any]] = {}
    for block in range(int(group.attrs["nblocks"])):
        names = [name.decode() for name in group[f"block{block}_items"][:]]
        values = group[f"block{block}_values"]
        if values.ndim == 2:  # a block of strings is something else
            wanted = [i for i, name in enumerate(names) if _canonical(name) is not None]
            columns |= {names[i]: values[:, i] for i in wanted}
    return columns


def _from_arrays(file: Any, path: Path) -> list[Tracer]:
    """Build tracers from arrays whose first axis is the tracer."""
    if "time" not in file:
        raise DataError(f"{path} has no dataset 'time'", hint="time [yr], shape (tracers, steps) or (steps,)")
    physical = np.asarray(file["physical"][:], dtype=np.float64)
    if physical.ndim != 3:
        raise DataError(
            f"{path}: physical has shape {physical.shape}; (tracers, steps, columns) is needed",
            hint="give a single tracer a first axis of length 1",
        )
    names = [_text(name) for name in file["physical"].attrs.get("names", PHYSICAL_NAMES)]
    order = [_position(name, names, path) for name in PHYSICAL_NAMES]
    time = np.broadcast_to(np.asarray(file["time"][:], dtype=np.float64), physical.shape[:2])
    ids = next((file[name][:] for name in ("tracer_id", "model") if name in file), np.arange(len(physical)))
    tracers = []
    for tracer_id, tracer_time, rows in zip(ids, time, physical[:, :, order], strict=True):
        steps = _unpadded(tracer_time, rows)
        tracers.append(Tracer(_text(tracer_id), tracer_time[:steps].copy(), rows[:steps]))
    return tracers


def _unpadded(time: NDArray[np.float64], rows: NDArray[np.float64]) -> int:
    """Return how many rows come before the padding: rows at the end in which all is NaN."""
    filled = np.flatnonzero(~(np.isnan(time) & np.isnan(rows).all(axis=1)))
    return int(filled[-1]) + 1 if filled.size else 0


def _from_columns(columns: Mapping[str, NDArray[Any]], path: Path) -> list[Tracer]:
    """Group the rows of a table by tracer."""
    by_name = {canonical: values for name, values in columns.items() if (canonical := _canonical(name))}
    missing = [name for name in (TIME_NAME, *PHYSICAL_NAMES) if name not in by_name]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]!r} (all that is missing: {', '.join(missing)})",
            hint=suggest(missing[0], columns),
        )
    time = _numbers(by_name[TIME_NAME], TIME_NAME, path)
    physical = np.column_stack([_numbers(by_name[name], name, path) for name in PHYSICAL_NAMES])
    ids = next((by_name[name] for name in ID_NAMES if name in by_name), np.zeros(len(time), dtype=int))
    _, first, label = np.unique(
        np.array([_text(name) for name in ids]), return_index=True, return_inverse=True
    )
    return [
        Tracer(_text(ids[first[one]]), time[label == one], physical[label == one])
        for one in np.argsort(first)
    ]


def _numbers(values: NDArray[Any], name: str, path: Path) -> NDArray[np.float64]:
    """Return a column as numbers, or name the row that is none."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        row = next(i for i, value in enumerate(values) if not _is_number(value))
        raise DataError(
            f"{path}, row {row}, column {name!r}: {values[row]!r} is no number",
            hint="correct or remove this row",
        ) from None


def _is_number(value: object) -> bool:
    """Return whether `value` can be read as a number."""
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _canonical(name: str) -> str | None:
    """Return chemnet's spelling of a column name, or None for a column that it does not use."""
    return {known.lower(): known for known in (TIME_NAME, *PHYSICAL_NAMES, *ID_NAMES)}.get(
        name.strip().lower()
    )


def _position(name: str, names: list[str], path: Path) -> int:
    """Return where the column called `name` stands, whatever its case."""
    lower = [one.lower() for one in names]
    if name.lower() not in lower:
        raise DataError(
            f"{path}: physical has no column {name!r} in its attribute 'names'", hint=suggest(name, names)
        )
    return lower.index(name.lower())


def _text(value: object) -> str:
    """Return an id as text, whether it was stored as bytes, text or a number."""
    return value.decode() if isinstance(value, bytes) else str(value)
