"""Which trainings each study of the CODES benchmark takes, for any data set.

The studies are those of Janssen, Sulzer & Buck 2024 (arXiv:2410.20886), as ``codes/utils/data_utils.py`` and
``codes/benchmark/bench_fcts.py`` of robin-janssen/CODES-Benchmark (commit 18388f9) define them; cut-offs are
shares of the rows here, for its sets have about a hundred rows and others do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chemnet.config import ConfigDict
from chemnet.data.preprocessed import PreprocessedData
from chemnet.errors import ConfigError, suggest
from chemnet.progress import get_logger

STUDIES = ("interpolation", "extrapolation", "sparse", "batch_size", "uncertainty")
#: the training on everything, which every study is compared with
MAIN = "main"
# a time step takes two rows
_FEWEST_ROWS = 2
_log = get_logger(__name__)


@dataclass(frozen=True)
class Variant:
    """One training.

    Attributes
    ----------
    study
        Its study, or `MAIN`.
    value
        What the study varies: every which row, rows, every which tracer, batch size, or number of the member.
    thinning
        Keys of ``[preprocess]`` that differ; empty: it is trained on what `MAIN` is trained on.
    recipe
        Other keys that differ.
    """

    study: str
    value: int
    thinning: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What its component is called within the study."""
        return self.study if self.study == MAIN else f"{self.study}-{self.value}"


def variants(config: ConfigDict, data: PreprocessedData, batch_size: int) -> list[Variant]:
    """Return the trainings that the configured studies take, that on everything first.

    Parameters
    ----------
    config
        ``[study]`` says which and how many; the seed counts.
    data
        What is trained on when nothing is left out.
    batch_size
        Rows or windows per step of the training on everything.

    Raises
    ------
    ConfigError
        For an unknown study, and for one that the data leave nothing of.
    """
    table, found = config["study"], [Variant(MAIN, 0)]
    for study in table["studies"]:
        if study not in STUDIES:
            raise ConfigError(f"study.studies: no study is called {study!r}", hint=suggest(study, STUDIES))
    of_study = {
        "interpolation": _interpolation(table["intervals"], data),
        "extrapolation": _extrapolation(table["cutoffs"], data),
        "sparse": _sparse(table["factors"], data),
        "batch_size": _batch_size(table["batch_factors"], batch_size),
        "uncertainty": _members(table["ensemble_size"], config["general"]["seed"]),
    }
    for study in dict.fromkeys(table["studies"]):
        of_one = list(of_study[study])
        if not of_one:
            raise ConfigError(
                f"study.studies: the data and the values of '{study}' leave no training of it",
                hint="give other values in [study], or leave the study out",
            )
        found += of_one
    return found


def _interpolation(intervals: Sequence[int], data: PreprocessedData) -> Iterator[Variant]:
    """Train on every n-th row."""
    shortest, table = int(_lengths(data).min()), data.directory.config["preprocess"]
    for interval in sorted({*intervals}):
        left = -(-shortest // interval)
        if left < _FEWEST_ROWS:
            _log.warning("interpolation: every row number %d leaves one of %d: left out", interval, shortest)
        elif interval > 1:
            keys = {"preprocess.thin_rows": interval * table["thin_rows"]}
            yield Variant("interpolation", interval, {**keys, **_window(table, left)})


def _extrapolation(cutoffs: Sequence[float], data: PreprocessedData) -> Iterator[Variant]:
    """Train on the first rows of each tracer."""
    lengths, table = _lengths(data), data.directory.config["preprocess"]
    longest = int(lengths.max())
    for rows in sorted({round(share * longest) for share in cutoffs}):
        if rows < _FEWEST_ROWS:
            _log.warning("extrapolation: a cut-off after %d of %d rows is left out", rows, longest)
        elif rows < longest:
            keys = {"preprocess.first_rows": (rows - 1) * table["thin_rows"] + 1}
            left = min(rows, int(lengths.min()))
            yield Variant("extrapolation", rows, {**keys, **_window(table, left)})


def _sparse(factors: Sequence[int], data: PreprocessedData) -> Iterator[Variant]:
    """Train on every n-th tracer."""
    n_tracers = len(data.split("train").tracer_ids)
    for factor in sorted({*factors}):
        if factor > n_tracers:
            _log.warning("sparse: every tracer number %d of %d is left out", factor, n_tracers)
        elif factor > 1:
            yield Variant("sparse", factor, {"preprocess.thin_tracers": factor})


def _batch_size(factors: Sequence[float], batch_size: int) -> Iterator[Variant]:
    """Train in smaller or larger batches."""
    for size in sorted({max(1, int(factor * batch_size)) for factor in factors}):
        if size != batch_size:
            yield Variant("batch_size", size, recipe={"train.batch_size": size})


def _members(size: int, seed: int) -> Iterator[Variant]:
    """Train from other seeds; the training on everything is the first member."""
    for number in range(1, size):
        yield Variant("uncertainty", number, recipe={"general.seed": seed + number})


def _lengths(data: PreprocessedData) -> np.ndarray:
    """Return the rows of the tracers that are trained and validated on."""
    splits = [data.split(name) for name in ("train", "validate")]
    return np.concatenate([np.diff(split.offsets) for split in splits if split.n_rows])


def _window(table: ConfigDict, left: int) -> dict[str, Any]:
    """Return shorter windows where the rows that are left do not fill those that were asked for."""
    if table["window"] is False or table["window"] <= left:
        return {}
    return {"preprocess.window": False, "preprocess.horizon": False}
