"""First pass over the data: which conditions each split covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chemnet.data.block_reader import BlockReader
from chemnet.data.chem_dataset import ChemDataset, tracer_groups
from chemnet.data.preprocess.method import Labels
from chemnet.data.preprocess.split_labels import SPLIT_NAMES


@dataclass
class Survey:
    """Extremes of what was seen.

    Attributes
    ----------
    minimum, maximum
        Extremes of the physical parameters in each split `(n_splits, n_physical)`; infinite for an empty one.
    shortest_step, longest_step
        Extremes of the time between two rows of a tracer [yr].
    longest_span
        Longest time between the first and the last row of a tracer [yr].
    """

    minimum: np.ndarray
    maximum: np.ndarray
    shortest_step: float = np.inf
    longest_step: float = 0.0
    longest_span: float = 0.0

    def range_of(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the extremes of the physical parameters in one split."""
        index = SPLIT_NAMES.index(split)
        return self.minimum[index], self.maximum[index]

    def to_dict(self) -> dict[str, Any]:
        """Return the extremes as JSON-able values; empty splits are left out."""
        filled = [index for index in range(len(SPLIT_NAMES)) if np.isfinite(self.minimum[index]).all()]
        ranges = {
            SPLIT_NAMES[index]: {"min": self.minimum[index].tolist(), "max": self.maximum[index].tolist()}
            for index in filled
        }
        steps = None if self.longest_step == 0.0 else [self.shortest_step, self.longest_step]
        return {"physical": ranges, "time_step": steps, "time_span": self.longest_span}


def survey(dataset: ChemDataset, labels: Labels, reader: BlockReader) -> Survey:
    """Read the conditions of all tracers and return their extremes, split by split."""
    n_physical = len(dataset.physical_names)
    shape = (len(SPLIT_NAMES), n_physical)
    seen = Survey(np.full(shape, np.inf), np.full(shape, -np.inf))
    tracers = labels.tracers
    # groups as small as for whole rows: some formats can only read these
    groups = [tracers[group].tolist() for group in tracer_groups(dataset.lengths[tracers], dataset.n_columns)]
    for group, block in zip(groups, reader.conditions(groups), strict=True):
        label = labels.of_rows(group)
        for index in range(len(SPLIT_NAMES)):
            physical = block.physical[label == index]
            if len(physical):
                seen.minimum[index] = np.minimum(seen.minimum[index], physical.min(axis=0))
                seen.maximum[index] = np.maximum(seen.maximum[index], physical.max(axis=0))
        kept = label < len(SPLIT_NAMES)
        within = np.diff(block.tracer_of_row[kept]) == 0
        steps = np.diff(block.time[kept])[within]
        if len(steps):
            seen.shortest_step = min(seen.shortest_step, float(steps.min()))
            seen.longest_step = max(seen.longest_step, float(steps.max()))
            spans = block.time[block.offsets[1:] - 1] - block.time[block.offsets[:-1]]
            seen.longest_span = max(seen.longest_span, float(spans.max()))
    return seen
