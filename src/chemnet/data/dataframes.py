"""Sets as tables of other libraries: pandas, Parquet, xarray. A row is one state of one tracer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chemnet.extras import require

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Columns = dict[str, np.ndarray]


class Tabular(ABC):
    """What every set offers: its rows as a data frame, a Parquet file or an xarray data set."""

    @abstractmethod
    def column_blocks(self) -> Iterator[Columns]:
        """Yield the rows of the set, some at a time, as arrays ``(rows,)`` by the name of their column."""

    def to_pandas(self) -> pd.DataFrame:
        """Return all rows as a data frame: tracer, step, time [yr], physical parameters, and the rest.

        Raises
        ------
        MissingPackageError
            pandas is not installed.
        """
        require("pandas", f"{type(self).__name__}.to_pandas")
        import pandas as pd

        frames = [pd.DataFrame(block) for block in self.column_blocks()]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def to_parquet(self, path: str | Path) -> Path:
        """Write the rows into a Parquet file, some at a time, and return its path.

        Raises
        ------
        MissingPackageError
            PyArrow is not installed.
        """
        require("pyarrow", f"{type(self).__name__}.to_parquet")
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        blocks = (pa.table(block) for block in self.column_blocks())
        first = next(blocks)
        with ParquetWriter(path, first.schema) as writer:
            for block in chain([first], blocks):
                writer.write_table(block)
        return Path(path)

    def to_xarray(self) -> xr.Dataset:
        """Return the columns as variables over the dimension ``state``, with the coordinates tracer and step.

        Raises
        ------
        MissingPackageError
            xarray is not installed.
        """
        require("xarray", f"{type(self).__name__}.to_xarray")
        import xarray as xr

        blocks = list(self.column_blocks())
        columns: dict[str, Any] = {
            name: ("state", np.concatenate([block[name] for block in blocks])) for name in blocks[0]
        }
        coordinates = {name: columns.pop(name) for name in ("tracer", "step")}
        return xr.Dataset(columns, coords=coordinates)
