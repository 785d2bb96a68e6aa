"""Rollouts of more cells than fit into memory: a batch at a time, each written before the next one.

Shapes: B cells, T rows of a history, R kept rows, S species, P physical parameters, L latents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chemnet.errors import DataError, suggest
from chemnet.progress import progress
from chemnet.surrogate import input_checks
from chemnet.surrogate.bulk.rollout_file import RolloutFile, append, begin
from chemnet.surrogate.input_checks import InputChecker
from chemnet.surrogate.predictor import Parts
from chemnet.surrogate.rollout import Rollout, rollout_states
from chemnet.surrogate.wrappers.conservation import ConservingPredictor
from chemnet.surrogate.wrappers.surrogate_ensemble import Components
from chemnet.training.parallel.devices import free_memory

# share of the free memory that a batch may take, and its most [bytes]: more makes nothing faster
_SHARE_OF_MEMORY, _MOST_BYTES = 0.25, 2**29
# a batch is a multiple of this many cells where memory allows
_CELLS = 512


@dataclass(frozen=True)
class Kept:
    """What a streamed rollout keeps.

    Attributes
    ----------
    rows
        Kept rows of the histories.
    columns
        Kept species, by their place.
    conserve
        Whether the element totals are kept; then all species are decoded.
    asked
        The same as the user asked for it, as plain values.
    """

    rows: NDArray[np.int64]
    columns: tuple[int, ...]
    conserve: bool
    asked: Mapping[str, Any] = field(default_factory=dict)


def kept_of(
    components: Components, physical: Any, every: int, species: Sequence[str] | None, conserve: bool
) -> Kept:
    """Return what a rollout keeps; see `Surrogate.rollout`.

    Raises
    ------
    DataError
        For parameters of another shape, or rows or species that there are not.
    """
    shape, data = tuple(getattr(physical, "shape", ())), components.data
    if len(shape) != 3 or shape[2] != data.n_physical or not shape[1]:
        raise DataError(
            f"physical has the shape {shape}; needed is (cells, steps, {data.n_physical})",
            hint="give an array, a dataset of an HDF5 file, or numpy.load(file, mmap_mode='r')",
        )
    if not isinstance(every, int) or every < 1:
        raise DataError(f"every = {every!r}", hint="every is a whole number of rows, 1 or more")
    names = list(data.species if species is None else species)
    for name in names:
        if name not in data.species:
            raise DataError(
                f"species = {names!r}: no species is called {name!r}", hint=suggest(str(name), data.species)
            )
    asked = {"every": every, "species": species if species is None else names, "conserve": conserve}
    columns = tuple(data.species.index(name) for name in names)
    return Kept(np.arange(0, shape[1], every), columns, conserve, asked)


def stream(
    predictor: ConservingPredictor[Components],
    checker: InputChecker,
    source: Mapping[str, str],
    histories: tuple[Any, Any, Any],
    path: Path,
    kept: Kept,
) -> RolloutFile:
    """Predict cells a batch at a time into a file, continuing where it ends; see `Surrogate.rollout`.

    `histories` are parameters, abundances at step 0 and time steps. `source` identifies a surrogate in plain
    values; a file of another one is refused.
    """
    components = predictor.inner
    physical, abundances, dt = histories
    n_cells, n_rows = physical.shape[:2]
    names = [components.data.species[column] for column in kept.columns]
    length = float(dt) if isinstance(dt, (int, float, np.number)) else "array" if dt is not None else None
    request = {**source, "shape": list(physical.shape), "dt": length, **kept.asked}
    done = begin(path, n_cells, kept.rows.tolist(), names, request)
    size = cells_per_batch(components, n_rows, kept)
    with progress(total=n_cells, desc="rollout", unit="cell") as bar:
        bar.update(done)
        for first in range(done, n_cells, size):
            cells = slice(first, min(first + size, n_cells))
            part = dt[cells] if getattr(dt, "ndim", 0) == 2 else dt
            inputs = checker.from_abundances(physical[cells], _start(abundances, cells), part)
            append(path, first, _predicted(predictor, kept, *inputs))
            bar.update(cells.stop - first)
    return RolloutFile.open(path)


def cells_per_batch(components: Components, n_rows: int, kept: Kept) -> int:
    """Return how many cells of so many rows are predicted together, by the memory that is free."""
    data = components.data
    # parameters and time steps, as they come and checked; latents; abundances, before and after conservation
    forcing = 2 * 8 * n_rows * (data.n_physical + 1)
    states = 4 * len(kept.rows) * (components.latent_dim + len(data.elements) * 2)
    decoded = 4 * len(kept.rows) * (3 * data.n_species if kept.conserve else len(kept.columns))
    budget = min(_MOST_BYTES, _SHARE_OF_MEMORY * free_memory(components.device))
    cells = max(1, int(budget // (forcing + states + decoded)))
    return cells // _CELLS * _CELLS or cells


def _predicted(
    predictor: ConservingPredictor[Components],
    kept: Kept,
    start: input_checks.Array,
    forcing: input_checks.Array,
    steps: input_checks.Array,
) -> NDArray[np.float32]:
    columns, components = list(kept.columns), predictor.inner
    with torch.inference_mode():
        start_BS, physical_BTP, dt_BN = (
            torch.tensor(values, device=components.device) for values in (start, forcing, steps)
        )
        rows = torch.from_numpy(kept.rows)
        if kept.conserve:
            abundance = Rollout(predictor)(start_BS, physical_BTP, dt_BN, rows)[..., columns]
        else:
            states = rollout_states(components, components.start(start_BS), physical_BTP, dt_BN, rows)
            abundance = components.decoder_of(columns)(states["latent"])
            abundance[:, 0] = start_BS[:, columns]
        found: NDArray[np.float32] = abundance.cpu().numpy()
        return found


def weights_digest(parts: Parts) -> str:
    """Return a digest of all weights, which tells a network from another one of the same name."""
    digest = hashlib.blake2b(digest_size=16)
    for role, network in sorted(parts.named.items()):
        for name, tensor in sorted(network.state_dict().items()):
            digest.update(f"{role}.{name}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _start(abundances: Any, cells: slice) -> Any:
    """Return the abundances of some cells, `(B, S)`; those of one row are for all."""
    if getattr(abundances, "ndim", 2) == 1:
        return np.broadcast_to(input_checks.as_array(abundances), (cells.stop - cells.start, len(abundances)))
    if isinstance(abundances, Mapping):
        return {name: values[cells] for name, values in abundances.items()}
    return abundances[cells]
