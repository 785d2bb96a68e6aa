"""The made tracers in every table format that chemnet reads, and tables with one fault each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from made_tracers import PHYSICAL_NAMES, MadeTracers, write_npy, write_plain_hdf5, write_uclchem_table

from chemnet.config import ConfigDict, load_config

Writer = Callable[[Path, MadeTracers], Path]


def data_frame(tracers: MadeTracers, dtype: type = np.float64) -> Any:
    """Return the tracers as a pandas data frame with UCLCHEM's columns, without the sums."""
    import pandas as pd

    n_tracers, n_steps, _ = tracers.physical.shape
    columns = {
        "Model": np.repeat(np.arange(n_tracers), n_steps),
        "Time": tracers.time.ravel(),
        **dict(zip(PHYSICAL_NAMES, tracers.physical.reshape(-1, 4).T, strict=True)),
        **dict(zip(tracers.species, tracers.rows.T.astype(dtype), strict=True)),
    }
    return pd.DataFrame(columns)


def write_pandas_blosc(path: Path, tracers: MadeTracers) -> Path:
    """Write the fixed layout, compressed by blosc."""
    data_frame(tracers).to_hdf(path, key="df", mode="w", complevel=5, complib="blosc")
    return path


def write_pandas_table(path: Path, tracers: MadeTracers) -> Path:
    """Write the table layout, with the tracer as a column of its own and text as its id."""
    frame = data_frame(tracers)
    frame["Model"] = frame["Model"].map("run{}".format)
    frame.to_hdf(
        path, key="df", mode="w", format="table", data_columns=["Model"], complib="zlib", complevel=1
    )
    return path


def write_carbox(path: Path, tracers: MadeTracers, names: tuple[str, ...] = ("small",)) -> Path:
    """Write Carbox groups: float32 `data`, `columns`, `tracer_id` and `tracer_ptr`."""
    n_tracers, n_steps, _ = tracers.physical.shape
    ids = np.arange(n_tracers) + 100
    density, radfield, av, temperature = tracers.physical.reshape(-1, 4).T
    table = np.column_stack(
        [np.repeat(ids, n_steps), tracers.time.ravel(), density, temperature, av, radfield, tracers.rows]
    )
    columns = ["tracer", "time", "density", "temperature", "Av", "rad_field", *tracers.species]
    with h5py.File(path, "w") as file:
        for name in names:
            file[f"{name}/data"] = table.astype(np.float32)
            file[f"{name}/columns"] = columns
            file[f"{name}/tracer_id"] = ids
            file[f"{name}/tracer_ptr"] = [[i, row * n_steps, n_steps] for row, i in enumerate(ids)]
    return path


def write_csv(path: Path, tracers: MadeTracers) -> Path:
    """Write text with spaces after the commas, as UCLCHEM does."""
    frame = data_frame(tracers).rename(columns={"Radfield": "radfield", "Model": "Tracer"})
    frame["point"] = 1
    lines = [", ".join(frame.columns)]
    lines += [", ".join(repr(float(value)) for value in row) for row in frame.itertuples(index=False)]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_parquet(path: Path, tracers: MadeTracers) -> Path:
    """Write Parquet with several small row groups."""
    data_frame(tracers).to_parquet(path, row_group_size=50)
    return path


FORMATS: dict[str, Writer] = {
    "pandas, zlib": write_uclchem_table,
    "pandas, blosc": write_pandas_blosc,
    "pandas, table layout": write_pandas_table,
    "plain HDF5": write_plain_hdf5,
    "npy": write_npy,
    "Carbox": write_carbox,
    "CSV": write_csv,
    "Parquet": write_parquet,
}


def table_config(path: Path, **options: Any) -> ConfigDict:
    """Return the defaults with `data_set.path` and further keys of `[data_set]` set."""
    return load_config().replace(
        {"data_set.path": str(path), **{f"data_set.{k}": v for k, v in options.items()}}
    )
