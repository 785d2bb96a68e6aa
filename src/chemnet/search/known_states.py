"""The side table of a vector database: what is known of each stored state, memory-mapped.

A database keeps ids and vectors. Tracer, step, time and physical parameters are kept in the files of an infer
result, so that storing them costs a copy and finding them a few page reads. `vectors.npy` holds the vectors
once more as one contiguous table, for exact search.
"""

from __future__ import annotations

import json
import shutil
from functools import cached_property
from pathlib import Path

import numpy as np

from chemnet.data.infer_result.infer_result_writer import DATASET_CONFIG_FILE, METADATA_FILE
from chemnet.data.infer_result.inference_dataset import InferenceDataset
from chemnet.data.npy_files import NpyAppender, open_npy
from chemnet.errors import ResultsError
from chemnet.results import ResultDirectory

VECTORS_FILE = "vectors.npy"


class KnownStates(InferenceDataset):
    """An infer result's latents and rows, as a database result keeps them."""

    @cached_property
    def vectors(self) -> np.ndarray:
        """All latents as one contiguous memory map, ``(rows, latent_dim)`` float32."""
        path = self.file(VECTORS_FILE)
        vectors = open_npy(path)
        if vectors.shape != (len(self), self.latent_dim) or vectors.dtype != np.float32:
            raise ResultsError(
                f"{path} holds {vectors.shape} values of {vectors.dtype}, not {(len(self), self.latent_dim)}",
                hint="the result is damaged: run `chemnet save_to_database` again",
            )
        return vectors

    def _infer_result(self) -> ResultDirectory:
        return super()._infer_result().parent("infer")


def write_known_states(data: InferenceDataset, path: Path) -> None:
    """Copy what is known of the states of `data` into the folder `path`, without its wide outputs."""
    description = json.loads(data.file(METADATA_FILE).read_text(encoding="utf-8"))
    description["outputs"] = {"tensor": data.latent_dim}
    (path / METADATA_FILE).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    batches = [f"batch_{number}.npy" for number in range(len(description["batches"]))]
    for name in ("rows.npy", "batch_index.npy", DATASET_CONFIG_FILE, *batches):
        shutil.copyfile(data.file(name), path / name)
    with NpyAppender(path / VECTORS_FILE, np.dtype("<f4"), (data.latent_dim,)) as table:
        for _, block in data.finite_blocks():
            table.append(block)
