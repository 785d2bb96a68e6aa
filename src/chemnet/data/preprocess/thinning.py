"""Training on less than there is: fewer rows, a shorter time, fewer tracers; the test split stays whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chemnet.config import ConfigDict
from chemnet.data.preprocess.split_labels import SPLIT_NAMES, UNUSED
from chemnet.errors import ConfigError, DataError
from chemnet.progress import get_logger

_TEST = SPLIT_NAMES.index("test")
_log = get_logger(__name__)


@dataclass(frozen=True)
class Thinning:
    """What is kept of the training and validation splits.

    Attributes
    ----------
    every_row
        Of each tracer the rows number 0, `every_row`, twice that, ...
    first_rows
        ... among so many at its beginning; None: among all.
    every_tracer
        Every tracer of this number, from the first one of each split on.
    """

    every_row: int = 1
    first_rows: int | None = None
    every_tracer: int = 1

    @classmethod
    def of(cls, options: ConfigDict) -> Thinning:
        """Return what ``[preprocess]`` asks for."""
        return cls(options["thin_rows"], options["first_rows"] or None, options["thin_tracers"])

    def __bool__(self) -> bool:
        return self != Thinning()

    def __str__(self) -> str:
        words = {
            f"every row number {self.every_row}, whose parameters drive the whole step to the next":
                self.every_row > 1,
            f"the first {self.first_rows} rows of each tracer": self.first_rows is not None,
            f"every tracer number {self.every_tracer}": self.every_tracer > 1,
        }  # fmt: skip
        return "; ".join(text for text, holds in words.items() if holds)

    def of_tracers(self, labels: np.ndarray) -> np.ndarray:
        """Return the label of each tracer `(n_tracers,)`; those that are left out are in no split."""
        thinned = labels.copy()
        for label in set(range(len(SPLIT_NAMES))) - {_TEST}:
            places = np.flatnonzero(labels == label)
            thinned[np.delete(places, np.s_[:: self.every_tracer])] = UNUSED
        return thinned

    def of_rows(
        self, labels: np.ndarray, lengths: np.ndarray, tracers: Sequence[int] | np.ndarray
    ) -> np.ndarray:
        """Return the label of each row of some tracers, uint8 `(rows,)`.

        Parameters
        ----------
        labels, lengths
            Split and rows of each tracer of the data set `(n_tracers,)`.
        tracers
            The tracers.
        """
        chosen = lengths[tracers]
        label = np.repeat(labels[tracers], chosen)
        if not self:
            return label
        step = np.arange(len(label)) - np.repeat(np.cumsum(chosen) - chosen, chosen)
        left_out = (step % self.every_row != 0) | (step >= (self.first_rows or len(label)))
        return np.where(left_out & (label != _TEST), np.uint8(UNUSED), label)

    def lengths(self, labels: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return how many rows of each tracer are left in its split, int64 `(n_tracers,)`.

        Raises
        ------
        DataError
            When fewer than two are left of a tracer that is trained or validated on.
        """
        within = lengths if self.first_rows is None else np.minimum(lengths, self.first_rows)
        left = np.where(labels == _TEST, lengths, -(-within // self.every_row))
        thinned = (labels != UNUSED) & (labels != _TEST)
        if self and (left[thinned] < 2).any():
            raise DataError(
                f"preprocess.thin_rows = {self.every_row}, first_rows = {self.first_rows or 'false'} leave "
                f"one row of a tracer of {lengths[thinned][np.argmin(left[thinned])]}; a time step needs two",
                hint="keep more rows",
            )
        return left


def refuse_tracers(options: ConfigDict, method: str) -> None:
    """Refuse to thin or to split by tracer where a method splits single rows.

    Raises
    ------
    ConfigError
        Naming the key.
    """
    for key, whole in {"thin_rows": 1, "first_rows": False, "thin_tracers": 1, "own_split": False}.items():
        if options[key] != whole:
            raise ConfigError(
                f"preprocess.{key} = {options[key]} is about tracers, but method '{method}' splits rows",
                hint="use method 'sequential' or 'timeless'",
            )
