"""Whole tracers of a split as batches of histories, in raw units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chemnet.data.description import DataDescription
from chemnet.data.preprocessed import PreprocessedData, Split
from chemnet.errors import DataError, suggest


@dataclass(frozen=True)
class Histories:
    """Some tracers, shorter ones standing still at their end.

    Attributes
    ----------
    physical
        `(B, T, P)`, in the surrogate's order.
    abundance
        The truth, `(B, T, S)`, in the surrogate's order.
    time
        `(B, T)` [yr].
    dt
        `(B, T - 1)` [yr]; the step before where a tracer has ended.
    valid
        Whether a tracer still has a row there, `(B, T)`.
    tracer_ids
        Names of the tracers.
    """

    physical: NDArray[np.float64]
    abundance: NDArray[np.float64]
    time: NDArray[np.float64]
    dt: NDArray[np.float64]
    valid: NDArray[np.bool_]
    tracer_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tracer_ids)


def has_histories(split: Split) -> bool:
    """Return whether a split has a tracer with at least two rows."""
    return bool(split.n_rows) and bool((np.diff(split.offsets) >= 2).any())


class HistorySource:
    """The tracers of a split, with their columns in the order of a surrogate.

    Parameters
    ----------
    data
        A preprocess result.
    split
        Name of its split.
    wanted
        What the surrogate was trained on: its species and physical parameters are taken, in its order.

    Raises
    ------
    DataError
        When the data lack a species or parameter of the surrogate, or the split has no tracer of two rows.
    """

    def __init__(self, data: PreprocessedData, split: str, wanted: DataDescription) -> None:
        self.split = data.split(split)
        self.species = _columns("species", data.species, wanted.species, data)
        self.physical_scaling = wanted.physical_scaling
        self.physical = _columns("physical parameter", data.physical_names, wanted.physical_names, data)
        if not has_histories(self.split):
            raise DataError(
                f"{data.path}: the split '{split}' has no tracer with at least two rows",
                hint="choose another benchmark.split, or give it tracers by preprocess.test_size",
            )
        self.lengths = np.diff(self.split.offsets)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def longest(self) -> int:
        """Rows of the longest tracer."""
        return int(self.lengths.max())

    def batches(self, size: int) -> Iterator[Histories]:
        """Yield all tracers, at most `size` at a time."""
        for first in range(0, len(self), size):
            yield self.read(np.arange(first, min(first + size, len(self))))

    def read(self, tracers: NDArray[np.int64]) -> Histories:
        """Return some tracers by their index in the split."""
        first, lengths = self.split.offsets[tracers], self.lengths[tracers]
        steps = np.arange(lengths.max())
        rows = first[:, None] + np.minimum(steps, lengths[:, None] - 1)
        flat = rows.ravel()
        time = self.split.time[rows]
        dt = np.diff(time, axis=1)
        usual = np.median(dt[dt > 0])
        return Histories(
            physical=self.split.raw_physical(flat)[:, self.physical].reshape(*rows.shape, -1),
            abundance=self.split.raw_abundance(flat)[:, self.species].reshape(*rows.shape, -1),
            time=time,
            dt=np.where(dt > 0, dt, usual),
            valid=steps < lengths[:, None],
            tracer_ids=tuple(self.split.tracer_ids[tracer] for tracer in tracers),
        )


def _columns(
    what: str, found: tuple[str, ...], wanted: tuple[str, ...], data: PreprocessedData
) -> NDArray[np.int64]:
    """Return the column of each wanted name."""
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DataError(
            f"{data.path} lacks {len(missing)} of the surrogate's {len(wanted)} {what} columns, first "
            f"'{missing[0]}'",
            hint=suggest(missing[0], found),
        )
    return np.array([found.index(name) for name in wanted])
