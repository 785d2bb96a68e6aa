"""What inference reads: blocks of rows from the splits of a preprocess result, or from raw tracers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from chemnet.data.chem_dataset import ChemDataset, TracerBlock, tracer_groups
from chemnet.data.hdf5_views import RowRange, Rows
from chemnet.data.histories import columns_of
from chemnet.data.preprocessed import DataDescription, PreprocessedData, Split
from chemnet.errors import DataError

# whole tracers that are rolled out together; fixed, so that what is computed does not depend on any batch
# size
TRACERS_PER_BLOCK = 64
RAW = "data_set"


@dataclass(frozen=True)
class Block:
    """Rows on their way through a model.

    Attributes
    ----------
    abundance, physical
        Scaled as the model wants them, float32 `(rows, S)` and `(rows, P)`; the abundances may still be in
        their file, to be read slice by slice.
    raw_physical
        Physical parameters in their own units, `(rows, P)`.
    time, dt
        Time, and time to the tracer's next row (0 at its end) [yr], `(rows,)`.
    tracer, step
        Index into the source's tracer ids, and index along the tracer, `(rows,)`.
    split, split_row
        Where the rows come from, and their rows there `(rows,)`.
    offsets
        Tracer t of the block owns rows ``offsets[t]:offsets[t + 1]``; None where rows are taken as they come.
    """

    abundance: np.ndarray | Rows
    physical: np.ndarray
    raw_physical: np.ndarray
    time: np.ndarray
    dt: np.ndarray
    tracer: np.ndarray
    step: np.ndarray
    split: str
    split_row: np.ndarray
    offsets: np.ndarray | None = None


class Source(Protocol):
    """Blocks, and what is known of them beforehand."""

    @property
    def tracer_ids(self) -> Sequence[str]:
        """Ids of all tracers."""
        ...

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        ...

    @property
    def n_rows(self) -> int:
        """Rows of all blocks together."""
        ...

    @property
    def largest_step(self) -> int:
        """Largest index along a tracer."""
        ...

    def rows(self, block_rows: int) -> Iterator[Block]:
        """Yield all rows, `block_rows` at a time."""
        ...

    def tracers(self) -> Iterator[Block]:
        """Yield all rows in blocks of whole tracers."""
        ...


class SplitSource:
    """The rows of some splits of a preprocess result.

    Parameters
    ----------
    data
        The preprocess result.
    splits
        Names of the splits, in the order of the output.
    wanted
        What the model was trained on; data on other scales are brought to these.

    Raises
    ------
    DataError
        When the data have other species or physical parameters than the model.
    """

    def __init__(self, data: PreprocessedData, splits: Sequence[str], wanted: DataDescription) -> None:
        _check_names("species", data.species, wanted.species, str(data.path))
        _check_names("physical parameters", data.physical_names, wanted.physical_names, str(data.path))
        self._data, self._wanted = data, wanted
        self._parts = [data.split(name) for name in splits if data.split(name).n_rows]
        self.splits = tuple(part.name for part in self._parts)
        self.n_rows = sum(part.n_rows for part in self._parts)
        if not self.n_rows:
            raise DataError(
                f"{data.path}: no rows in {' or '.join(splits)}", hint="choose another infer.split"
            )
        # by method "random" a tracer is in several splits
        self.tracer_ids: Sequence[str] = list(
            dict.fromkeys(tracer for part in self._parts for tracer in part.tracer_ids)
        )
        self.largest_step = max(int(part.steps.max()) for part in self._parts)
        place = {tracer: index for index, tracer in enumerate(self.tracer_ids)}
        self._tracer_of_row = {
            part.name: np.array([place[tracer] for tracer in part.tracer_ids])[part.tracer_of_row]
            for part in self._parts
        }

    def rows(self, block_rows: int) -> Iterator[Block]:
        """Yield the rows of each split, `block_rows` at a time."""
        for part in self._parts:
            for start in range(0, part.n_rows, block_rows):
                yield self._block(part, slice(start, min(start + block_rows, part.n_rows)))

    def tracers(self) -> Iterator[Block]:
        """Yield the rows of each split in blocks of `TRACERS_PER_BLOCK` tracers."""
        for part in self._parts:
            offsets = part.offsets
            for first in range(0, len(offsets) - 1, TRACERS_PER_BLOCK):
                edges = offsets[first : first + TRACERS_PER_BLOCK + 1]
                yield self._block(part, slice(int(edges[0]), int(edges[-1])), edges - edges[0])

    def _block(self, part: Split, rows: slice, offsets: np.ndarray | None = None) -> Block:
        physical, raw_physical = part.read("physical", rows), part.raw_physical(rows)
        if self._data.physical_scaling != self._wanted.physical_scaling:
            physical = self._wanted.physical_scaling.scale(raw_physical).astype(np.float32)
        return Block(
            self._abundance(part, rows, whole=offsets is not None),
            physical,
            raw_physical,
            part.time[rows],
            part.dt[rows],
            self._tracer_of_row[part.name][rows],
            part.steps[rows],
            part.name,
            np.arange(rows.start, rows.stop),
            offsets,
        )

    def _abundance(self, part: Split, rows: slice, whole: bool) -> np.ndarray | Rows:
        """Return abundances on the model's scale: left in the file where they already are on it."""
        if self._data.abundance_scaling == self._wanted.abundance_scaling:
            in_file = RowRange(part.stored("abundance"), rows.start, rows.stop)
            return in_file[:] if whole else in_file
        raw = self._data.abundance_scaling.unscale(part.read("abundance", rows).astype(np.float64))
        return self._wanted.abundance_scaling.scale(raw).astype(np.float32)


class Remaining:
    """The rest of a source after its first rows, in the same blocks.

    Parameters
    ----------
    source
        The whole source.
    done
        Rows that need not come again.

    Attributes
    ----------
    surplus
        How many rows of the latest block are done already: that block is yielded whole, so that what is
        computed together is what it would have been.
    """

    def __init__(self, source: Source, done: int) -> None:
        self._source, self._done = source, done
        self.tracer_ids, self.splits = source.tracer_ids, source.splits
        self.n_rows, self.largest_step = source.n_rows, source.largest_step
        self.surplus = 0

    def rows(self, block_rows: int) -> Iterator[Block]:
        """Yield the remaining rows, `block_rows` at a time."""
        return self._left_of(self._source.rows(block_rows))

    def tracers(self) -> Iterator[Block]:
        """Yield the remaining rows in blocks of whole tracers."""
        return self._left_of(self._source.tracers())

    def _left_of(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Yield the blocks that hold a row that is not done."""
        seen = 0
        for block in blocks:
            self.surplus = max(0, self._done - seen)
            seen += len(block.time)
            if seen > self._done:
                yield block


class RawSource:
    """The rows of a raw data set, without a preprocess result.

    Parameters
    ----------
    dataset
        The raw tracers.
    wanted
        What the model was trained on: species are brought into its order, values onto its scales.

    Raises
    ------
    DataError
        When the data set lacks a species or a physical parameter of the model.
    """

    def __init__(self, dataset: ChemDataset, wanted: DataDescription) -> None:
        self._dataset, self._wanted = dataset, wanted
        self._species = columns_of("species", dataset.species, wanted.species, "the data set")
        names = (dataset.physical_names, wanted.physical_names)
        self._physical = columns_of("physical parameters", *names, "the data set")
        self.tracer_ids: Sequence[str] = list(dataset.tracer_ids)
        self.splits: tuple[str, ...] = (RAW,)
        self.n_rows = int(dataset.lengths.sum())
        self.largest_step = int(dataset.lengths.max()) - 1
        self._first_rows = np.cumsum([0, *dataset.lengths])

    def rows(self, block_rows: int) -> Iterator[Block]:
        """Yield all rows in the blocks that suit the data set best; `block_rows` is ignored."""
        for tracers in tracer_groups(self._dataset.lengths, self._dataset.n_columns):
            yield self._block(tracers)

    def tracers(self) -> Iterator[Block]:
        """Yield all rows in blocks of `TRACERS_PER_BLOCK` tracers."""
        for first in range(0, len(self.tracer_ids), TRACERS_PER_BLOCK):
            yield self._block(range(first, min(first + TRACERS_PER_BLOCK, len(self.tracer_ids))))

    def _block(self, tracers: range) -> Block:
        raw = self._dataset.read(tracers)
        _refuse_non_finite(raw, self._dataset.species)
        physical = raw.physical[:, self._physical]
        scaled = self._wanted.abundance_scaling.scale(raw.abundance[:, self._species].astype(np.float32))
        following = np.append(np.diff(raw.time), 0.0)
        following[raw.offsets[1:] - 1] = 0.0
        return Block(
            scaled,
            self._wanted.physical_scaling.scale(physical).astype(np.float32),
            physical,
            raw.time,
            following,
            raw.tracer_of_row + tracers.start,
            raw.steps,
            RAW,
            np.arange(self._first_rows[tracers.start], self._first_rows[tracers.stop]),
            raw.offsets,
        )


def _check_names(what: str, found: Sequence[str], wanted: Sequence[str], source: str) -> None:
    if tuple(found) == tuple(wanted):
        return
    missing = [name for name in wanted if name not in found]
    surplus = [name for name in found if name not in wanted]
    words = (
        f"without {_few(missing)}" if missing else f"with {_few(surplus)}" if surplus else "in another order"
    )
    raise DataError(
        f"{source} has {len(found)} {what}, the model {len(wanted)}: {words}",
        hint="infer on a preprocess result of the species and parameters that the model was trained on",
    )


def _refuse_non_finite(block: TracerBlock, species: Sequence[str]) -> None:
    """Raise for the first abundance that is not finite or is negative, naming tracer, step and species."""
    faults = ~(block.abundance >= 0.0) | ~np.isfinite(block.abundance)
    if faults.any():
        row, column = np.argwhere(faults)[0]
        tracer = block.tracer_ids[int(block.tracer_of_row[row])]
        raise DataError(
            f"tracer '{tracer}', step {block.steps[row]}, species '{species[column]}': "
            f"{block.abundance[row, column]} is no abundance",
            hint="clean the data, or see data_set.nan_mode",
        )


def _few(names: Sequence[Any], shown: int = 4) -> str:
    return ", ".join(map(str, names[:shown])) + (", ..." if len(names) > shown else "")
