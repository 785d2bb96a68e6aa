"""Running a trained model over data: rows through an autoencoder, tracers through a rollout.

What is computed together has a fixed shape, filled up at the end, so a result is the same bits whatever the
batch size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chemnet.errors import ModelError
from chemnet.training.inference.inference_sources import Block, Source

# rows per model call: on a CPU what keeps hidden layers in its cache, on a GPU what fills it
ROWS_PER_CALL = {"cpu": 2048, "cuda": 65536}
Outputs = dict[str, np.ndarray]


def infer_rows(
    model: nn.Module, source: Source, device: torch.device, block_rows: int, reconstruct: bool
) -> Iterator[tuple[Block, Outputs]]:
    """Yield each block with its latents `tensor` `(rows, L)` and what else the model gives per row.

    Parameters
    ----------
    model
        In its inference form, on `device`.
    source
        The rows.
    device
        Where the model runs.
    block_rows
        Rows in memory at a time; rounded to whole model calls.
    reconstruct
        Also give an autoencoder's `reconstruction`, in raw units `(rows, S)`; else none is written.
    """
    rows = ROWS_PER_CALL[device.type]
    for block in source.rows(max(1, block_rows // rows) * rows):
        outputs = [
            {name: value[:kept].cpu() for name, value in _call(model, batch, reconstruct).items()}
            for batch, kept in _row_calls(block, rows, device)
        ]
        yield block, {name: torch.cat([part[name] for part in outputs]).numpy() for name in outputs[0]}


def infer_rollouts(
    model: nn.Module, source: Source, device: torch.device, decode: bool
) -> Iterator[tuple[Block, Outputs]]:
    """Yield blocks of whole tracers with the latents `tensor` of a rollout from each tracer's first row.

    Parameters
    ----------
    model
        An emulator in its inference form, on `device`.
    source
        The tracers.
    device
        Where the model runs.
    decode
        Also give the predicted `abundance`, scaled `(rows, S)`.
    """
    for block in source.tracers():
        if block.offsets is None:
            raise ModelError("a rollout needs whole tracers")
        batch, lengths = _rollout_batch(block, block.offsets, device)
        outputs = model.infer_batch(batch)
        latent = main_output(outputs)
        kept = torch.arange(latent.shape[1], device=device)[None] < lengths[:, None]
        rows = {"tensor": latent[kept]}
        if decode and "abundance" in outputs:
            rows["abundance"] = outputs["abundance"][kept]
        elif decode and hasattr(model, "decode"):
            rows["abundance"] = model.decode(rows["tensor"])
        yield block, {name: value.cpu().numpy() for name, value in rows.items()}


def main_output(outputs: Mapping[str, Tensor]) -> Tensor:
    """Return what is stored as a sample's tensor: ``"latent"``, or else the first output."""
    return outputs["latent"] if "latent" in outputs else next(iter(outputs.values()))


def _call(model: Any, batch: Mapping[str, Tensor], reconstruct: bool) -> dict[str, Tensor]:
    """Return one call's outputs, under the names that they are stored by."""
    outputs = model.infer_batch(batch)
    stored = {"tensor": main_output(outputs).flatten(1)}
    if reconstruct and "reconstruction" in outputs:
        stored["reconstruction"] = outputs["reconstruction"]
    elif reconstruct and hasattr(model, "decode"):
        stored["reconstruction"] = model.decode(stored["tensor"])
    return stored


def _row_calls(block: Block, rows: int, device: torch.device) -> Iterator[tuple[dict[str, Tensor], int]]:
    """Yield batches of exactly `rows` rows, the last one filled up with zeros, and how many of them count."""
    columns = {"abundance": block.abundance, "physical": block.physical, "dt": block.dt.astype(np.float32)}
    for start in range(0, len(block.abundance), rows):
        part = {
            name: torch.from_numpy(np.ascontiguousarray(values[start : start + rows]))
            for name, values in columns.items()
        }
        kept = len(part["abundance"])
        if kept < rows:
            part = {
                name: torch.cat([value, value.new_zeros(rows - kept, *value.shape[1:])])
                for name, value in part.items()
            }
        yield {name: value.to(device) for name, value in part.items()}, kept


def _rollout_batch(
    block: Block, offsets: np.ndarray, device: torch.device
) -> tuple[dict[str, Tensor], Tensor]:
    """Return whole tracers as one batch, short ones standing still at their end, and their lengths."""
    lengths = np.diff(offsets)
    # row i of a tracer, or its last row once it has ended
    rows = offsets[:-1, None] + np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)
    driving = rows[:, :-1]
    columns = {
        "abundance": block.abundance[rows[:, :1]],
        "physical": block.physical[driving],
        "dt": block.dt[driving].astype(np.float32),
    }
    batch = {
        name: torch.from_numpy(np.ascontiguousarray(values)).to(device) for name, values in columns.items()
    }
    return batch, torch.from_numpy(lengths).to(device)
