"""The set that `chemnet simulate` makes: plain HDF5 arrays that say where they come from.

Layout: `physical` (tracers, steps, 4 or more) with attributes `names` and `units`; `abundances` (tracers,
steps, species) float32; `time` (tracers, steps) [yr]; `steps` (tracers,), the number of rows that count:
tracers that are shorter than the longest are padded with NaN; `species`; `tracer_id`, `model` (position in
the set before failures were left out), `family`, `pre_phase`; `stoichiometry` (species, elements) with
attribute `elements`; `statistics` (tracers, counts) with attribute `names`: what the solver did; provenance
as attributes of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.species_sums import summed_abundances
from chemnet.chemistry.network.stoichiometry import element_names, stoichiometric_matrix
from chemnet.chemistry.tracers import FURTHER_CONDITIONS, PHYSICAL_NAMES, PHYSICAL_UNITS, Tracer
from chemnet.data.dataframes import Columns, Tabular
from chemnet.data.hdf5_output import HDF5Output
from chemnet.errors import DataError

ABUNDANCE_UNIT = "n(species)/n(H nuclei)"
SIMULATED_FORMAT = "chemnet simulated tracers"
TIME_UNIT = "yr (1 yr = 3.16e7 s)"
_TEXT = h5py.string_dtype()


class SimulatedWriter:
    """A context that writes the tracers of a set one after another; equal input gives equal bytes.

    Parameters
    ----------
    path
        The HDF5 file to make.
    species
        Names of the abundance columns.
    n_tracers, n_steps
        How many tracers will be added, and the length of the longest.
    provenance
        What made the set: plain values, written as attributes.
    physical_names
        Names of the physical columns.
    """

    def __init__(
        self,
        path: Path,
        species: Sequence[str],
        n_tracers: int,
        n_steps: int,
        provenance: Mapping[str, Any],
        physical_names: Sequence[str] = PHYSICAL_NAMES,
    ) -> None:
        self._output = HDF5Output(path)
        self._file = self._output.file
        self._added = 0
        with self._output.beginning():
            self._file.attrs.update({"format": SIMULATED_FORMAT, **provenance})
            self._create_arrays(n_tracers, n_steps, len(species), physical_names)
            self._file.create_dataset("species", data=list(species), dtype=_TEXT)
            elements = element_names(species)
            matrix = stoichiometric_matrix(species, elements).astype(np.int8)
            self._file.create_dataset("stoichiometry", data=matrix).attrs["elements"] = list(elements)

    def _create_arrays(self, n_tracers: int, n_steps: int, n_species: int, names: Sequence[str]) -> None:
        """Make room for every tracer; a chunk is one tracer, as they are read."""
        create = self._file.create_dataset
        packed: dict[str, Any] = {
            "compression": "gzip",
            "compression_opts": 1,
            "shuffle": True,
            "fillvalue": np.nan,
        }
        units = {**dict(zip(PHYSICAL_NAMES, PHYSICAL_UNITS, strict=True)), **FURTHER_CONDITIONS}
        shape = (n_tracers, n_steps, len(names))
        physical = create("physical", shape, "f8", chunks=(1, *shape[1:]), **packed)
        physical.attrs["names"], physical.attrs["units"] = list(names), [units[name] for name in names]
        shape = (n_tracers, n_steps, n_species)
        abundances = create("abundances", shape, "f4", chunks=(1, *shape[1:]), **packed)
        abundances.attrs["units"] = ABUNDANCE_UNIT
        create("time", shape[:2], "f8", fillvalue=np.nan).attrs["units"] = TIME_UNIT
        create("steps", (n_tracers,), "i8")
        create("model", (n_tracers,), "i8")
        create("pre_phase", (n_tracers,), "?")
        create("tracer_id", (n_tracers,), _TEXT)
        create("family", (n_tracers,), _TEXT)

    def add(
        self,
        tracer: Tracer,
        model: int,
        abundances: NDArray[np.floating],
        statistics: Mapping[str, float] | None = None,
    ) -> None:
        """Write the next tracer.

        Parameters
        ----------
        tracer
            Its time, physical parameters, id and family.
        model
            Its position in the set before failures were left out.
        abundances
            Shape ``(steps, n_species)``.
        statistics
            The solver's counts; the same names for every tracer.
        """
        row, steps = self._added, len(tracer)
        self._file["physical"][row, :steps] = tracer.physical
        self._file["abundances"][row, :steps] = abundances
        self._file["time"][row, :steps] = tracer.time
        self._file["steps"][row] = steps
        self._file["model"][row] = model
        self._file["pre_phase"][row] = tracer.pre_phase is not None
        self._file["tracer_id"][row] = tracer.tracer_id
        self._file["family"][row] = tracer.family
        if statistics:
            self._counts(list(statistics))[row] = list(statistics.values())
        self._added += 1
        self._output.check()

    def _counts(self, names: list[str]) -> h5py.Dataset:
        """Return the table of the solver's counts, made for the first tracer that has some."""
        if "statistics" not in self._file:
            shape = (len(self._file["steps"]), len(names))
            self._file.create_dataset("statistics", shape, "i8").attrs["names"] = names
        return self._file["statistics"]

    def __enter__(self) -> SimulatedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._output.__exit__(kind, error, traceback)


class SimulatedSet(Tabular):
    """A simulated set, read tracer by tracer.

    Parameters
    ----------
    path
        The HDF5 file of `SimulatedWriter`.

    Attributes
    ----------
    species, physical_names
        Names of the columns.
    tracer_ids, families
        One text per tracer.
    models
        Shape ``(n_tracers,)``: position of each tracer in the set before failures were left out.
    provenance
        What made the set.

    Raises
    ------
    DataError
        When the file is missing, damaged or something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file = h5py.File(self.path, "r")
            self.species = _texts(self._file["species"])
            self.physical_names = tuple(str(name) for name in self._file["physical"].attrs["names"])
            self.tracer_ids = _texts(self._file["tracer_id"])
            self.families = _texts(self._file["family"])
            self.models: NDArray[np.int64] = self._file["model"][:]
            self._steps: NDArray[np.int64] = self._file["steps"][:]
            self.provenance = dict(self._file.attrs)
        except (OSError, KeyError) as error:
            raise DataError(
                f"{self.path} is no simulated set: {error}", hint="`chemnet simulate` writes tracers.h5"
            ) from error
        widths = {"abundances": len(self.species), "physical": len(self.physical_names)}
        for name, width in widths.items():
            found = self._file[name].shape if name in self._file else None
            if found is None or (found[0], found[-1]) != (len(self), width):
                raise DataError(
                    f"{self.path}: '{name}' has the shape {found}, not {(len(self), '...', width)}",
                    hint="the set is damaged: make it again",
                )

    def __len__(self) -> int:
        return len(self.tracer_ids)

    def time(self, tracer: int) -> NDArray[np.float64]:
        """Return the time of one tracer, shape ``(steps,)`` [yr]."""
        return self._file["time"][tracer, : self._steps[tracer]]

    def physical(self, tracer: int) -> NDArray[np.float64]:
        """Return the physical parameters of one tracer, shape ``(steps, n_physical)``."""
        return self._file["physical"][tracer, : self._steps[tracer]]

    def abundances(self, tracer: int, species: Sequence[str] | None = None) -> NDArray[np.floating]:
        """Return the abundances of one tracer, shape ``(steps, n_species)``.

        Parameters
        ----------
        tracer
            Its position in the set.
        species
            Names to return instead of all, ``$H2O`` for the ice of surface and bulk together.

        Raises
        ------
        DataError
            A name asks for none of the species.
        """
        values = self._file["abundances"][tracer, : self._steps[tracer]]
        return values if species is None else summed_abundances(values, species, self.species)

    def column_blocks(self) -> Iterator[Columns]:
        """Yield the rows of one tracer after another: tracer, step, time [yr], parameters, abundances."""
        for tracer in self:
            time = self.time(tracer)
            names = np.full(len(time), self.tracer_ids[tracer])
            yield {
                "tracer": names,
                "step": np.arange(len(time)),
                "time": time,
                **dict(zip(self.physical_names, self.physical(tracer).T, strict=True)),
                **dict(zip(self.species, self.abundances(tracer).T, strict=True)),
            }

    @property
    def n_rows(self) -> int:
        """Number of rows of all tracers together."""
        return int(self._steps.sum())

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> SimulatedSet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _texts(dataset: h5py.Dataset) -> tuple[str, ...]:
    return tuple(dataset.asstr()[:])
