"""Sample ids ``"<tracer>-<step>"`` for whole columns at once, and their order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from chemnet.errors import DataError


class SampleNames:
    """The ids of the samples of some tracers.

    Parameters
    ----------
    tracer_ids
        Ids of the tracers; samples refer to them by index.
    largest_step
        The largest step of any sample; with the tracer ids it fixes the width of the ids.

    Attributes
    ----------
    dtype
        Type of the ids: fixed-width text.

    Examples
    --------
    >>> SampleNames(["a", "b"], largest_step=12).of(np.array([1, 0]), np.array([12, 3])).tolist()
    ['b-12', 'a-3']
    """

    def __init__(self, tracer_ids: Sequence[str], largest_step: int) -> None:
        self._tracers = np.array([f"{name}-" for name in tracer_ids])
        self._steps = np.array([str(step) for step in range(largest_step + 1)])
        width = int(np.strings.str_len(self._tracers).max(initial=1)) + len(str(largest_step))
        self.dtype = np.dtype(f"<U{width}")
        self._ascii = all(name.isascii() for name in tracer_ids)
        if self._ascii:
            # joining bytes and widening them later is seven times faster than joining UCS-4 strings
            self._tracers, self._steps = self._tracers.astype(np.bytes_), self._steps.astype(np.bytes_)

    def of(self, tracer: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return the ids of `tracer` and `step`, ``(B,)`` of `dtype`."""
        names = np.strings.add(self._tracers[tracer], self._steps[step])
        if not self._ascii:
            return names.astype(self.dtype)
        width = self.dtype.itemsize // 4
        return names.astype(f"S{width}").view(np.uint8).astype("<u4").view(self.dtype)

    def order(self, tracer: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return the positions that sort the ids of `tracer` and `step`, ``(B,)`` int64.

        Raises
        ------
        DataError
            When an id occurs twice.
        """
        if self._prefix_free():
            # then the tracer decides before the step does: numbers are sorted instead of text
            ranks = _ranks(self._tracers)[tracer] * len(self._steps) + _ranks(self._steps)[step]
        else:
            ranks = np.unique(self.of(tracer, step), return_inverse=True)[1]
        order = np.argsort(ranks, kind="stable")
        twice = np.flatnonzero(np.diff(ranks[order]) == 0)
        if len(twice):
            place = order[twice[:1]]
            repeated = str(self.of(tracer[place], step[place])[0])
            raise DataError(f"sample {repeated!r} was inferred twice; sample ids must be unique")
        return order

    def _prefix_free(self) -> bool:
        """Return whether no tracer's part of an id begins another tracer's."""
        ordered = sorted(self._tracers.tolist())
        # what a text begins stands right behind it when sorted
        return not any(following.startswith(name) for name, following in pairwise(ordered))


def _ranks(texts: np.ndarray) -> np.ndarray:
    """Return the place of each text in sorted order, int64."""
    ranks = np.empty(len(texts), dtype=np.int64)
    ranks[np.argsort(texts, kind="stable")] = np.arange(len(texts))
    return ranks
