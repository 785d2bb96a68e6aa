"""Method "sequential": whole trajectories, with the windows that an emulator is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chemnet.config import ConfigDict
from chemnet.data.chem_dataset import ChemDataset
from chemnet.data.preprocess.method import PreprocessingMethod, TracerLabels, keeps_raw
from chemnet.data.preprocess.split_labels import write_split_file
from chemnet.data.preprocess.split_writer import SplitLayout, SplitWriter, TrajectoryWriter
from chemnet.data.windows import window_starts
from chemnet.errors import ConfigError, DataError
from chemnet.progress import get_logger
from chemnet.registry import PREPROCESSING

_log = get_logger(__name__)

# Long enough that errors of a rollout accumulate within a window, short enough that 300-step tracers give
# dozens of windows each and an epoch many optimizer steps; with whole tracers as windows, 44 tracers are one
# batch.
DEFAULT_WINDOW = 64


@PREPROCESSING.register(name="sequential")
class Sequential(PreprocessingMethod):
    """Split by tracer, keep the rows in order and list the windows.

    Raises
    ------
    DataError
        When a tracer is shorter than the window and ``preprocess.short_tracers`` is "error".
    ConfigError
        When window, horizon or stride do not fit one another.
    """

    name = "sequential"
    labels: TracerLabels

    def __init__(self, config: ConfigDict, dataset: ChemDataset) -> None:
        super().__init__(config, dataset)
        self.labels = self.split_tracers()
        lengths = self.labels.kept_lengths[self.labels.tracers]
        self.window = self.options["window"] or min(DEFAULT_WINDOW, int(lengths.min()))
        self.horizon = self.options["horizon"] or self.window - 1
        self.stride = self.options["stride"]
        self._check_window()
        self._check_short(lengths)

    def writer(self, split: str, path: Path, layout: SplitLayout) -> SplitWriter:
        """Return a writer that adds `window_start` to the trajectories."""
        return WindowedWriter(path, layout, keeps_raw(split), self.window, self.stride)

    def write_split_file(self, path: Path) -> None:
        """Write the tracers of each split."""
        write_split_file(path, self.dataset.tracer_ids, self.labels.labels)

    def metadata(self) -> dict[str, object]:
        """Return window, horizon and stride [rows]."""
        return {"window": self.window, "horizon": self.horizon, "stride": self.stride}

    def _check_window(self) -> None:
        """Refuse windows without a transition, and horizons that leave no given row."""
        if self.window < 2:
            raise ConfigError(
                f"preprocess.window = {self.window}: a window needs at least 2 rows",
                hint="set preprocess.window to 2 or more, or to false for the default",
            )
        if not 1 <= self.horizon < self.window:
            raise ConfigError(
                f"preprocess.horizon = {self.horizon} does not fit a window of {self.window} rows",
                hint=f"allowed: 1 to {self.window - 1}, or false for all rows but the first",
            )
        if self.stride < 1:
            raise ConfigError(
                f"preprocess.stride = {self.stride}: windows must advance by at least 1 row",
                hint="set preprocess.stride to 1 or more",
            )

    def _check_short(self, lengths: np.ndarray) -> None:
        short = lengths < self.window
        if not short.any():
            return
        worst = self.dataset.tracer_ids[int(self.labels.tracers[np.argmin(lengths)])]
        message = (
            f"{short.sum()} of {len(lengths)} tracers are shorter than the window of {self.window} rows "
            f"(the shortest, '{worst}', has {lengths.min()})"
        )
        if self.options["short_tracers"] == "error" or short.all():
            raise DataError(
                message, hint=f'set preprocess.window = {lengths.min()}, or preprocess.short_tracers = "drop"'
            )
        _log.warning("%s; they have no windows", message)


class WindowedWriter(TrajectoryWriter):
    """Whole tracers, and the first row of each window within them."""

    def __init__(self, path: Path, layout: SplitLayout, keep_raw: bool, window: int, stride: int) -> None:
        super().__init__(path, layout, keep_raw)
        self._window = window
        self._stride = stride

    def _write_index(self, offsets: np.ndarray) -> None:
        super()._write_index(offsets)
        starts = window_starts(offsets, self._window, self._stride)
        self._file["window_start"] = starts
        self.n_windows = len(starts)
