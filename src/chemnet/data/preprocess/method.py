"""The contract of a preprocessing method, and the labels that say which split each row belongs to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chemnet.config import ConfigDict
from chemnet.data.chem_dataset import ChemDataset
from chemnet.data.preprocess.split_labels import (
    SPLIT_NAMES,
    UNUSED,
    labels_from_file,
    labels_of_own_split,
    random_labels,
)
from chemnet.data.preprocess.split_writer import SplitLayout, SplitWriter
from chemnet.data.preprocess.thinning import Thinning
from chemnet.errors import ConfigError, DataError
from chemnet.progress import get_logger

_log = get_logger(__name__)


class Labels(ABC):
    """Which split each row belongs to, as indices into `SPLIT_NAMES`; `UNUSED` for none."""

    tracers: np.ndarray
    """The tracers with at least one row in a split."""

    @abstractmethod
    def of_rows(self, tracers: Sequence[int]) -> np.ndarray:
        """Return the label of each row of some tracers, uint8 `(rows,)`."""


@dataclass(frozen=True)
class TracerLabels(Labels):
    """Whole tracers in one split each, but for what is thinned: `labels` and `lengths` are `(n_tracers,)`."""

    labels: np.ndarray
    lengths: np.ndarray
    thinning: Thinning = field(default_factory=Thinning)

    @property
    def tracers(self) -> np.ndarray:  # type: ignore[override]
        """The tracers of the splits."""
        return np.flatnonzero(self.labels != UNUSED)

    def of_rows(self, tracers: Sequence[int]) -> np.ndarray:
        """Return the label of each row of some tracers."""
        return self.thinning.of_rows(self.labels, self.lengths, np.asarray(tracers))

    @property
    def kept_lengths(self) -> np.ndarray:
        """Rows that each tracer has in its split, int64 `(n_tracers,)`."""
        return self.thinning.lengths(self.labels, self.lengths)


@dataclass(frozen=True)
class RowLabels(Labels):
    """Rows in any split: `labels` `(rows,)` of all tracers in order, and `offsets` `(n_tracers + 1,)`."""

    labels: np.ndarray
    offsets: np.ndarray

    @property
    def tracers(self) -> np.ndarray:  # type: ignore[override]
        """All tracers."""
        return np.arange(len(self.offsets) - 1)

    def of_rows(self, tracers: Sequence[int]) -> np.ndarray:
        """Return the label of each row of some tracers."""
        return np.concatenate([self.labels[self.offsets[t] : self.offsets[t + 1]] for t in tracers])


class PreprocessingMethod(ABC):
    """How tracers become training data.

    Register a subclass with ``@PREPROCESSING.register(name="...")``; ``preprocess.method`` chooses it.

    Parameters
    ----------
    config
        The whole configuration.
    dataset
        The raw tracers.

    Attributes
    ----------
    labels
        Which split each row belongs to.
    """

    name: str
    labels: Labels

    def __init__(self, config: ConfigDict, dataset: ChemDataset) -> None:
        self.options = config["preprocess"]
        self.seed = config["general"]["seed"]
        self.dataset = dataset

    @abstractmethod
    def writer(self, split: str, path: Path, layout: SplitLayout) -> SplitWriter:
        """Return what writes the rows of a split to its file."""

    @abstractmethod
    def write_split_file(self, path: Path) -> None:
        """Write which tracers (or rows) each split holds."""

    def metadata(self) -> dict[str, object]:
        """Return what this method adds to `metadata.json`."""
        return {"window": None, "horizon": None, "stride": None}

    @property
    def sizes(self) -> dict[str, float]:
        """Fraction of each split."""
        return {name: self.options[f"{name}_size"] for name in SPLIT_NAMES}

    def split_tracers(self) -> TracerLabels:
        """Split by tracer, as `[preprocess]` says, and thin what is trained and validated on."""
        lengths, thinning = np.asarray(self.dataset.lengths), Thinning.of(self.options)
        labels = self._labels_of_tracers()
        if not thinning:
            return TracerLabels(labels, lengths)
        _log.info("of the training and validation splits is kept: %s; the test split is whole", thinning)
        return TracerLabels(thinning.of_tracers(labels), lengths, thinning)

    def _labels_of_tracers(self) -> np.ndarray:
        """Split as the data set itself says, as an earlier split file does, or at random with the seed."""
        ids, file = self.dataset.tracer_ids, self.options["split_file"]
        if self.options["own_split"]:
            if file is not False:
                raise ConfigError(
                    "preprocess.own_split and preprocess.split_file are both set",
                    hint="leave one of them out",
                )
            return labels_of_own_split(self.dataset)
        if file is False:
            return random_labels(len(ids), self.sizes, self.seed)
        path = Path(file)
        labels = labels_from_file(path, ids)
        unnamed = int((labels == UNUSED).sum())
        if unnamed:
            _log.info("%d of %d tracers are in no split of %s", unnamed, len(ids), path)
        if not (labels == 0).any():
            raise DataError(
                f"{path}: the training split holds no tracer", hint="choose another preprocess.split_file"
            )
        return labels


def keeps_raw(split: str) -> bool:
    """Return whether a split's file holds raw values too: only the scored one does."""
    return split == "test"
