"""Reading a preprocess result: its splits, scalings and names."""

from __future__ import annotations

import copy
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from chemnet.data.description import DataDescription
from chemnet.data.npy_files import open_npy
from chemnet.data.preprocess.split_labels import SPLIT_NAMES
from chemnet.data.scaling import AbundanceScaling, PhysicalScaling
from chemnet.data.split_rows import Split
from chemnet.errors import DataError, ResultsError, suggest
from chemnet.results import ResultDirectory

__all__ = ["DataDescription", "PreprocessedData", "Split"]


class PreprocessedData:
    """A preprocess result.

    Parameters
    ----------
    result
        The result directory, or its path.

    Raises
    ------
    ResultsError
        When it is no result of `preprocess`.
    """

    def __init__(self, result: ResultDirectory | str | Path) -> None:
        self.directory = result if isinstance(result, ResultDirectory) else ResultDirectory.open(result)
        if self.directory.verb != "preprocess":
            raise ResultsError(
                f"{self.directory.path} is a result of `{self.directory.verb}`, not of `preprocess`"
            )
        self.path = self.directory.path
        self.metadata: dict[str, Any] = json.loads(
            self.directory.file("metadata.json").read_text(encoding="utf-8")
        )
        self.species = tuple(self.metadata["species"])
        self.elements = tuple(self.metadata["elements"])
        self.physical_names = tuple(self.metadata["physical_names"])
        self.abundance_scaling = AbundanceScaling.from_dict(self.metadata["scaling"])
        self.physical_scaling = PhysicalScaling.from_dict(self.metadata["scaling"])
        self.method: str = self.metadata["method"]
        self.window: int | None = self.metadata["window"]
        self.horizon: int | None = self.metadata["horizon"]
        self.stride: int | None = self.metadata["stride"]
        self.digest: str = self.metadata["data_digest"]
        self._cut_anew = False
        self._splits: dict[str, Split] = {}

    @cached_property
    def stoichiometry(self) -> np.ndarray:
        """Atoms of each element in each species, float64 `(n_species, n_elements)`."""
        return np.array(open_npy(self.directory.file("stoichiometry.npy")))

    def split(self, name: str) -> Split:
        """Return a split: "train", "validate" or "test".

        Raises
        ------
        DataError
            For another name.
        """
        if name not in SPLIT_NAMES:
            raise DataError(f"no split is called '{name}'", hint=suggest(name, SPLIT_NAMES))
        if name not in self._splits:
            split = Split(
                self.directory.file(f"{name}.h5"),
                self.abundance_scaling,
                self.physical_scaling,
                self.window,
                self.method,
                self.stride if self._cut_anew else None,
            )
            split.check_shapes(len(self.species), len(self.physical_names))
            self._splits[name] = split
        return self._splits[name]

    def in_windows(self, window: int) -> PreprocessedData:
        """Return the same result with other windows: they predict all rows but the first, each row once.

        Parameters
        ----------
        window
            Rows per window; the shortest tracer that is trained or validated on, where that is less.
        """
        other = copy.copy(self)
        lengths = [np.diff(self.split(name).offsets) for name in ("train", "validate")]
        other.window = int(min([window, *(each.min() for each in lengths if len(each))]))
        other.horizon = other.stride = other.window - 1
        other._cut_anew, other._splits = True, {}
        return other

    def describe(self, feed: str = "rows", size: int = 2) -> DataDescription:
        """Return what a model must know of this data.

        Parameters
        ----------
        feed
            "rows" or "windows": what the sample batch holds.
        size
            Rows or windows in the sample.
        """
        return DataDescription(
            species=self.species,
            elements=self.elements,
            stoichiometry=self.stoichiometry,
            physical_names=self.physical_names,
            abundance_scaling=self.abundance_scaling,
            physical_scaling=self.physical_scaling,
            window=self.window,
            horizon=self.horizon,
            sample=self._sample(feed, size),
        )

    def _sample(self, feed: str, size: int) -> dict[str, Any]:
        import torch

        train = self.split("train")
        if feed == "windows":
            arrays = train.windows(slice(size))
        else:
            arrays = {name: train.read(name, slice(size)) for name in ("abundance", "physical")}
            arrays["dt"] = train.dt[:size]
        return {
            name: torch.from_numpy(np.asarray(values, dtype=np.float32)) for name, values in arrays.items()
        }
