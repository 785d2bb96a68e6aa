"""`InferenceDataset`: the result of `chemnet infer`, read through memory maps.

An infer result holds, all in insertion order,

- ``batch_<N>.npy``: structured ``(id, tensor)``, `tensor` being the ``(latent_dim,)`` float32 latent;
- ``<field>_<N>.npy``: plain float32 ``(rows, width)`` beside it, for each further output (``reconstruction``,
  ``abundance``), so that reading the latents never drags the wide arrays through memory;
- ``rows.npy``: structured ``(tracer, step, time, <physical names...>, split, split_row)`` in raw units;
  `tracer` and `split` are positions in the lists of ``inference.json``;
- ``batch_index.npy``: structured ``(id, batch, row)``, sorted by id;
- ``inference.json``: names, shapes and splits; ``original_dataset_config.toml``: where the samples came from.

A file holds up to `ROWS_PER_FILE` rows whatever the batch size of the run, so another batch size writes the
same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from chemnet.data.dataframes import Columns, Tabular
from chemnet.data.infer_result.infer_result_writer import METADATA_FILE, ROWS_PER_FILE, InferenceWriter
from chemnet.data.infer_result.sample_index import SampleIndex
from chemnet.data.npy_files import let_go, open_npy
from chemnet.errors import DataError, NotFoundError, ResultsError, nearest
from chemnet.results import ResultDirectory
from chemnet.results.layout import RESULT_FILE

__all__ = ["InferenceDataset", "InferenceWriter", "State"]


@dataclass(frozen=True, eq=False)
class State:
    """One known state of one tracer.

    Attributes
    ----------
    index
        Position in the infer result.
    id, tracer, step, time
        Sample id, tracer id, index along the tracer, time [yr].
    physical
        Physical parameters by name, raw units.
    vector
        Latent, ``(latent_dim,)`` float32; also what ``numpy.asarray(state)`` gives.
    """

    index: int
    id: str
    tracer: str
    step: int
    time: float
    physical: dict[str, float]
    vector: np.ndarray

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.vector, dtype=dtype, copy=copy)


class InferenceDataset(Tabular):
    """Read an infer result back: latents, further outputs and what is known of each sample.

    All arrays are in insertion order. Files are memory-mapped: opening is free, a slice costs its own bytes.

    Parameters
    ----------
    path
        An infer result directory, as a path or opened.

    Raises
    ------
    ResultsError
        When `path` is no whole infer result.

    Examples
    --------
    >>> data = InferenceDataset("results/20250101-120000-infer-abcd")  # doctest: +SKIP
    >>> data.latents.shape, data.get_by_id("tracer_3-17").time  # doctest: +SKIP
    """

    def __init__(self, path: str | Path | ResultDirectory) -> None:
        self.path = path.path if isinstance(path, ResultDirectory) else Path(path)
        self._directory = path if isinstance(path, ResultDirectory) else self._opened()
        description = self._describe()
        self.physical_names: tuple[str, ...] = tuple(description["physical_names"])
        self.species: tuple[str, ...] = tuple(description["species"])
        self.splits: tuple[str, ...] = tuple(description["splits"])
        self.tracer_ids: tuple[str, ...] = tuple(description["tracer_ids"])
        self.fields: tuple[str, ...] = tuple(description["outputs"])
        self.latent_dim: int = description["outputs"]["tensor"]
        #: whether the abundances keep each element's total; results of before did not
        self.conserved: bool = description.get("conserved", False)
        self._widths: dict[str, int] = description["outputs"]
        self._batches: list[int] = description["batches"]
        self._maps: dict[tuple[str, int], np.ndarray] = {}
        if len(self.rows) != sum(self._batches):
            raise ResultsError(
                f"{self.path}: rows.npy holds {len(self.rows)} rows, the batches {sum(self._batches)}"
            )

    def _opened(self) -> ResultDirectory | None:
        """Return the result, or None while its files are written still."""
        return ResultDirectory.open(self.path) if (self.path / RESULT_FILE).is_file() else None

    def file(self, name: str) -> Path:
        """Return the path of one of the files, which is what was written (`ResultDirectory.file`)."""
        return self.path / name if self._directory is None else self._directory.file(name)

    def _describe(self) -> dict[str, Any]:
        if not (self.path / METADATA_FILE).is_file():
            raise ResultsError(
                f"{self.path} is no infer result: {METADATA_FILE} is missing", hint="run `chemnet infer`"
            )
        file = self.file(METADATA_FILE)
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ResultsError(f"{file} is damaged: {error}", hint="run `chemnet infer` again") from error

    def __len__(self) -> int:
        return sum(self._batches)

    @overload
    def __getitem__(self, index: int) -> State: ...

    @overload
    def __getitem__(self, index: slice) -> list[State]: ...

    def __getitem__(self, index: int | slice) -> State | list[State]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"no state {index}: {self.path.name} holds {len(self):,} states, counted from 0")
        position = index % len(self)
        row = self.rows[position]
        return State(
            index=position,
            id=self._id(position),
            tracer=self.tracer_ids[row["tracer"]],
            step=int(row["step"]),
            time=float(row["time"]),
            physical={name: float(row[name]) for name in self.physical_names},
            vector=self.take("tensor", [position])[0],
        )

    def __iter__(self) -> Iterator[State]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"InferenceDataset({len(self):,} rows x {self.latent_dim} latents from {self.path.name})"

    @cached_property
    def rows(self) -> np.ndarray:
        """Memory-mapped ``rows.npy``: tracer (position in `tracer_ids`), step, time [yr], physical."""
        return open_npy(self.file("rows.npy"))

    def ids(self) -> np.ndarray:
        """Return the sample ids, ``(rows,)``; a call, as Hyrax has it."""
        parts = [self._file("batch", number)["id"] for number in range(len(self._batches))]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @property
    def tracers(self) -> np.ndarray:
        """Tracer id of each row, ``(rows,)``."""
        return np.array(self.tracer_ids)[self.rows["tracer"]]

    @property
    def time(self) -> np.ndarray:
        """Time [yr], ``(rows,)``."""
        return self.rows["time"]

    @property
    def physical(self) -> np.ndarray:
        """Physical parameters in raw units, ``(rows, P)`` float64."""
        return np.stack([self.rows[name] for name in self.physical_names], axis=1)

    @property
    def latents(self) -> np.ndarray:
        """Latents, ``(rows, latent_dim)`` float32: a memory map up to `ROWS_PER_FILE` rows, else a copy."""
        return self.field("tensor")

    def field(self, name: str) -> np.ndarray:
        """Return the output `name` of all rows, ``(rows, width)`` float32.

        Raises
        ------
        ResultsError
            When the run did not write that output.
        """
        parts = [self._part(name, number) for number in range(len(self._batches))]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def blocks(self, name: str = "tensor", rows: int = 2**16) -> Iterator[tuple[int, np.ndarray]]:
        """Yield ``(first row, values)`` of the output `name`, at most `rows` rows at a time."""
        return self._in_blocks(partial(self._part, name), rows)

    def finite_blocks(self, rows: int = 2**16) -> Iterator[tuple[int, np.ndarray]]:
        """Yield what `blocks` does of the latents, which are finite.

        Raises
        ------
        DataError
            For the first latent that is not, with the id of its state.
        """
        for first, block in self.blocks("tensor", rows):
            self.check_finite(block, range(first, first + len(block)))
            yield first, block

    def check_finite(self, latents: np.ndarray, positions: Sequence[int] | np.ndarray) -> None:
        """Raise `DataError` for the first latent of the states at these positions that is not finite."""
        if len(latents) and not np.isfinite([latents.min(), latents.max()]).all():
            row, column = np.argwhere(~np.isfinite(latents))[0]
            raise DataError(
                f"{self.path.name}: latent {column + 1} of state {self._id(int(positions[row]))!r} is "
                f"{latents[row, column]}",
                hint="infer again with infer.not_finite=stop, which says where it arises",
            )

    def id_blocks(self, rows: int = 2**16) -> Iterator[tuple[int, np.ndarray]]:
        """Yield ``(first row, ids)``, at most `rows` rows at a time."""
        return self._in_blocks(lambda number: self._file("batch", number)["id"], rows)

    def _in_blocks(self, part_of: Callable[[int], np.ndarray], rows: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield ``(first row, rows of a file)``; what was yielded does not stay in memory."""
        first = 0
        for number, length in enumerate(self._batches):
            part = part_of(number)
            for start in range(0, length, rows):
                yield first + start, part[start : start + rows]
                let_go(part)
            first += length

    def column_blocks(self) -> Iterator[Columns]:
        """Yield some rows at a time: id, tracer, step, time [yr], parameters, latents, predictions."""
        names = np.array(self.tracer_ids)
        for first, ids in self.id_blocks():
            rows = np.arange(first, first + len(ids))
            known = self.rows[first : first + len(ids)]
            columns = {"id": np.array(ids), "tracer": names[known["tracer"]], "step": np.array(known["step"])}
            columns |= {name: np.array(known[name]) for name in ("time", *self.physical_names)}
            columns |= {f"latent_{i}": values for i, values in enumerate(self.take("tensor", rows).T)}
            for field in ("abundance", "reconstruction"):
                if field in self.fields:
                    columns |= dict(zip(self.species, self.take(field, rows).T, strict=True))
                    break
            yield columns

    def take(self, name: str, indices: np.ndarray | Sequence[int]) -> np.ndarray:
        """Return the output `name` of the rows `indices`, ``(n, width)`` float32, reading only those rows."""
        indices = np.asarray(indices, dtype=np.int64)
        batch, row = np.divmod(indices, ROWS_PER_FILE)
        values = np.empty((len(indices), self._width(name)), dtype=np.float32)
        for number in np.unique(batch).tolist():
            here = batch == number
            part = self._part(name, number)
            values[here] = part[row[here]]
            let_go(part)
        return values

    def _width(self, name: str) -> int:
        if name not in self._widths:
            raise ResultsError(
                f"{self.path.name} holds no output {name!r}; it holds: {', '.join(self.fields)}"
            )
        return self._widths[name]

    def _part(self, name: str, number: int) -> np.ndarray:
        self._width(name)
        return self._file("batch", number)["tensor"] if name == "tensor" else self._file(name, number)

    def _file(self, stem: str, number: int) -> np.ndarray:
        if (stem, number) not in self._maps:
            self._maps[stem, number] = self._open_batch(stem, number)
        return self._maps[stem, number]

    def _open_batch(self, stem: str, number: int) -> np.ndarray:
        """Map a batch's file, which must hold the described rows."""
        path, rows = self.file(f"{stem}_{number}.npy"), self._batches[number]
        found = open_npy(path)
        described = (rows,) if stem == "batch" else (rows, self._widths[stem])
        width = found.dtype["tensor"].shape if stem == "batch" and found.dtype.names else ()
        if found.shape != described or (stem == "batch" and width != (self.latent_dim,)):
            raise ResultsError(
                f"{path} holds {found.shape} values of {found.dtype}, not what {METADATA_FILE} says",
                hint="the result is damaged: run its verb again",
            )
        return found

    def _id(self, position: int) -> str:
        number, row = divmod(position, ROWS_PER_FILE)
        return str(self._file("batch", number)["id"][row])

    @cached_property
    def _index(self) -> SampleIndex:
        """The ids, sorted, and where each stands."""
        return SampleIndex(self.file("batch_index.npy"))

    def position(self, sample_id: str) -> int:
        """Return the row of `sample_id`; NotFoundError names the nearest ids when there is none."""
        row = self._index.row(sample_id)
        if row is None:
            raise self._not_found(sample_id)
        return row

    @overload
    def get_by_id(self, sample_id: str) -> State: ...  # type: ignore[overload-overlap]

    @overload
    def get_by_id(self, sample_id: Iterable[str]) -> list[State]: ...

    def get_by_id(self, sample_id: str | Iterable[str]) -> State | list[State]:
        """Return the state `sample_id`, or those of several ids in their order.

        Raises
        ------
        NotFoundError
            When there is no such sample; the hint names the nearest ids.
        """
        if isinstance(sample_id, str):
            return self[self.position(sample_id)]
        return [self.get_by_id(one) for one in sample_id]

    def tracer_rows(self, tracer: str) -> np.ndarray:
        """Return the rows of one tracer in order of step, ``(steps,)``; empty when the tracer is unknown."""
        if tracer not in self.tracer_ids:
            return np.empty(0, dtype=np.int64)
        rows = np.flatnonzero(self.rows["tracer"] == self.tracer_ids.index(tracer))
        return rows[np.argsort(self.rows["step"][rows], kind="stable")]

    def truth(self, indices: np.ndarray | Sequence[int]) -> np.ndarray:
        """Return the true abundances of the rows `indices`, ``(n, S)`` float64, relative to H nuclei.

        They are read from the preprocess result that this run was made from, found again by its digest.

        Raises
        ------
        ResultsError
            When that result is gone or has changed.
        """
        from chemnet.data.preprocessed import PreprocessedData

        data = PreprocessedData(self._infer_result().parent("preprocess"))
        rows = self.rows[np.asarray(indices, dtype=np.int64)]
        values = np.empty((len(rows), len(data.species)))
        for code in np.unique(rows["split"]).tolist():
            here = np.flatnonzero(rows["split"] == code)
            values[here] = data.split(self.splits[code]).raw_abundance(rows["split_row"][here])
        return values

    def _infer_result(self) -> ResultDirectory:
        return self._directory or ResultDirectory.open(self.path)

    def _not_found(self, sample_id: str) -> NotFoundError:
        """Return the error for a missing id: the steps of its tracer, or near tracers, or near ids."""
        tracer = sample_id.rpartition("-")[0]
        rows = self.tracer_rows(tracer)
        if len(rows):
            first, last = self._id(int(rows[0])), self._id(int(rows[-1]))
            hint = f"tracer {tracer!r} is known from {first!r} to {last!r}"
        else:
            tracers = nearest(tracer, self.tracer_ids)
            near = [name for found in tracers for name in self._index.after(f"{found}-", 1)]
            near = near or self._index.around(sample_id)
            hint = f"nearest ids: {', '.join(near)}; ids are '<tracer>-<step>'"
        return NotFoundError(
            f"no sample {sample_id!r} among the {len(self):,} of {self.path.name}", hint=hint
        )
