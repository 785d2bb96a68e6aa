"""Models that UCLCHEM saves as HDF5 (`save_model` and `GridRunner` of its version 4): a group per model.

Layout, from `src/uclchem/model.py` of uclchem/UCLCHEM (branch develop, commit 6d5a2a6): `physics_array`
(steps, points, parameters), `chemical_abun_array` (steps, points, species) per H nucleus, and JSON in
`attributes_dict`: its `physics_values` and `chemical_abun_values` name the last axes, its `success_flag` is
negative where the model failed. Times are in years. A point that ended early is padded with zeros.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from chemnet.data.readers.column_meanings import TIME, TRACER
from chemnet.data.readers.hdf5 import readable, texts
from chemnet.data.readers.point_arrays import PointArrays
from chemnet.data.readers.table_source import Segments
from chemnet.errors import DataError
from chemnet.progress import get_logger

_PHYSICS, _ABUNDANCES, _ATTRIBUTES, _COORDINATES = (
    "physics_array", "chemical_abun_array", "attributes_dict", "_coords",
)  # fmt: skip
_log = get_logger(__name__)


class UclchemModels(PointArrays):
    """Each point of each model as a tracer, one after another.

    Parameters
    ----------
    path
        The file.
    groups
        The models; those that failed are left out.

    Raises
    ------
    DataError
        When parameters or species have no names or differ between models, arrays do not fit, or all failed.
    """

    stated_time_unit = "yr"
    optional = frozenset({"parcel_radius"})

    def __init__(self, path: Path, groups: Sequence[h5py.Group]) -> None:
        self.path = path
        self.where = str(path) if len(groups) > 1 else f"{path} (group '{groups[0].name.strip('/')}')"
        models = [group for group in groups if not _failed(group)]
        if len(models) < len(groups):
            failed = [group.name.strip("/") for group in groups if group not in models]
            _log.warning("%s: left out %d models that failed: %s", path, len(failed), ", ".join(failed[:10]))
        if not models:
            raise DataError(f"{self.where}: every model failed (success_flag)", hint="run the models again")
        self._names = _names(models[0])
        for group in models:
            _check(group, self._names, f"{path} (group '{group.name.strip('/')}')")
        parameters, species = self._names
        if TIME not in parameters:
            raise DataError(f"{self.where}: no '{TIME}' among the parameters {', '.join(parameters)}")
        self.columns = (TRACER, *parameters, *species)
        self._tracers = [(group, point) for group in models for point in range(group[_PHYSICS].shape[1])]
        steps = [len(group[_PHYSICS]) for group, _ in self._tracers]
        self.edges = np.cumsum([0, *steps])

    @staticmethod
    def matches(group: h5py.Group) -> bool:
        """Tell whether a group holds such a model."""
        arrays = (group.get(name) for name in (_PHYSICS, _ABUNDANCES))
        return all(isinstance(array, h5py.Dataset) and array.ndim == 3 for array in arrays)

    def segments(self, tracer_column: int | None, time_column: int) -> Segments:
        """Return the tracers, called after their models; zeros after the last time are no rows."""
        ids, lengths = [], []
        for group, point in self._tracers:
            name, points = group.name.strip("/"), group[_PHYSICS].shape[1]
            ids.append(name if points == 1 else f"{name}-{point}")
            with readable(self.path):
                times = group[_PHYSICS][:, point, self._names[0].index(TIME)]
            reached = np.flatnonzero(times)
            lengths.append(int(reached[-1]) + 1 if reached.size else min(1, len(times)))
        return Segments(ids, self.edges[:-1], np.array(lengths, dtype=np.int64))

    def rows_of(self, tracer: int, start: int, stop: int) -> np.ndarray:
        """Return time, parameters and abundances of some rows of a point."""
        group, point = self._tracers[tracer]
        with readable(self.path):
            physics, abundances = (group[name][start:stop, point] for name in (_PHYSICS, _ABUNDANCES))
        return np.concatenate([physics, abundances], axis=1)


def _attributes(group: h5py.Group) -> dict[str, Any]:
    """Return what UCLCHEM noted of a model; nothing where it noted nothing."""
    if _ATTRIBUTES not in group:
        return {}
    found = json.loads(texts(group[_ATTRIBUTES][()])[0])
    return found if isinstance(found, dict) else {}


def _failed(group: h5py.Group) -> bool:
    flag = _attributes(group).get("success_flag")
    return isinstance(flag, int) and flag < 0


def _names(group: h5py.Group) -> tuple[list[str], list[str]]:
    """Return the names of the parameters and of the species of a model."""
    noted, beside = _attributes(group), group.get(_COORDINATES, {})
    found = []
    for axis, array in (("physics_values", _PHYSICS), ("chemical_abun_values", _ABUNDANCES)):
        values = noted.get(axis) or (beside[axis][()] if axis in beside else None)
        if values is None or not all(isinstance(value, (str, bytes)) for value in values):
            raise DataError(
                f"{group.file.filename} (group '{group.name.strip('/')}'): nothing names the last axis of "
                f"'{array}'",
                hint=f"UCLCHEM writes it into '{_ATTRIBUTES}' as '{axis}'; save the model again",
            )
        found.append(texts(values))
    return found[0], found[1]


def _check(group: h5py.Group, names: tuple[list[str], list[str]], where: str) -> None:
    """Refuse a model whose arrays do not fit its names, or that has others than the first one."""
    if _names(group) != names:
        raise DataError(
            f"{where}: other parameters or species than in the first model of the file",
            hint="read models of one network at a time: data_set.group names one",
        )
    physics, abundances = group[_PHYSICS].shape, group[_ABUNDANCES].shape
    if physics[:2] != abundances[:2] or (physics[2], abundances[2]) != (len(names[0]), len(names[1])):
        raise DataError(
            f"{where}: shapes do not fit: {_PHYSICS} {physics}, {_ABUNDANCES} {abundances}, {len(names[0])} "
            f"parameters, {len(names[1])} species",
            hint="save the model again",
        )
