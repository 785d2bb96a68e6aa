"""Method "random": rows, not tracers, are split; the way of older codes, kept for comparison with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from chemnet.config import ConfigDict
from chemnet.data.chem_dataset import ChemDataset
from chemnet.data.preprocess.method import PreprocessingMethod, RowLabels, keeps_raw
from chemnet.data.preprocess.split_labels import random_labels
from chemnet.data.preprocess.split_writer import LooseRowWriter, SplitLayout, SplitWriter
from chemnet.data.preprocess.thinning import refuse_tracers
from chemnet.errors import ConfigError
from chemnet.progress import get_logger
from chemnet.registry import PREPROCESSING

_log = get_logger(__name__)


@PREPROCESSING.register(name="random")
class RandomRows(PreprocessingMethod):
    """Split rows at random. Neighbouring rows are nearly equal, so the splits leak into one another."""

    name = "random"

    def __init__(self, config: ConfigDict, dataset: ChemDataset) -> None:
        super().__init__(config, dataset)
        refuse_tracers(self.options, self.name)
        if self.options["split_file"] is not False:
            raise ConfigError(
                "preprocess.split_file names tracers, but method 'random' splits rows",
                hint="use method 'sequential' or 'timeless', or leave preprocess.split_file unset",
            )
        _log.warning(
            "method 'random' splits rows: neighbouring rows of one tracer are in different splits, so "
            "validation and test errors look better than they are; the other methods split by tracer"
        )
        offsets = np.concatenate([[0], np.cumsum(dataset.lengths)])
        self.labels = RowLabels(random_labels(int(offsets[-1]), self.sizes, self.seed), offsets)

    def writer(self, split: str, path: Path, layout: SplitLayout) -> SplitWriter:
        """Return a writer of single rows."""
        return LooseRowWriter(path, layout, keeps_raw(split))

    def write_split_file(self, path: Path) -> None:
        """Write how the rows were split; this cannot be reused, since it names no tracers."""
        path.write_text(json.dumps({"rows": {"seed": self.seed, **self.sizes}}), encoding="utf-8")
