"""A trained model over a whole data set: rows through an autoencoder, tracers through a rollout.

What is computed together has a fixed shape, filled up at the end, so a result is the same bits whatever the
batch size.

Shapes: B tracers, T rows of a tracer, S species, P physical parameters, L latents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chemnet.data.histories import padded_rows, padded_steps
from chemnet.data.infer_result.infer_sources import Block, Source
from chemnet.data.scaling import AbundanceScaling
from chemnet.errors import ModelError
from chemnet.models.codec import Codec, unscaled
from chemnet.models.model_file import load_trained
from chemnet.models.weights import BEST_WEIGHTS
from chemnet.results import ResultDirectory
from chemnet.surrogate.loading import own_results, parts_of
from chemnet.surrogate.predictor import Predictor, State, no_single_step
from chemnet.surrogate.rollout import read_rows, rollout_states
from chemnet.surrogate.wrappers.conservation import ConservingPredictor
from chemnet.surrogate.wrappers.surrogate_ensemble import Components, components_of
from chemnet.training.parallel.memory import within_memory

# rows per model call: on a CPU what keeps hidden layers in its cache, on a GPU what fills it
ROWS_PER_CALL = {"cpu": 2048, "cuda": 65536}
Outputs = dict[str, np.ndarray]


def infer_rows(
    model: Any,
    source: Source,
    device: torch.device,
    block_rows: int,
    reconstruction: AbundanceScaling | None = None,
) -> Iterator[tuple[Block, Outputs]]:
    """Yield each block with its latents `tensor` `(rows, L)`.

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
    reconstruction
        With this scaling of the model's, give an autoencoder's `reconstruction` too: abundances relative to
        H nuclei, `(rows, S)`.
    """
    rows = ROWS_PER_CALL[device.type]
    for block in source.rows(max(1, block_rows // rows) * rows):
        outputs = []
        for batch, kept in _row_calls(block, rows, device):
            call = partial(_call, model, reconstruction, tuple(batch))
            found = within_memory(call, *batch.values())
            outputs.append({name: value[:kept].cpu() for name, value in found.items()})
        yield block, {name: torch.cat([part[name] for part in outputs]).numpy() for name in outputs[0]}


def infer_rollouts(
    components: Components | HistoryEmulator, predictor: Predictor, source: Source, decode: bool
) -> Iterator[tuple[Block, Outputs]]:
    """Yield blocks of whole tracers with the latents `tensor` of a rollout from each tracer's first row.

    Parameters
    ----------
    components
        The emulator, on the device where it runs.
    predictor
        Itself, or a wrapper around it; see `emulator_predictor`.
    source
        The tracers.
    decode
        Give the predicted `abundance` relative to H nuclei too, `(rows, S)`; a tracer's first row is its own.
    """
    for block in source.tracers():
        if block.offsets is None:
            raise ModelError("a rollout needs whole tracers")
        first = block.offsets[:-1]
        rows, own = padded_rows(first, np.diff(block.offsets))
        # blocks of whole tracers hold their abundances in memory
        start = components.scaling.unscale(np.asarray(block.abundance)[first].astype(np.float64))
        inputs = (start, block.raw_physical[rows], padded_steps(block.dt[rows[:, :-1]]))
        start_BS, physical_BTP, dt_BN = (
            torch.from_numpy(np.asarray(values, dtype=np.float64)).to(components.device) for values in inputs
        )
        states = within_memory(partial(_rolled_out, predictor), start_BS, physical_BTP, dt_BN)
        chosen = torch.from_numpy(own).to(components.device)
        states = {name: values[chosen] for name, values in states.items()}
        # of an ensemble, whose members' latents stand side by side, their mean
        outputs = {"tensor": states["latent"].unflatten(-1, (components.size, -1)).mean(dim=-2)}
        if decode:
            outputs["abundance"] = read_rows(states, predictor.abundance)
            outputs["abundance"][torch.from_numpy(first)] = start_BS.float()
        yield block, {name: values.cpu().numpy() for name, values in outputs.items()}


def emulator_predictor(
    trained: ResultDirectory, device: torch.device, conserve: bool, weights: str = BEST_WEIGHTS
) -> tuple[Components | HistoryEmulator, Predictor]:
    """Return a trained emulator on a device, and what predicts with it just as `chemnet.Surrogate` does.

    Parameters
    ----------
    trained
        The training result.
    device
        Where it runs.
    conserve
        Keep each element's total.
    weights
        Which weights file of the result.
    """
    model: Any = load_trained(trained, weights)
    components: Components | HistoryEmulator
    if hasattr(model, "members") or hasattr(model, "advance"):
        components = components_of(parts_of(own_results(trained), model)).to(device)
    else:
        components = HistoryEmulator(model).to(device)
    stoichiometry = torch.from_numpy(components.data.stoichiometry)
    return components, ConservingPredictor(components, stoichiometry) if conserve else components


class HistoryEmulator(Codec):
    """An emulator that states no single step: its own `infer_batch` predicts whole histories.

    Parameters
    ----------
    model
        The emulator.
    """

    size = 1

    def __init__(self, model: Any) -> None:
        decoder = model if hasattr(model, "decode") else None
        super().__init__(decoder, decoder, model.data.abundance_scaling)
        self.model, self.data, self.device = model.for_inference(), model.data, torch.device("cpu")

    def to(self, device: torch.device) -> HistoryEmulator:
        """Move the network to a device and return this predictor."""
        self.device = device
        self.model.to(device)
        return self

    def start(self, abundance_BS: Tensor) -> State:
        """Return the scaled abundances `(B, S)` that histories begin with."""
        return {"start": self.scaling.scale(abundance_BS).float()}

    def step(self, state: State, physical_BP: Tensor, dt_B: Tensor) -> State:
        """Refuse: there is no single step."""
        raise no_single_step(self.model)

    def rollout(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor) -> State:
        """Return `latent`, and `abundance` (scaled) where the model decodes by itself, `(B, R, ...)`."""
        physical = self.data.physical_scaling.scale(physical_BTP[:, :-1]).float()
        batch = {"abundance": state["start"][:, None], "physical": physical, "dt": dt_BN.float()}
        found = self.model.infer_batch(batch)
        states = {"latent": main_output(found)}
        if "abundance" in found:
            states["abundance"] = found["abundance"]
        return {name: values[:, rows.to(values.device)] for name, values in states.items()}

    def abundance(self, state: State) -> Tensor:
        """Return abundances `(B, S)`."""
        if "abundance" in state:
            return unscaled(state["abundance"], self.scaling)
        return self.decode(state["latent"])


def main_output(outputs: Mapping[str, Tensor]) -> Tensor:
    """Return what is stored as a sample's tensor: ``"latent"``, or else the first output."""
    return outputs["latent"] if "latent" in outputs else next(iter(outputs.values()))


def _rolled_out(predictor: Predictor, start_BS: Tensor, physical_BTP: Tensor, dt_BN: Tensor) -> State:
    """Return the states `(B, T, ...)` of whole histories."""
    return rollout_states(predictor, predictor.start(start_BS), physical_BTP, dt_BN)


def _call(
    model: Any, scaling: AbundanceScaling | None, names: Sequence[str], *columns: Tensor
) -> dict[str, Tensor]:
    """Return one call's outputs, under the names that they are stored by."""
    outputs = model.infer_batch(dict(zip(names, columns, strict=True)))
    stored = {"tensor": main_output(outputs).flatten(1)}
    if scaling is not None and ("reconstruction" in outputs or hasattr(model, "decode")):
        own = outputs.get("reconstruction")
        stored["reconstruction"] = unscaled(model.decode(stored["tensor"]) if own is None else own, scaling)
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
