"""Rollouts of more cells than fit into memory: a batch at a time, each written before the next one.

Shapes: B cells, T rows of a history, R kept rows, S species, P physical parameters, L latents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from chemnet.errors import DataError, suggest
from chemnet.progress import progress
from chemnet.surrogate import input_checks
from chemnet.surrogate.bulk.rollout_file import RolloutFile, RolloutWriter, begin
from chemnet.surrogate.carrying import carry
from chemnet.surrogate.rollout import Rollout
from chemnet.training.parallel.devices import free_memory

if TYPE_CHECKING:
    from chemnet.surrogate.surrogate import Surrogate

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
    """

    rows: NDArray[np.int64]
    columns: tuple[int, ...]
    conserve: bool


@dataclass(frozen=True)
class Request:
    """What the caller of a streamed rollout asks for.

    Attributes
    ----------
    every
        Every so manieth row is kept.
    species
        Names of the kept species; None: all.
    conserve
        Whether the element totals are kept.
    """

    every: int
    species: Sequence[str] | None
    conserve: bool


def stream(
    surrogate: Surrogate, physical: Any, abundances: Any, dt: Any, path: Path, asked: Request
) -> RolloutFile:
    """Predict cells a batch at a time into a file, going on where it ends; see `Surrogate.rollout`."""
    kept = _kept(surrogate, physical, asked)
    n_cells, n_rows = physical.shape[:2]
    names = [surrogate.species[column] for column in kept.columns]
    done = begin(path, n_cells, kept.rows.tolist(), names, _identity(surrogate, physical, dt, asked))
    size = cells_per_batch(surrogate, n_rows, kept)
    bar = progress(total=n_cells, desc="rollout", unit="cell")
    with RolloutWriter(path) as writer, bar:
        bar.update(done)
        for first in range(done, n_cells, size):
            cells = slice(first, min(first + size, n_cells))
            part = dt[cells] if getattr(dt, "ndim", 0) else dt
            inputs = surrogate.checked_inputs(physical[cells], _start(abundances, cells), part)
            writer.write(first, _predicted(surrogate, kept, *inputs))
            bar.update(cells.stop - first)
    return RolloutFile.open(path)


def cells_per_batch(surrogate: Surrogate, n_rows: int, kept: Kept) -> int:
    """Return how many cells of so many rows are predicted together, by what is free of the memory."""
    data = surrogate.data
    # parameters and time steps, as they come and checked; latents; abundances, before and after conservation
    driving = 2 * 8 * n_rows * (data.n_physical + 1)
    states = 4 * len(kept.rows) * (surrogate.latent_dim + len(data.elements) * 2)
    decoded = 4 * len(kept.rows) * (3 * data.n_species if kept.conserve else len(kept.columns))
    budget = min(_MOST_BYTES, _SHARE_OF_MEMORY * free_memory(surrogate.device))
    cells = max(1, int(budget // (driving + states + decoded)))
    return cells // _CELLS * _CELLS or cells


def _predicted(
    surrogate: Surrogate,
    kept: Kept,
    start: input_checks.Array,
    driving: input_checks.Array,
    steps: input_checks.Array,
) -> NDArray[np.float32]:
    """Return abundances `(B, R, kept species)` of a batch."""
    columns = list(kept.columns)
    with torch.inference_mode():
        tensors = [torch.tensor(values, device=surrogate.device) for values in (start, driving, steps)]
        rows = torch.from_numpy(kept.rows)
        if kept.conserve:
            abundance = Rollout(surrogate.predictor)(*tensors, rows=rows)
            return abundance[..., columns].cpu().numpy()
        components = surrogate.components
        state = components.start(tensors[0])
        latent = carry(components, state, tensors[1], tensors[2], rows)["latent"]
        abundance = components.decoder_of(columns)(latent)
        abundance[:, 0] = tensors[0][:, columns]
        return abundance.cpu().numpy()


def _kept(surrogate: Surrogate, physical: Any, asked: Request) -> Kept:
    """Return rows and columns that are kept, and refuse what makes no sense."""
    shape = tuple(getattr(physical, "shape", ()))
    if len(shape) != 3 or shape[2] != len(surrogate.physical_names) or not shape[1]:
        raise DataError(
            f"physical has the shape {shape}; needed is (cells, steps, {len(surrogate.physical_names)})",
            hint="give an array, a dataset of an HDF5 file, or numpy.load(file, mmap_mode='r')",
        )
    if not isinstance(asked.every, int) or asked.every < 1:
        raise DataError(f"every = {asked.every!r}", hint="every is a whole number of rows, 1 or more")
    return Kept(np.arange(0, shape[1], asked.every), _columns(surrogate, asked.species), asked.conserve)


def _identity(surrogate: Surrogate, physical: Any, dt: Any, asked: Request) -> dict[str, Any]:
    """Return what distinguishes one request from another, as plain values."""
    return {
        "surrogate": surrogate.name,
        "weights": weights_digest(surrogate),
        "shape": list(physical.shape),
        "dt": float(dt) if np.isscalar(dt) else "array" if dt is not None else None,
        "every": asked.every,
        "species": None if asked.species is None else list(asked.species),
        "conserve": asked.conserve,
    }


def weights_digest(surrogate: Surrogate) -> str:
    """Return a digest of all weights: a file is not gone on with by another network of the same name."""
    digest = hashlib.blake2b(digest_size=16)
    for role, network in sorted(surrogate.parts.named.items()):
        for name, tensor in sorted(network.state_dict().items()):
            digest.update(f"{role}.{name}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _columns(surrogate: Surrogate, species: Sequence[str] | None) -> tuple[int, ...]:
    """Return the places of species by their names."""
    if species is None:
        return tuple(range(len(surrogate.species)))
    for name in species:
        if name not in surrogate.species:
            raise DataError(
                f"species = {list(species)!r}: no species is called {name!r}",
                hint=suggest(str(name), surrogate.species),
            )
    return tuple(surrogate.species.index(name) for name in species)


def _start(abundances: Any, cells: slice) -> Any:
    """Return the abundances of some cells, `(B, S)`; those of one row are for all."""
    if getattr(abundances, "ndim", 2) == 1:
        return np.broadcast_to(input_checks.as_array(abundances), (cells.stop - cells.start, len(abundances)))
    if isinstance(abundances, Mapping):
        return {name: values[cells] for name, values in abundances.items()}
    return abundances[cells]
