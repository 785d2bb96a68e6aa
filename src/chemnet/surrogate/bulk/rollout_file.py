"""The file that a long rollout is streamed into: complete from the start, filled from the front.

An HDF5 file with `abundance` `(cells, rows, species)` float32, the `row` numbers and `species` names of its
axes, `cells_done`, and as an attribute what was asked for. Its space is taken when it is made, and what is
written later changes numbers in their place: a process that is killed leaves a file that can be opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from chemnet.data.hdf5_output import HDF5Output
from chemnet.errors import DataError

_REQUEST = "request"


@dataclass(frozen=True)
class RolloutFile:
    """Abundances of many cells on disk.

    Attributes
    ----------
    path
        The HDF5 file.
    species
        Names of the species: the last axis.
    rows
        Rows of the histories that were kept: the second axis.
    n_cells
        Cells in all: the first axis.
    """

    path: Path
    species: tuple[str, ...]
    rows: tuple[int, ...]
    n_cells: int

    @classmethod
    def open(cls, path: str | Path) -> RolloutFile:
        """Return what a file holds.

        Raises
        ------
        DataError
            When it is not a file of `Surrogate.rollout`.
        """
        with _opened(Path(path)) as file:
            names = tuple(name.decode() for name in file["species"][:])
            return cls(Path(path), names, tuple(file["row"][:].tolist()), file["abundance"].shape[0])

    @property
    def cells_done(self) -> int:
        """How many cells, from the first on, have their abundances."""
        with _opened(self.path) as file:
            return int(file["cells_done"][()])

    def read(self, cells: Any = slice(None)) -> NDArray[np.float32]:
        """Return abundances `(cells, rows, species)` of some cells."""
        with _opened(self.path) as file:
            return np.asarray(file["abundance"][cells])

    def __str__(self) -> str:
        shape = f"{self.n_cells:,} cells, {len(self.rows)} rows, {len(self.species)} species"
        return f"{self.path}: {shape}"


def begin(
    path: Path, n_cells: int, rows: Sequence[int], species: Sequence[str], request: Mapping[str, Any]
) -> int:
    """Make a file, or find one that the same request left unfinished; return how many cells are done.

    Raises
    ------
    DataError
        When there is a file of another request, or of another kind.
    """
    asked = json.dumps(dict(request), sort_keys=True)
    if path.exists():
        with _opened(path) as file:
            if file.attrs.get(_REQUEST) != asked:
                raise DataError(
                    f"{path} holds the rollout of another request",
                    hint="name another output, or remove this file; the same call goes on where it was ended",
                )
            return int(file["cells_done"][()])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    with HDF5Output(partial) as output:
        file, shape = output.file, (n_cells, len(rows), len(species))
        _allocated(file, "abundance", shape, np.float32)
        _allocated(file, "cells_done", (), np.int64)[()] = 0
        file["row"] = np.asarray(rows, np.int64)
        file["species"] = [name.encode() for name in species]
        file.attrs[_REQUEST] = asked
    # a file under the final name can be continued
    partial.replace(path)
    return 0


def append(path: Path, first: int, abundance_BRS: NDArray[np.float32]) -> None:
    """Write the cells from number `first` on into a file that `begin` made, and only then count them as done.

    Raises
    ------
    OSError
        Such as a full disk; the cells do not count then.
    """
    with HDF5Output(path, "r+") as output:
        last = first + len(abundance_BRS)
        output.file["abundance"][first:last] = abundance_BRS
        output.file.flush()
        output.check()
        output.file["cells_done"][()] = last


def _allocated(file: h5py.File, name: str, shape: tuple[int, ...], dtype: Any) -> h5py.Dataset:
    """Return a new dataset whose space is taken at once and not filled."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
    kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)
    return h5py.Dataset(h5py.h5d.create(file.id, name.encode(), kind, space, creation))


def _opened(path: Path) -> h5py.File:
    """Open a file of rollouts to read it; DataError when it is not one."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(
            f"{path} cannot be opened as HDF5: {error}", hint="name a file that Surrogate.rollout wrote"
        ) from error
    if "cells_done" not in file or "abundance" not in file:
        file.close()
        raise DataError(f"{path} is no file of rollouts", hint="name a file that Surrogate.rollout wrote")
    return file
