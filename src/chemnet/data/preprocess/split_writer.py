"""Writing the rows of a split: scaled, chunked, appended block by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from chemnet.data.fused_scaling import scale_abundances
from chemnet.data.hdf5_output import HDF5Output
from chemnet.data.preprocess.growing_columns import GrowingColumn
from chemnet.data.scaling import AbundanceScaling, PhysicalScaling

# Rows of one HDF5 chunk: as many as `chemnet.surrogate.bulk.model_over_data_set` gives the model at
# once, so that it reads them uncopied.
_CHUNK_ROWS = 2048
# Its largest size in bytes: a compressed chunk is read whole, also for one row of it.
_LARGEST_CHUNK = 4 * 2**20


@dataclass(frozen=True)
class Rows:
    """Rows on their way into a split, in raw units: those of a block that `chosen` names, int64 `(n,)`.

    Of the whole block there are `time` `(rows,)` [yr], `physical` `(rows, n_physical)`, `abundance`
    `(rows, n_species)`, and the tracer (an index into the data set's tracers) and step of each row, int64
    `(rows,)`. So the abundances, which are many, are copied once only: scaled, into the split.
    """

    time: np.ndarray
    physical: np.ndarray
    abundance: np.ndarray
    tracer: np.ndarray
    step: np.ndarray
    chosen: np.ndarray

    def __len__(self) -> int:
        return len(self.chosen)


@dataclass(frozen=True)
class SplitLayout:
    """What the files of all splits have in common.

    Attributes
    ----------
    abundance_scaling, physical_scaling
        Scalings of the two kinds of columns.
    n_species, n_physical
        Numbers of columns.
    tracer_ids
        Ids of all tracers of the data set.
    compression
        HDF5 compression, or None.
    """

    abundance_scaling: AbundanceScaling
    physical_scaling: PhysicalScaling
    n_species: int
    n_physical: int
    tracer_ids: list[str]
    compression: str | None

    @property
    def chunk_rows(self) -> int:
        """Rows per HDF5 chunk."""
        return max(1, min(_CHUNK_ROWS, _LARGEST_CHUNK // (4 * self.n_species)))


class SplitWriter:
    """Append rows to the HDF5 file of one split.

    Parameters
    ----------
    path
        The file to make.
    layout
        Scalings and shapes.
    keep_raw
        Store the raw values as well, in float64: the test split is scored against them.
    """

    def __init__(self, path: Path, layout: SplitLayout, keep_raw: bool) -> None:
        self._output = HDF5Output(path)
        self._file = self._output.file
        self._layout = layout
        self._keep_raw = keep_raw
        self.n_rows = 0
        self.n_tracers = 0
        self.n_windows = 0
        self.rows_outside_range = 0
        with self._output.beginning():
            self._columns = {
                name: self._create(name, width, dtype) for name, width, dtype in self._specification()
            }

    def append(self, rows: Rows) -> bool:
        """Scale rows and append them.

        Returns
        -------
        bool
            Whether all abundances are such; where not, the rows were written nevertheless.
        """
        self._append_columns(self._conditions(rows))
        scaling, sound = self._layout.abundance_scaling, True
        for part, space in self._columns["abundance"].spaces(len(rows)):
            sound &= scale_abundances(rows.abundance, rows.chosen[part], scaling, space)
        if self._keep_raw:
            for part, space in self._columns["abundance_raw"].spaces(len(rows)):
                # a solver's noise below zero counts as zero
                np.maximum(rows.abundance[rows.chosen[part]], 0.0, out=space)
        self.n_rows += len(rows)
        self._output.check()
        return sound

    def finish(self) -> None:
        """Write the index of the rows and close the file."""
        self._flush()
        self._output.close()

    def discard(self) -> None:
        """Close the file after an error."""
        self._output.discard()

    def _specification(self) -> list[tuple[str, int, str]]:
        """Return name, width (0: one value per row) and dtype of each column."""
        columns = [
            ("abundance", self._layout.n_species, "f4"),
            ("physical", self._layout.n_physical, "f4"),
            ("time", 0, "f8"),
        ]
        if self._keep_raw:
            columns += [
                ("abundance_raw", self._layout.n_species, "f8"),
                ("physical_raw", self._layout.n_physical, "f8"),
            ]
        return columns

    def _create(self, name: str, width: int, dtype: str) -> GrowingColumn:
        tail = (width,) if width else ()
        dataset = self._file.create_dataset(
            name,
            shape=(0, *tail),
            maxshape=(None, *tail),
            chunks=(self._layout.chunk_rows, *tail),
            dtype=dtype,
            compression=self._layout.compression,
        )
        return GrowingColumn(dataset)

    def _conditions(self, rows: Rows) -> dict[str, np.ndarray]:
        """Return the columns of rows other than their abundances; count those outside the training range."""
        raw = rows.physical[rows.chosen]
        physical = self._layout.physical_scaling.scale(raw)
        self.rows_outside_range += int(((physical < -1e-9) | (physical > 1 + 1e-9)).any(axis=1).sum())
        return {
            "physical": physical,
            "physical_raw": raw,
            "time": rows.time[rows.chosen],
            "tracer": rows.tracer[rows.chosen],
            "step": rows.step[rows.chosen],
        }

    def _append_columns(self, values: Mapping[str, np.ndarray]) -> None:
        """Append values to those of this writer's datasets that they are for."""
        for name, column in values.items():
            if name in self._columns:
                self._columns[name].append(column)

    def _flush(self) -> None:
        """Write what is still in memory; nothing can be appended afterwards."""
        for column in self._columns.values():
            column.flush()

    def _write_tracer_ids(self, tracers: np.ndarray) -> None:
        ids = [self._layout.tracer_ids[tracer] for tracer in tracers]
        self._file.create_dataset("tracer_id", data=ids, dtype=h5py.string_dtype(), shape=(len(ids),))
        self.n_tracers = len(ids)


class TrajectoryWriter(SplitWriter):
    """A split of whole tracers: `offsets` say which rows each owns."""

    def __init__(self, path: Path, layout: SplitLayout, keep_raw: bool) -> None:
        super().__init__(path, layout, keep_raw)
        self._tracers: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []

    def append(self, rows: Rows) -> bool:
        """Write the rows of whole tracers."""
        tracer = rows.tracer[rows.chosen]
        first = np.flatnonzero(np.diff(tracer, prepend=-1))
        self._tracers.append(tracer[first])
        self._lengths.append(np.diff(np.append(first, len(rows))))
        return super().append(rows)

    def finish(self) -> None:
        """Write ids and offsets and close the file."""
        self._write_index(self.offsets)
        super().finish()

    @property
    def offsets(self) -> np.ndarray:
        """First row of each tracer, and the number of rows, int64 `(n_tracers + 1,)`."""
        return np.concatenate([[0], np.cumsum(np.concatenate([np.empty(0, dtype=np.int64), *self._lengths]))])

    def _write_index(self, offsets: np.ndarray) -> None:
        """Write what says which rows belong together."""
        self._write_tracer_ids(np.concatenate([np.empty(0, dtype=np.int64), *self._tracers]))
        self._file["offsets"] = offsets.astype(np.int64)


class LooseRowWriter(SplitWriter):
    """A split of rows that stand apart from their tracer: each row carries its tracer and step."""

    def finish(self) -> None:
        """Write the ids of the tracers that occur, renumber `tracer` to them, and close the file."""
        self._flush()
        tracer = self._columns["tracer"].dataset
        present, numbers = np.unique(tracer[:], return_inverse=True)
        tracer[:] = numbers
        self._write_tracer_ids(present)
        super().finish()

    def _specification(self) -> list[tuple[str, int, str]]:
        return [*super()._specification(), ("tracer", 0, "i4"), ("step", 0, "i4")]
