"""Which tracers there are, in which file and at which rows: the index that `TracerTable` reads by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from chemnet.config import ConfigDict
from chemnet.data.readers.column_meanings import ColumnPlan, Wanted, plan_columns
from chemnet.data.readers.format_recognition import open_table, table_files
from chemnet.data.readers.table_source import Segments, TableSource
from chemnet.errors import DataError
from chemnet.progress import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True)
class Part:
    """One file: the open table and what its columns mean."""

    source: TableSource
    plan: ColumnPlan


@dataclass(frozen=True)
class Run:
    """Neighbouring tracers of one file whose rows can be read in one go."""

    part: Part
    start: int
    stop: int
    tracers: np.ndarray


@dataclass(frozen=True)
class Catalogue:
    """Tracers of one or more files.

    Attributes
    ----------
    parts
        The files.
    ids
        Unique tracer ids.
    part_of
        File of each tracer, as an index into `parts`.
    starts, lengths
        First row in its file and number of rows of each tracer.
    """

    parts: tuple[Part, ...]
    ids: list[str]
    part_of: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def chosen(self, keep: np.ndarray) -> Catalogue:
        """Return the catalogue of the tracers for which `keep` is true."""
        ids = [tracer for tracer, kept in zip(self.ids, keep, strict=True) if kept]
        return Catalogue(self.parts, ids, self.part_of[keep], self.starts[keep], self.lengths[keep])

    def truncated(self, length: int) -> Catalogue:
        """Return the catalogue with no tracer longer than `length` rows."""
        return replace(self, lengths=np.minimum(self.lengths, length))

    def runs(self, tracers: Sequence[int] | np.ndarray) -> Iterator[Run]:
        """Yield the tracers in order, those whose rows follow one another in the file together."""
        chosen = np.asarray(tracers, dtype=np.int64)
        starts, stops = self.starts[chosen], self.starts[chosen] + self.lengths[chosen]
        joined = (starts[1:] == stops[:-1]) & (self.part_of[chosen][1:] == self.part_of[chosen][:-1])
        edges = [0, *(np.flatnonzero(~joined) + 1).tolist(), len(chosen)] if len(chosen) else [0]
        for first, last in pairwise(edges):
            part = self.parts[self.part_of[chosen[first]]]
            yield Run(part, int(starts[first]), int(stops[last - 1]), chosen[first:last])

    def place(self, tracer: int, step: int) -> str:
        """Say where a row is: file, tracer, step and row of the file (all from 0)."""
        where = self.parts[self.part_of[tracer]].source.where
        return f"{where}: tracer '{self.ids[tracer]}', step {step} (row {self.starts[tracer] + step})"


def build_catalogue(path: Path, options: ConfigDict, wanted: Wanted) -> Catalogue:
    """Open every file of a table and find its tracers.

    Parameters
    ----------
    path
        File, folder or pattern.
    options
        The configuration table `[data_set]`: how the files are opened.
    wanted
        What is asked of the columns.

    Raises
    ------
    DataError
        When a file is missing or damaged, columns are missing or differ between files, or there is no row.
    """
    sources = [open_table(file, options) for file in table_files(path)]
    parts = [Part(sources[0], plan_columns(sources[0], _of_source(wanted, sources[0])))]
    parts += [Part(source, _same_plan(source, parts[0], wanted)) for source in sources[1:]]
    segments = [part.source.segments(part.plan.tracer, part.plan.time) for part in parts]
    for source, segment in zip(sources, segments, strict=True):
        if not len(segment.ids) or not segment.lengths.any():
            raise DataError(f"{source.where}: the table has no rows", hint="write the table again")
    return Catalogue(
        parts=tuple(parts),
        ids=_unique_ids(sources, segments),
        part_of=np.repeat(np.arange(len(parts)), [len(segment.ids) for segment in segments]),
        starts=np.concatenate([segment.starts for segment in segments]),
        lengths=np.concatenate([segment.lengths for segment in segments]),
    )


def _of_source(wanted: Wanted, source: TableSource) -> Wanted:
    """Return what is asked of one file: chemnet's own sets are in years, whatever the keys say of others."""
    return replace(wanted, time_unit="yr", assigned={}) if source.is_simulated else wanted


def _same_plan(source: TableSource, first: Part, wanted: Wanted) -> ColumnPlan:
    """Read the column names of a further file, which must have the first one's species and parameters."""
    if source.is_simulated != first.source.is_simulated:
        raise DataError(
            f"{source.where} and {first.source.where}: only one of them was written by `chemnet simulate`",
            hint="read them in runs of their own",
        )
    wanted = _of_source(wanted, source)
    if not wanted.species:
        extra = set(plan_columns(source, wanted).species_names) - set(first.plan.species_names)
        if extra:
            raise DataError(
                f"{source.where}: species {', '.join(sorted(extra))} are not in {first.source.where}",
                hint="read tables of one network at a time, or list the common species in data_set.species",
            )
    species = None if wanted.species is None else first.plan.species_names
    plan = plan_columns(source, replace(wanted, species=species))
    if plan.physical_names != first.plan.physical_names:
        odd = set(plan.physical_names) ^ set(first.plan.physical_names)
        raise DataError(
            f"{source.where} and {first.source.where}: only one of them has {', '.join(sorted(odd))}",
            hint="give all files the same conditions, or read them in runs of their own",
        )
    return plan


def _unique_ids(sources: Sequence[TableSource], segments: Sequence[Segments]) -> list[str]:
    """Return the tracer ids; where files share ids, each gets its file's name in front."""
    counts = Counter(tracer for segment in segments for tracer in segment.ids)
    shared = [tracer for tracer, count in counts.items() if count > 1]
    if not shared:
        return [tracer for segment in segments for tracer in segment.ids]
    if len(sources) == 1:
        raise DataError(f"{sources[0].where}: tracer id '{shared[0]}' stands for {counts[shared[0]]} tracers")
    _log.info("%d tracer ids occur in several files; ids become <file>:<tracer>", len(shared))
    ids = [
        f"{source.path.stem}:{tracer}"
        for source, segment in zip(sources, segments, strict=True)
        for tracer in segment.ids
    ]
    if len(set(ids)) < len(ids):
        raise DataError(
            f"tracer ids such as '{shared[0]}' occur twice in files of one name", hint="rename the files"
        )
    return ids
