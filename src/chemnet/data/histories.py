"""Whole tracers of a split as batches of histories, in raw units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chemnet.data.description import DataDescription
from chemnet.data.preprocessed import PreprocessedData, Split
from chemnet.errors import DataError, suggest


@dataclass(frozen=True)
class Histories:
    """Some tracers side by side; shorter ones repeat their last row.

    Attributes
    ----------
    physical
        `(B, T, P)`, in the surrogate's order.
    abundance
        The truth, `(B, T, S)`, in the surrogate's order.
    time
        `(B, T)` [yr].
    dt
        `(B, T - 1)` [yr]; the median of the others where a tracer has ended.
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


def padded_rows(
    first: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the rows of tracers side by side `(B, T)`, and where a tracer still has a row of its own.

    They are given by their first rows and lengths `(B,)`; shorter ones repeat their last row.
    """
    steps = np.arange(lengths.max())
    return first[:, None] + np.minimum(steps, lengths[:, None] - 1), steps < lengths[:, None]


def padded_steps(dt: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return time steps [yr] with their median in place of those of 0, where a tracer has ended."""
    own = dt > 0
    return np.where(own, dt, np.median(dt[own])) if own.any() else np.ones_like(dt)


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
        self.species = columns_of("species", data.species, wanted.species, str(data.path))
        self.physical_scaling = wanted.physical_scaling
        names = (data.physical_names, wanted.physical_names)
        self.physical = columns_of("physical parameters", *names, str(data.path))
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
        rows, valid = padded_rows(self.split.offsets[tracers], self.lengths[tracers])
        flat = rows.ravel()
        time = self.split.time[rows]
        return Histories(
            physical=self.split.raw_physical(flat)[:, self.physical].reshape(*rows.shape, -1),
            abundance=self.split.raw_abundance(flat)[:, self.species].reshape(*rows.shape, -1),
            time=time,
            dt=padded_steps(np.diff(time, axis=1)),
            valid=valid,
            tracer_ids=tuple(self.split.tracer_ids[tracer] for tracer in tracers),
        )


def columns_of(what: str, found: Sequence[str], wanted: Sequence[str], source: str) -> NDArray[np.int64]:
    """Return the column of each wanted name.

    Raises
    ------
    DataError
        When `source` lacks one.
    """
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DataError(
            f"{source} lacks {len(missing)} of the model's {len(wanted)} {what}, first '{missing[0]}'",
            hint=suggest(missing[0], found),
        )
    return np.array([list(found).index(name) for name in wanted])
