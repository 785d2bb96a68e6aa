"""Write an infer result: batches appended as they come, in flat memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from chemnet.config.toml_text import toml_text
from chemnet.config.whole_file import write_whole
from chemnet.data.infer_result.sample_names import SampleNames
from chemnet.data.npy_files import NpyAppender
from chemnet.errors import DataError, ResultsError
from chemnet.results.digests import content_digest, file_digest

ROWS_PER_FILE = 2**18
# rows of the index that are made at a time
_INDEX_BLOCK = 2**15
METADATA_FILE = "inference.json"
ROWS_FILE = "rows.npy"
# how many whole batches an unfinished inference has written, and what it was to write
PROGRESS_FILE = "progress.json"
DATASET_CONFIG_FILE = "original_dataset_config.toml"
_ROW_FIELDS = ("tracer", "step", "time", "split", "split_row")


class InferenceWriter:
    """Append inferred batches to an infer result, in order, in flat memory.

    A folder that an earlier writer left unclosed is continued after its last whole batch: what is then
    appended first is row `done`.

    Parameters
    ----------
    path
        The (still hidden) result directory.
    tracer_ids
        Ids of all tracers that may be appended; `append` refers to them by index.
    largest_step
        The largest step index that may be appended; with the tracer ids it fixes the width of the sample ids.
    physical_names
        Names of the physical parameters, in column order.
    species
        Names of the species, in the order of all abundance arrays.
    splits
        The preprocess splits that the samples come from.
    dataset_config
        The ``[data_set]`` table that the samples were read with.
    conserved
        Whether the abundances that are appended keep each element's total along a tracer.

    Examples
    --------
    >>> with InferenceWriter(
    ...     path, tracer_ids=["7"], largest_step=9, physical_names=["Av"]
    ... ) as writer:  # doctest: +SKIP
    ...     writer.append(
    ...         tracer=[0, 0], step=[0, 1], time=[0.0, 90.0], physical=[[1.0], [1.2]],
    ...         tensor=latents, split_row=[0, 1],
    ...     )
    """

    def __init__(
        self,
        path: str | Path,
        *,
        tracer_ids: Sequence[str],
        largest_step: int,
        physical_names: Sequence[str],
        species: Sequence[str] = (),
        splits: Sequence[str] = ("test",),
        dataset_config: Mapping[str, Any] | None = None,
        conserved: bool = False,
    ) -> None:
        reserved = sorted(set(physical_names) & set(_ROW_FIELDS))
        if reserved:
            raise DataError(
                f"physical parameters named {reserved} clash with chemnet's own columns",
                hint="rename them in [data_set] physical",
            )
        self.path = Path(path)
        self.physical_names = tuple(physical_names)
        self.species = tuple(species)
        self.splits, self.conserved = tuple(splits), conserved
        self.tracer_ids = tuple(str(name) for name in tracer_ids)
        self._names = SampleNames(self.tracer_ids, largest_step)
        self._files: dict[str, NpyAppender] = {}
        self._widths: dict[str, int] = {}
        self._batch_rows: list[int] = []
        self._tracers: list[np.ndarray] = []
        self._steps: list[np.ndarray] = []
        self._digests: list[dict[str, str]] = []
        self._rows = self._begun_rows()
        self._check_whole_batches()
        self.done = len(self)
        self._write_dataset_config(dataset_config)

    def _begun_rows(self) -> NpyAppender:
        """Return the file of rows: a new one, or an unfinished inference's up to its last whole batch."""
        path, dtype, progress = self.path / ROWS_FILE, self._row_dtype(), self.path / PROGRESS_FILE
        if not progress.is_file():
            return NpyAppender(path, dtype)
        self._read_progress(progress)
        rows = NpyAppender.reopened(path, dtype, len(self))
        rows.flush()
        written = np.fromfile(path, dtype=dtype, count=len(self), offset=rows.header_bytes)
        self._tracers, self._steps = [written["tracer"].copy()], [written["step"].copy()]
        return rows

    def _read_progress(self, path: Path) -> None:
        """Take in what `_note_progress` noted."""
        try:
            begun = json.loads(path.read_text(encoding="utf-8"))
            self._widths, self._batch_rows = begun["outputs"], [ROWS_PER_FILE] * begun["batches"]
            self._digests = begun.get("digests", [])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._damaged(path) from error

    def _check_whole_batches(self) -> None:
        """Refuse to go on behind batches that are not what was written."""
        for number, noted in enumerate(self._digests):  # an older chemnet noted none
            for name, digest in noted.items():
                if self._digest(name, number) != digest:
                    raise self._damaged(self.path / name)

    def _digest(self, name: str, number: int) -> str:
        """Return the digest of a batch's file, or of its part of the rows; empty where it is gone."""
        path = self.path / name
        if name != ROWS_FILE:
            return file_digest(path) if path.is_file() else ""
        first = self._rows.header_bytes + number * ROWS_PER_FILE * self._rows.dtype.itemsize
        return content_digest([np.fromfile(path, self._rows.dtype, ROWS_PER_FILE, offset=first)])

    def _damaged(self, path: Path) -> ResultsError:
        """Return the error for a file of an unfinished inference that is not what was written."""
        return ResultsError(
            f"{path} is missing or changed after it was written", hint="start afresh without infer.resume"
        )

    def _row_dtype(self) -> np.dtype:
        head = [("tracer", "<i4"), ("step", "<i4"), ("time", "<f8")]
        physical = [(name, "<f8") for name in self.physical_names]
        return np.dtype([*head, *physical, ("split", "u1"), ("split_row", "<i8")])

    def _write_dataset_config(self, dataset_config: Mapping[str, Any] | None) -> None:
        document = toml_text({"data_set": dict(dataset_config)} if dataset_config else {})
        (self.path / DATASET_CONFIG_FILE).write_text(document, encoding="utf-8")

    def append(
        self,
        *,
        tracer: np.ndarray,
        step: np.ndarray,
        time: np.ndarray,
        physical: np.ndarray,
        tensor: np.ndarray,
        split_row: np.ndarray,
        split: str | None = None,
        **fields: np.ndarray,
    ) -> None:
        """Append one batch of B samples.

        Parameters
        ----------
        tracer
            Index into `tracer_ids`, ``(B,)``.
        step
            Index along the tracer, ``(B,)``.
        time
            Time [yr], ``(B,)``.
        physical
            Physical parameters in raw units, ``(B, P)``.
        tensor
            Latents, ``(B, L)``.
        split_row
            Row of each sample in its split's file, ``(B,)``: `InferenceDataset.truth` looks there.
        split
            The split that the samples come from; by default the first (and usually only) one.
        fields
            Further outputs by name, ``(B, width)`` each; every batch must bring the same ones.
        """
        rows = np.empty(len(tensor), dtype=self._rows.dtype)
        tracer, step = np.asarray(tracer), np.asarray(step)
        rows["tracer"], rows["step"], rows["time"] = tracer, step, time
        for name, column in zip(self.physical_names, np.asarray(physical).T, strict=True):
            rows[name] = column
        rows["split"] = self.splits.index(self.splits[0] if split is None else split)
        rows["split_row"] = split_row
        # before the outputs: whoever goes on behind a whole batch needs all of its rows
        self._rows.append(rows)
        self._append_outputs(self._names.of(tracer, step), {"tensor": np.asarray(tensor), **fields})
        self._tracers.append(rows["tracer"].copy())
        self._steps.append(rows["step"].copy())

    def _append_outputs(self, ids: np.ndarray, outputs: Mapping[str, np.ndarray]) -> None:
        """Spread one batch over the output files, starting new ones where `ROWS_PER_FILE` is reached."""
        widths = {name: int(np.shape(values)[1]) for name, values in outputs.items()}
        if self._widths and widths != self._widths:
            raise DataError(f"a batch brought the outputs {widths}, the batches before it {self._widths}")
        self._widths = widths
        start = 0
        while start < len(ids):
            if not self._batch_rows or self._batch_rows[-1] == ROWS_PER_FILE:
                self._start_files()
            stop = min(len(ids), start + ROWS_PER_FILE - self._batch_rows[-1])
            for name, values in outputs.items():
                piece = np.ascontiguousarray(values[start:stop], dtype="<f4")
                self._files[name].append(piece if name != "tensor" else _batch(ids[start:stop], piece))
            self._batch_rows[-1] += stop - start
            start = stop
            if self._batch_rows[-1] == ROWS_PER_FILE:
                self._note_progress()

    def _start_files(self) -> None:
        self._close_files()
        number = len(self._batch_rows)
        self._batch_rows.append(0)
        for name, width in self._widths.items():
            if name == "tensor":
                dtype = np.dtype([("id", self._names.dtype), ("tensor", "<f4", (width,))])
                self._files[name] = NpyAppender(self.path / f"batch_{number}.npy", dtype)
            else:
                self._files[name] = NpyAppender(self.path / f"{name}_{number}.npy", np.dtype("<f4"), (width,))

    def _note_progress(self) -> None:
        """Close a whole batch and note it."""
        self._close_files()
        self._rows.flush()
        number = len(self._batch_rows) - 1
        stems = ["batch" if name == "tensor" else name for name in self._widths]
        names = [ROWS_FILE, *(f"{stem}_{number}.npy" for stem in stems)]
        self._digests.append({name: self._digest(name, number) for name in names})
        noted = {"batches": number + 1, "outputs": self._widths, "digests": self._digests}
        write_whole(self.path / PROGRESS_FILE, json.dumps(noted))

    def _close_files(self) -> None:
        for file in self._files.values():
            file.close()
        self._files = {}

    def __len__(self) -> int:
        return sum(self._batch_rows)

    def close(self) -> None:
        """Finish all files, sort the index and write the description.

        Raises
        ------
        DataError
            When nothing was appended or one sample was appended twice.
        """
        self._close_files()
        self._rows.close()
        if not self._batch_rows:
            raise DataError("nothing was inferred: no sample was appended")
        self._write_index()
        description = {
            "rows": len(self),
            "batches": self._batch_rows,
            "outputs": self._widths,
            "physical_names": list(self.physical_names),
            "species": list(self.species),
            "splits": list(self.splits),
            "conserved": self.conserved,
            "tracer_ids": list(self.tracer_ids),
        }
        (self.path / METADATA_FILE).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        (self.path / PROGRESS_FILE).unlink(missing_ok=True)

    def _write_index(self) -> None:
        """Write ``(id, batch, row)`` sorted by id; DataError when an id occurs twice."""
        tracer, step = np.concatenate(self._tracers), np.concatenate(self._steps)
        order = self._names.order(tracer, step)
        dtype = np.dtype([("id", self._names.dtype), ("batch", "<i4"), ("row", "<i8")])
        with NpyAppender(self.path / "batch_index.npy", dtype) as file:
            for start in range(0, len(order), _INDEX_BLOCK):
                rows = order[start : start + _INDEX_BLOCK]
                entries = np.empty(len(rows), dtype=dtype)
                entries["id"] = self._names.of(tracer[rows], step[rows])
                entries["batch"], entries["row"] = np.divmod(rows, ROWS_PER_FILE)
                file.append(entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self._close_files()
        self._rows.close()


def _batch(ids: np.ndarray, tensor: np.ndarray) -> np.ndarray:
    batch = np.empty(len(ids), dtype=[("id", ids.dtype), ("tensor", "<f4", (tensor.shape[1],))])
    batch["id"], batch["tensor"] = ids, tensor
    return batch
