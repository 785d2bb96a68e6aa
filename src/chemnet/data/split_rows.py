"""One split of a preprocess result: its rows, read from their file when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from chemnet.data.chem_dataset import TracerBlock
from chemnet.data.hdf5_views import StoredRows
from chemnet.data.scaling import AbundanceScaling, PhysicalScaling
from chemnet.data.windows import time_steps, window_rows, window_starts
from chemnet.errors import DataError, suggest

RowIndex = slice | np.ndarray | Sequence[int]
ALL_ROWS = slice(None)


class Split:
    """The rows of one split, read from its file when they are asked for.

    The whole-array properties read once and stay in memory; `read` reads some rows and keeps nothing.

    Parameters
    ----------
    path
        The split's HDF5 file.
    abundance_scaling, physical_scaling
        How its rows were scaled.
    window
        Rows per window, None where the method makes none.
    method
        The preprocessing method, for messages.
    stride
        Rows between the starts of windows that are cut anew; None: windows as the file has them.
    """

    def __init__(
        self,
        path: Path,
        abundance_scaling: AbundanceScaling,
        physical_scaling: PhysicalScaling,
        window: int | None,
        method: str,
        stride: int | None = None,
    ) -> None:
        self.path = path
        self.name = path.stem
        self.abundance_scaling = abundance_scaling
        self.physical_scaling = physical_scaling
        self.window = window
        self.method = method
        self.stride = stride
        self._datasets: dict[str, h5py.Dataset] = {}
        self._stored: dict[str, StoredRows] = {}

    def check_shapes(self, n_species: int, n_physical: int) -> None:
        """Raise `DataError` unless the arrays of the file fit one another and these numbers of columns."""
        widths = {"abundance": n_species, "physical": n_physical}
        for name in ("abundance", "abundance_raw", "physical", "physical_raw"):
            shape = (self.n_rows, widths[name.removesuffix("_raw")])
            found = self._file.get(name)
            if found is not None and (found.shape != shape or found.dtype.kind != "f"):
                raise DataError(
                    f"{self.path}: '{name}' holds {found.shape} values of {found.dtype}, not {shape} "
                    "floating-point ones",
                    hint="the result is damaged: run `chemnet preprocess` again",
                )

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_rows

    def __repr__(self) -> str:
        return f"Split({self.name!r}, {len(self.tracer_ids)} tracers, {self.n_rows} rows)"

    @cached_property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._file["time"])

    @cached_property
    def abundance(self) -> np.ndarray:
        """Scaled abundances, float32 `(rows, n_species)`."""
        return self._file["abundance"][:]

    @cached_property
    def physical(self) -> np.ndarray:
        """Scaled physical parameters, float32 `(rows, n_physical)`; row i drives the step to row i + 1."""
        return self._file["physical"][:]

    @cached_property
    def time(self) -> np.ndarray:
        """Time [yr], float64 `(rows,)`."""
        return self._file["time"][:]

    @cached_property
    def tracer_ids(self) -> tuple[str, ...]:
        """Ids of the tracers of this split."""
        return tuple(self._file["tracer_id"].asstr()[:])

    @property
    def is_ordered(self) -> bool:
        """Whether each tracer's rows stand together and in order."""
        return "offsets" in self._file

    @cached_property
    def offsets(self) -> np.ndarray:
        """Tracer t owns rows ``offsets[t]:offsets[t + 1]``, int64 `(n_tracers + 1,)`.

        Raises
        ------
        DataError
            When the rows are shuffled.
        """
        return self._index("offsets", "trajectories")

    @cached_property
    def window_start(self) -> np.ndarray:
        """First row of each window, int64 `(n_windows,)`.

        Raises
        ------
        DataError
            When the preprocessing method made no windows.
        """
        if self.stride is not None:
            return window_starts(self.offsets, self.window or 0, self.stride)
        return self._index("window_start", "windows")

    @cached_property
    def tracer_of_row(self) -> np.ndarray:
        """Tracer of each row, as an index into `tracer_ids`, `(rows,)`."""
        if not self.is_ordered:
            return self._file["tracer"][:]
        return np.repeat(np.arange(len(self.tracer_ids)), np.diff(self.offsets))

    @cached_property
    def steps(self) -> np.ndarray:
        """Index of each row along its tracer, `(rows,)`."""
        if not self.is_ordered:
            return self._file["step"][:]
        return np.arange(self.n_rows) - np.repeat(self.offsets[:-1], np.diff(self.offsets))

    @cached_property
    def dt(self) -> np.ndarray:
        """Time from each row to the next of its tracer [yr], float64 `(rows,)`.

        It is 0 at a tracer's end, and for all rows where they are shuffled.
        """
        dt = np.zeros(self.n_rows)
        if self.is_ordered and self.n_rows:
            dt[:-1] = np.where(np.diff(self.tracer_of_row) == 0, np.diff(self.time), 0.0)
        return dt

    def sample_ids(self, rows: RowIndex = ALL_ROWS) -> np.ndarray:
        """Return ``"<tracer>-<step>"`` of some rows, text `(rows,)`."""
        tracers = np.array(self.tracer_ids, dtype=str)[self.tracer_of_row[rows]]
        return np.char.add(np.char.add(tracers, "-"), self.steps[rows].astype(str))

    def read(self, name: str, rows: RowIndex = ALL_ROWS) -> np.ndarray:
        """Return some rows of a dataset of the file.

        Parameters
        ----------
        name
            "abundance", "physical", "time", or, in the test split, "abundance_raw" and "physical_raw".
        rows
            A slice, or row indices in any order; chunks that hold none of them are not read.
        """
        dataset = self._dataset(name)
        if isinstance(rows, slice):
            return dataset[rows]
        # HDF5 wants increasing indices without repeats
        unique, inverse = np.unique(np.asarray(rows, dtype=np.int64), return_inverse=True)
        return dataset[unique][inverse]

    def stored(self, name: str) -> StoredRows:
        """Return a dataset of the file (as for `read`) whose slices are views where the file allows."""
        if name not in self._stored:
            self._stored[name] = StoredRows(self._dataset(name))
        return self._stored[name]

    def raw_abundance(self, rows: RowIndex = ALL_ROWS) -> np.ndarray:
        """Return abundances relative to H nuclei, float64 `(rows, n_species)`.

        The test split holds them as they were read; for the others the scaling is undone, so values below the
        floor are at the floor.
        """
        if "abundance_raw" in self._file:
            return self.read("abundance_raw", rows)
        return self.abundance_scaling.unscale(self.read("abundance", rows).astype(np.float64))

    def raw_physical(self, rows: RowIndex = ALL_ROWS) -> np.ndarray:
        """Return physical parameters in their own units, float64 `(rows, n_physical)`."""
        if "physical_raw" in self._file:
            return self.read("physical_raw", rows)
        return self.physical_scaling.unscale(self.read("physical", rows).astype(np.float64))

    def windows(self, which: RowIndex = ALL_ROWS) -> dict[str, np.ndarray]:
        """Return some windows as a batch of arrays.

        Parameters
        ----------
        which
            Windows, as indices into `window_start`.

        Returns
        -------
        dict
            `abundance` `(B, window, n_species)`, `physical` `(B, window - 1, n_physical)` and `dt`
            `(B, window - 1)` [yr].
        """
        rows = window_rows(self.window_start[which], self.window or 0)
        return {
            "abundance": self.abundance[rows],
            "physical": self.physical[rows[:, :-1]],
            "dt": time_steps(self.time[rows]),
        }

    def block(self) -> TracerBlock:
        """Return the whole split in raw units, as a dataset would."""
        return TracerBlock(
            self.time, self.raw_physical(), self.raw_abundance(), self.offsets, self.tracer_ids
        )

    @cached_property
    def _file(self) -> h5py.File:
        return h5py.File(self.path, "r")

    def _dataset(self, name: str) -> h5py.Dataset:
        if name not in self._datasets:
            if name not in self._file:
                raise DataError(f"{self.path}: no dataset '{name}'", hint=suggest(name, self._file))
            self._datasets[name] = self._file[name]
        return self._datasets[name]

    def _index(self, name: str, what: str) -> np.ndarray:
        if name not in self._file:
            raise DataError(
                f"{self.path}: no {what} in this split, which was made with method '{self.method}'",
                hint='run `chemnet preprocess preprocess.method="sequential"`',
            )
        return self._file[name][:]
