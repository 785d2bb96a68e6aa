"""Iterates of the rows of a data set, each computed once: they depend on the row alone."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.models.emulators.implicit.network_step import Iterates

Compute = Callable[[Tensor, Tensor, Tensor], Iterates]
_ROWS_PER_BLOCK = 16384


class IterateMemory:
    """Keeps iterates by the content of the rows that they belong to, in files that vanish with it.

    Parameters
    ----------
    compute
        Returns the iterates of scaled abundances `(B, S)`, parameters `(B, P)` and time steps `(B,)` [yr].
    """

    def __init__(self, compute: Compute) -> None:
        self._compute = compute
        self._place: dict[bytes, int] = {}
        self._blocks: list[NDArray[np.float32]] = []

    def __len__(self) -> int:
        """Return how many rows are known."""
        return len(self._place)

    def __call__(self, before: Tensor, physical: Tensor, dt: Tensor) -> Iterates:
        """Return the iterates of some rows; those that are new are computed."""
        rows = torch.cat([before, physical, dt[:, None]], dim=1).detach().float().cpu().contiguous().numpy()
        keys = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
        new = {key: i for i, key in enumerate(keys) if key not in self._place}
        if new:
            chosen = torch.tensor(list(new.values()), device=before.device)
            self._keep(list(new), self._compute(before[chosen], physical[chosen], dt[chosen]))
        known = torch.from_numpy(np.stack([self._row(self._place[key]) for key in keys])).to(before.device)
        return Iterates(known[:, :-2], known[:, -2], known[:, -1])

    def _keep(self, keys: list[bytes], iterates: Iterates) -> None:
        """Store iterates behind those that are known."""
        columns = (iterates.abundance, iterates.update[:, None], iterates.iterations[:, None])
        for key, row in zip(keys, torch.cat(columns, dim=1).cpu().numpy(), strict=True):
            place = len(self._place)
            if place == len(self._blocks) * _ROWS_PER_BLOCK:
                with tempfile.TemporaryFile() as file:
                    self._blocks.append(np.memmap(file, np.float32, "w+", shape=(_ROWS_PER_BLOCK, len(row))))
            self._row(place)[:] = row
            self._place[key] = place

    def _row(self, place: int) -> NDArray[np.float32]:
        row: NDArray[np.float32] = self._blocks[place // _ROWS_PER_BLOCK][place % _ROWS_PER_BLOCK]
        return row
