"""The NetCDF file that Nautilus writes (``output.nc``), which is HDF5: each spatial point is a tracer.

Layout, as nautilus-astrochem 2.1.4 (PyPI) writes it: `abundances` (time, spatial, species) per H nucleus,
`species` (species, 11) of characters, `time` [s], and in `physical-parameters` (time, spatial)
`H_number_density` [cm^-3], `gas_temperature` and `dust_temperature` [K], `visual_extinction` [mag] and
`CR_IONISATION_RATE_1D` [s^-1]; the UV field is not in it. J and K before a name mark the surface and the
mantle, X what is bound to the grain itself, and C-H2O is a carbon atom bound to water.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from chemnet.chemistry.formats.row_files import COSMIC_RAY_UNIT
from chemnet.chemistry.units import SECONDS_PER_YEAR
from chemnet.data.readers.column_meanings import TIME, TRACER
from chemnet.data.readers.hdf5 import readable
from chemnet.data.readers.point_arrays import PointArrays
from chemnet.data.readers.table_source import Segments
from chemnet.errors import DataError
from chemnet.progress import get_logger

_CONDITIONS = "physical-parameters"
# name in the file -> chemnet's, and the factor to chemnet's unit
_KNOWN = {
    "H_number_density": ("Density", 1.0),
    "visual_extinction": ("Av", 1.0),
    "gas_temperature": ("gasTemp", 1.0),
    "dust_temperature": ("dustTemp", 1.0),
    "CR_IONISATION_RATE_1D": ("zeta", 1.0 / COSMIC_RAY_UNIT),
}
_ICE = {"J": "#", "K": "@"}
_COMPLEX, _BOUND = re.compile(r"[A-Z]\w*-[A-Z]\w*"), re.compile(r"X[A-Z]")
_log = get_logger(__name__)


class NautilusOutput(PointArrays):
    """A run of Nautilus.

    Parameters
    ----------
    path
        The file.
    group
        Its root.

    Raises
    ------
    DataError
        When an array does not fit the others.
    """

    stated_time_unit = "yr"

    def __init__(self, path: Path, group: h5py.Group) -> None:
        self.path, self.where = path, str(path)
        self._abundances: h5py.Dataset = group["abundances"]
        self._years = np.asarray(group["time"][:], np.float64) / SECONDS_PER_YEAR
        found = {name: group[_CONDITIONS][name] for name in _KNOWN if name in group[_CONDITIONS]}
        self._conditions = list(found.values())
        self._factors = np.array([_KNOWN[name][1] for name in found])
        species = list(_species(group["species"][:]))
        self.columns = (TRACER, TIME, *(_KNOWN[name][0] for name in found), *species)
        self._check(len(species))
        steps, self._points = self._abundances.shape[:2]
        self.edges = np.arange(self._points + 1) * steps
        _log.info(
            "%s: a run of Nautilus; times from s to years of %.4g s, cosmic-ray rates from s^-1 to %g s^-1",
            path,
            SECONDS_PER_YEAR,
            COSMIC_RAY_UNIT,
        )

    @staticmethod
    def matches(group: h5py.Group) -> bool:
        """Tell whether a group holds such a run."""
        ranks = {"abundances": 3, "species": 2, "time": 1}
        arrays = {name: group.get(name) for name in ranks}
        return isinstance(group.get(_CONDITIONS), h5py.Group) and all(
            isinstance(array, h5py.Dataset) and array.ndim == ranks[name] for name, array in arrays.items()
        )

    def segments(self, tracer_column: int | None, time_column: int) -> Segments:
        """Return the points as tracers; a single one is called after the file."""
        count = self._points
        ids = [self.path.stem] if count == 1 else [str(point) for point in range(count)]
        return Segments(ids, self.edges[:-1], np.diff(self.edges))

    def rows_of(self, tracer: int, start: int, stop: int) -> np.ndarray:
        """Return time [yr], conditions in chemnet's units and abundances of some rows of a point."""
        with readable(self.path):
            conditions = [one[start:stop, tracer] for one in self._conditions]
            abundances = self._abundances[start:stop, tracer]
        table = np.column_stack([self._years[start:stop], *conditions])
        table[:, 1:] *= self._factors
        return np.concatenate([table, abundances], axis=1)

    def _check(self, n_species: int) -> None:
        steps, points = self._abundances.shape[:2]
        for array, shape in (
            (self._abundances, (len(self._years), points, n_species)),
            *((one, (steps, points)) for one in self._conditions),
        ):
            if array.shape != shape:
                raise DataError(
                    f"{self.where}: '{array.name.strip('/')}' has shape {array.shape}, the others {shape}",
                    hint="run Nautilus again",
                )


def _species(characters: np.ndarray) -> Iterator[str]:
    """Yield the names of species, ice marked as chemnet does."""
    for row in characters:
        name = b"".join(row).decode().strip()
        phase = _ICE.get(name[:1], "")
        name = name[1:] if phase else name
        # what such a name is made of stands behind it: C-H2O would read as a form of water
        made_of = (
            name.replace("-", "") if _COMPLEX.fullmatch(name) else name[1:] if _BOUND.match(name) else ""
        )
        yield f"{phase}{name}{{{made_of}}}" if made_of else phase + name
