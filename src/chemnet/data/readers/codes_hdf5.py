"""Data sets of the CODES benchmark (Janssen, Sulzer & Buck 2024, arXiv:2410.20886): HDF5, an array per split.

`train`, `test`, `val` (samples, steps, quantities), attribute `labels` of the file; optional `timesteps`
(steps,) and `train_params`, `test_params`, `val_params` (samples, parameters), the same along a sample. A
sample becomes the tracer ``train-0``, ``val-0`` or ``test-0``; ``preprocess.own_split`` keeps that split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from chemnet.data.readers.column_meanings import TIME, TRACER
from chemnet.data.readers.hdf5 import readable, texts
from chemnet.data.readers.table_source import Segments, TableSource
from chemnet.errors import DataError
from chemnet.progress import get_logger

SPLITS = ("train", "val", "test")
# CODES watches the training on `test` and takes every published figure on `val`
_ROLES = {"train": "train", "validate": "test", "test": "val"}
_log = get_logger(__name__)


class CodesTable(TableSource):
    """The three splits as one table, one after another; row = sample * steps + step.

    Parameters
    ----------
    path
        The file.
    group
        Its root.
    physical_names
        Names for the parameters, which the file does not name, as in ``data_set.physical``.

    Raises
    ------
    DataError
        When shapes do not fit one another, or the quantities have no names.
    """

    def __init__(self, path: Path, group: h5py.Group, physical_names: Sequence[str]) -> None:
        self.path, self.where = path, str(path)
        self._parts = [group[name] for name in SPLITS]
        self._parameters = [group.get(f"{name}_params") for name in SPLITS]
        self._n_steps, n_quantities = self._parts[0].shape[1:]
        self._counts = [part.shape[0] for part in self._parts]
        self._check_shapes()
        if "labels" not in group.attrs:
            raise DataError(
                f"{path}: no attribute 'labels' names the {n_quantities} quantities",
                hint="write it: file.attrs['labels'] = ['H2', 'CO', ...]",
            )
        species = texts(group.attrs["labels"])
        self._time = self._times(group)
        names = self._parameter_names(physical_names)
        self.columns = (TRACER, TIME, *names, *species)
        self._n_parameters = len(names)
        ids = {
            name: [f"{name}-{i}" for i in range(count)]
            for name, count in zip(SPLITS, self._counts, strict=True)
        }
        self._ids = [one for name in SPLITS for one in ids[name]]
        self.own_split = {role: ids[name] for role, name in _ROLES.items()}

    @staticmethod
    def matches(group: h5py.Group) -> bool:
        """Tell whether a group holds such arrays."""
        return all(isinstance(group.get(name), h5py.Dataset) and group[name].ndim == 3 for name in SPLITS)

    def _check_shapes(self) -> None:
        for name, part, parameters in zip(SPLITS, self._parts, self._parameters, strict=True):
            if part.shape[1:] != self._parts[0].shape[1:]:
                raise DataError(
                    f"{self.where}: '{name}' has shape {part.shape}, 'train' {self._parts[0].shape}"
                )
            if (parameters is None) != (self._parameters[0] is None) or (
                parameters is not None and len(parameters) != len(part)
            ):
                raise DataError(
                    f"{self.where}: '{name}_params' does not have a row for each sample of '{name}'"
                )

    def _times(self, group: h5py.Group) -> np.ndarray:
        """Return the times of the steps; without any, they are counted and that is said."""
        if "timesteps" not in group:
            _log.warning("%s: no 'timesteps'; steps are taken as 1 apart", self.where)
            return np.arange(self._n_steps, dtype=np.float64)
        times = np.asarray(group["timesteps"][:], np.float64)
        if times.shape != (self._n_steps,):
            raise DataError(f"{self.where}: 'timesteps' has shape {times.shape} for {self._n_steps} steps")
        return times

    def _parameter_names(self, assumed: Sequence[str]) -> list[str]:
        """Return names for the parameters: those of the configuration, and numbered ones for the rest."""
        first = self._parameters[0]
        if first is None:
            _log.warning(
                "%s has no parameters: a column 'constant' of ones stands for them; set "
                'data_set.physical=["constant"]',
                self.where,
            )
            return ["constant"]
        count = first.shape[1]
        names = [*assumed[:count], *(f"parameter_{i}" for i in range(len(assumed), count))]
        _log.warning("%s names no parameters; they are taken as %s", self.where, ", ".join(names))
        return names

    def read(self, start: int, stop: int, columns: Sequence[int]) -> np.ndarray:
        """Return rows of some columns, float64."""
        rows = np.arange(start, stop)
        sample, step = np.divmod(rows, self._n_steps)
        out = np.empty((len(rows), len(columns)))
        edges = np.cumsum([0, *self._counts])
        for part in range(len(SPLITS)):
            here = (sample >= edges[part]) & (sample < edges[part + 1])
            if here.any():
                out[here] = self._read_part(part, sample[here] - edges[part], step[here], columns)
        return out

    def _read_part(
        self, part: int, sample: np.ndarray, step: np.ndarray, columns: Sequence[int]
    ) -> np.ndarray:
        first, last = int(sample[0]), int(sample[-1]) + 1
        with readable(self.path):
            values = self._parts[part][first:last]
            parameters = self._parameters[part]
            constant = np.ones((last - first, 1)) if parameters is None else parameters[first:last]
        out = np.empty((len(sample), len(columns)))
        for target, column in enumerate(columns):
            if column == 0:
                out[:, target] = sample
            elif column == 1:
                out[:, target] = self._time[step]
            elif column < 2 + self._n_parameters:
                out[:, target] = constant[sample - first, column - 2]
            else:
                out[:, target] = values[sample - first, step, column - 2 - self._n_parameters]
        return out

    def labels(self, column: int) -> Iterator[np.ndarray]:
        """Yield one column sample by sample."""
        for sample in range(len(self._ids)):
            yield self.read(sample * self._n_steps, (sample + 1) * self._n_steps, [column])[:, 0]

    def segments(self, tracer_column: int | None, time_column: int) -> Segments:
        """Return the samples as tracers."""
        count = len(self._ids)
        return Segments(self._ids, np.arange(count) * self._n_steps, np.full(count, self._n_steps))
