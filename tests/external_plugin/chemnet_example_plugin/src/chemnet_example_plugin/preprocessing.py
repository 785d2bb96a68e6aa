"""A preprocessing method: the test split asks whether a surrogate extrapolates."""

from __future__ import annotations

import numpy as np

from chemnet.data.preprocess.method import TracerLabels
from chemnet.data.preprocess.sequential import Sequential
from chemnet.data.preprocess.split_labels import SPLIT_NAMES, UNUSED, split_counts
from chemnet.registry import PREPROCESSING


@PREPROCESSING.register(name="held_out_extremes")
class HeldOutExtremes(Sequential):
    """Windows as in "sequential"; the tracers with the largest values of a parameter are the test split."""

    name = "held_out_extremes"

    def split_tracers(self) -> TracerLabels:
        """Rank the tracers by their largest value: test takes the first, then validate, then train."""
        column = self.dataset.physical_names.index(self.options["held_out_extremes"]["parameter"])
        block = self.dataset.read_conditions(range(len(self.dataset.tracer_ids)))
        largest = np.maximum.reduceat(block.physical[:, column], block.offsets[:-1])
        counts = split_counts(len(largest), self.sizes)
        labels = np.full(len(largest), UNUSED, dtype=np.uint8)
        ranked = iter(np.argsort(-largest, kind="stable"))
        for name in reversed(SPLIT_NAMES):
            for _ in range(counts[name]):
                labels[next(ranked)] = SPLIT_NAMES.index(name)
        return TracerLabels(labels, np.asarray(self.dataset.lengths))
