"""What every source of raw tracers offers: the contract of `@chem_dataset` classes."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chemnet.config import ConfigDict

# Rows times columns of float64 that are handled at a time: 16 MB; a dozen such arrays stay far below 1 GB.
BLOCK_VALUES = 2_000_000


@dataclass(frozen=True)
class TracerBlock:
    """Some whole tracers, row after row, in raw units and in chemnet's convention.

    Attributes
    ----------
    time
        Time [yr], increasing within a tracer, float64 `(rows,)`.
    physical
        Physical parameters in their own units, all positive; row i drives the step from row i to row i + 1,
        float64 `(rows, n_physical)`.
    abundance
        Abundances relative to H nuclei, float64 `(rows, n_species)`; float32 where they were read as they are
        stored; no columns where only the conditions were read.
    offsets
        Tracer t of the block owns rows ``offsets[t]:offsets[t + 1]``, int64 `(n_tracers + 1,)`.
    tracer_ids
        Id of each tracer, `n_tracers` of them.
    """

    time: np.ndarray
    physical: np.ndarray
    abundance: np.ndarray
    offsets: np.ndarray
    tracer_ids: tuple[str, ...]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.offsets[-1])

    @property
    def steps(self) -> np.ndarray:
        """Index of each row along its tracer, int64 `(rows,)`."""
        lengths = np.diff(self.offsets)
        return np.arange(self.n_rows) - np.repeat(self.offsets[:-1], lengths)

    @property
    def tracer_of_row(self) -> np.ndarray:
        """Tracer of each row, as an index into `tracer_ids`, int64 `(rows,)`."""
        return np.repeat(np.arange(len(self.tracer_ids)), np.diff(self.offsets))


class ChemDataset(ABC):
    """A source of raw tracers.

    A subclass sets the attributes below and states `read`. Register it with `@chem_dataset`; ``[data_set]
    name`` chooses it, and its own keys stand in ``[data_set.<Name>]``.

    Parameters
    ----------
    config
        The whole configuration.

    Attributes
    ----------
    species
        Species names in the order of the abundance columns.
    physical_names
        Names of the physical parameters in the order of their columns.
    tracer_ids
        Stable, unique id of each tracer.
    lengths
        Rows of each tracer, int64 `(n_tracers,)`.
    unread_columns
        Columns of the source that are left out, to tell the user.
    checks_values
        Whether `read` itself refuses values that no tracer can have; where it does not, the caller does.
    follows_keys
        Whether `read` follows the keys of ``[data_set]`` that say what numbers mean, such as `time_unit`.
    own_split
        Ids of the tracers in each split ("train", "validate", "test"), where the source itself states them.
    """

    checks_values: ClassVar[bool] = False
    follows_keys: ClassVar[bool] = False

    species: tuple[str, ...]
    physical_names: tuple[str, ...]
    tracer_ids: list[str]
    lengths: np.ndarray
    unread_columns: tuple[str, ...] = ()
    own_split: Mapping[str, Sequence[str]] | None = None

    def __init__(self, config: ConfigDict) -> None:
        self.config = config

    def __reduce__(self) -> tuple[Any, ...]:
        """Send what it takes to open the data set elsewhere: open files cannot be sent."""
        return type(self), (self.config,)

    @abstractmethod
    def read(self, tracers: Sequence[int]) -> TracerBlock:
        """Return some tracers, by their index in `tracer_ids`, in the order given.

        Raises
        ------
        DataError
            Naming the source, tracer, row and column of a value that no abundance or parameter can have.
        """

    def read_stored(self, tracers: Sequence[int]) -> TracerBlock:
        """Return what `read` does, the abundances unchecked and, where they are stored as such, in float32.

        For callers that check each value themselves and fall back on `read` where one is not an abundance.
        Override it where that saves a pass over the values.
        """
        return self.read(tracers)

    def read_conditions(self, tracers: Sequence[int]) -> TracerBlock:
        """Return time and physical parameters of some tracers; the abundances have no columns.

        Override it where abundances need not be read for that.
        """
        block = self.read(tracers)
        empty = np.empty((block.n_rows, 0))
        return TracerBlock(block.time, block.physical, empty, block.offsets, block.tracer_ids)

    def unread_conditions(self, tracers: Sequence[int]) -> dict[str, tuple[float, float]]:
        """Return least and largest value of conditions that the source has and `physical_names` leaves out.

        Override it where the source knows such: a surrogate cannot learn what depends on them.
        """
        return {}

    @property
    def digest(self) -> str:
        """Digest of everything that `read` returns; override it where the source has a cheaper one."""
        digest = hashlib.blake2b("\n".join([*self.species, *self.physical_names]).encode(), digest_size=16)
        for tracers in tracer_groups(self.lengths, self.n_columns):
            block = self.read(tracers)
            for values in (block.time, block.physical, block.abundance):
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

    @property
    def n_columns(self) -> int:
        """Values per row: time, physical parameters and abundances."""
        return 1 + len(self.physical_names) + len(self.species)


def tracer_groups(lengths: np.ndarray, n_columns: int, max_values: int = BLOCK_VALUES) -> Iterator[range]:
    """Yield consecutive tracers in groups that hold at most `max_values` values, and at least one tracer.

    Parameters
    ----------
    lengths
        Rows of each tracer `(n_tracers,)`.
    n_columns
        Values per row.
    max_values
        Values per group.

    Examples
    --------
    >>> [list(group) for group in tracer_groups(np.array([2, 2, 2, 9, 1]), n_columns=1, max_values=4)]
    [[0, 1], [2], [3], [4]]
    """
    first, rows = 0, 0
    for tracer, length in enumerate(lengths):
        if tracer > first and (rows + length) * n_columns > max_values:
            yield range(first, tracer)
            first, rows = tracer, 0
        rows += int(length)
    if first < len(lengths):
        yield range(first, len(lengths))
