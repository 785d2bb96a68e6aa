"""Plain HDF5 with one array per kind of quantity, as `chemnet simulate` writes it.

`physical` (tracers, steps, n_physical) with attribute `names` and `time` (tracers, steps) or (steps,) [yr];
`abundances` (tracers, steps, n_species) and `species`, except in tracers that are yet to be simulated.
Optional: the ids of the tracers in `tracer_id`, `tracer` or `model`; in `steps` how many rows of each tracer
count, the rest being padding. Without it rows at the end whose time and parameters are NaN are padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np

from chemnet.data.readers.column_meanings import TIME, TRACER, unit_of_time
from chemnet.data.readers.hdf5 import copy_columns, readable, texts
from chemnet.data.readers.table_source import Segments, TableSource, tracer_label
from chemnet.data.simulated_set import SIMULATED_FORMAT
from chemnet.errors import DataError
from chemnet.progress import get_logger

_ID_NAMES = ("tracer_id", "tracer_ids", "tracer", "model")
_MEANT = {
    "time": "times [yr], (tracers, steps) or (steps,)",
    "species": "the names of the species along the last axis of 'abundances'",
}
_log = get_logger(__name__)


class PlainHDF5(TableSource):
    """Three arrays seen as one table, row = tracer * steps + step.

    Parameters
    ----------
    path
        The file.
    group
        Where the arrays are.
    physical_names
        Names of the physical columns, for files without the attribute `names`.

    Raises
    ------
    DataError
        When an array is missing or the shapes do not fit one another.
    """

    def __init__(self, path: Path, group: h5py.Group, physical_names: Sequence[str]) -> None:
        self.path = path
        self.where = str(path) if group.name == "/" else f"{path} (group '{group.name.strip('/')}')"
        self._physical, self._abundances = group["physical"], group.get("abundances")
        for name in ("time",) if self._abundances is None else ("time", "species"):
            if name not in group:
                raise DataError(
                    f"{self.where}: no dataset '{name}' (found: {', '.join(group)})",
                    hint=f"write it beside them: {_MEANT[name]}",
                )
        self._time, self._steps = group["time"], group.get("steps")
        self.stated_time_unit = unit_of_time(tracer_label(self._time.attrs.get("units", "")))
        self.is_simulated = tracer_label(group.file.attrs.get("format", "")) == SIMULATED_FORMAT
        species = [] if self._abundances is None else texts(group["species"][:])
        names = self._names(physical_names)
        self._check_shapes(len(names), len(species))
        self._n_tracers, self._n_steps = self._physical.shape[:2]
        if not self._n_tracers or not self._n_steps:
            raise DataError(f"{self.where}: the arrays have no rows", hint="write the table again")
        ids = next((group[name] for name in _ID_NAMES if name in group), None)
        self._ids = [str(index) for index in range(self._n_tracers)] if ids is None else texts(ids[:])
        if len(self._ids) != self._n_tracers:
            raise DataError(f"{self.where}: {len(self._ids)} tracer ids for {self._n_tracers} tracers")
        self.columns = (TRACER, TIME, *names, *species)
        self._n_physical = len(names)

    @staticmethod
    def matches(group: h5py.Group) -> bool:
        """Tell whether a group holds such arrays."""
        return isinstance(group.get("physical"), h5py.Dataset)

    def _names(self, assumed: Sequence[str]) -> list[str]:
        """Return the names of the physical columns; say so where they are assumed."""
        if "names" in self._physical.attrs:
            return texts(self._physical.attrs["names"])
        _log.warning(
            "%s: 'physical' has no attribute 'names'; its columns are taken as %s, as in data_set.physical",
            self.where,
            ", ".join(assumed),
        )
        return list(assumed)

    def read(self, start: int, stop: int, columns: Sequence[int]) -> np.ndarray:
        """Return rows of some columns, float64; only the arrays that are asked for are read."""
        first, last = start // self._n_steps, -(-stop // self._n_steps)
        rows = slice(start - first * self._n_steps, stop - first * self._n_steps)
        out = np.empty((stop - start, len(columns)))
        edges = (1, 2, 2 + self._n_physical, len(self.columns))
        for kind, (low, high) in enumerate(pairwise(edges)):
            targets = [i for i, column in enumerate(columns) if low <= column < high]
            if targets:
                with readable(self.path):
                    values = self._flat(kind, first, last)[rows]
                copy_columns(values, [columns[i] - low for i in targets], out, targets)
        return out

    def read_parts(
        self, start: int, stop: int, conditions: Sequence[int], abundances: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows of two kinds of columns; all abundances in float32 stay as they are."""
        everything = range(2 + self._n_physical, len(self.columns))
        if (
            self._abundances is None
            or self._abundances.dtype != np.float32
            or list(abundances) != list(everything)
        ):
            return super().read_parts(start, stop, conditions, abundances)
        first, last = start // self._n_steps, -(-stop // self._n_steps)
        with readable(self.path):
            values = self._flat(2, first, last)
        begin = start - first * self._n_steps
        return self.read(start, stop, conditions), values[begin : begin + stop - start]

    def labels(self, column: int) -> Iterator[np.ndarray]:
        """Yield one column tracer by tracer."""
        for tracer in range(self._n_tracers):
            yield self.read(tracer * self._n_steps, (tracer + 1) * self._n_steps, [column])[:, 0]

    def segments(self, tracer_column: int | None, time_column: int) -> Segments:
        """Return the tracers; `steps` says how long each is where some are padded."""
        if self._steps is not None:
            lengths = np.clip(self._steps[:].astype(np.int64), 0, self._n_steps)
        else:
            lengths = self._unpadded()
        return Segments(self._ids, np.arange(self._n_tracers) * self._n_steps, lengths)

    def _unpadded(self) -> np.ndarray:
        """Return the rows of each tracer before those at its end that hold neither a time nor a parameter."""
        lengths = np.full(self._n_tracers, self._n_steps, dtype=np.int64)
        if self._time.ndim == 1:
            return lengths
        with readable(self.path):
            blank = np.isnan(self._time[:])
        for tracer in np.flatnonzero(blank.any(axis=1)):
            empty = blank[tracer] & np.isnan(self._physical[tracer]).all(axis=1)
            filled = np.flatnonzero(~empty)
            lengths[tracer] = filled[-1] + 1 if filled.size else 0
        return lengths

    def _flat(self, kind: int, first: int, last: int) -> np.ndarray:
        """Return time (0), physical (1) or abundances (2) of some tracers as rows `(rows, columns)`."""
        if kind > 0:
            values = (self._physical, self._abundances)[kind - 1][first:last]
            return values.reshape(-1, values.shape[-1])
        if self._time.ndim == 1:
            return np.tile(self._time[:], last - first)[:, None]
        return self._time[first:last].reshape(-1, 1)

    def _check_shapes(self, n_physical: int, n_species: int) -> None:
        absent = self._abundances is None
        shape = (*self._physical.shape[:2], 0) if absent else self._abundances.shape
        fits = len(shape) == 3 and shape[2] == n_species
        fits = fits and self._physical.shape == (*shape[:2], n_physical)
        fits = fits and self._time.shape in (shape[:2], shape[1:2])
        if not fits:
            raise DataError(
                f"{self.where}: shapes do not fit: abundances {shape}, physical {self._physical.shape}, time "
                f"{self._time.shape}, {n_species} species, {n_physical} physical parameters",
                hint="expected (tracers, steps, species), (tracers, steps, parameters) and (tracers, steps)",
            )
