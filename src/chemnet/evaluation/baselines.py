"""Baselines that need hardly any training: PCA, persistence, the nearest known state."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from chemnet.data.histories import Histories, HistorySource
from chemnet.data.preprocessed import PreprocessedData
from chemnet.data.scaling import AbundanceScaling

Array = NDArray[np.float64]

# rows of a split that are in memory at a time
_ROWS = 8192
# numbers in one block of distances: a few MB
_DISTANCES = 2_000_000


class PrincipalComponents:
    """Linear compression of scaled abundances, fitted on a training split.

    Parameters
    ----------
    mean, components
        Of the scaled abundances, `(S,)` and `(L, S)` with orthonormal rows.
    scaling
        How abundances are scaled.
    """

    def __init__(self, mean: Array, components: Array, scaling: AbundanceScaling) -> None:
        self.mean, self.components, self.scaling = mean, components, scaling

    @classmethod
    def fit(
        cls, data: PreprocessedData, columns: NDArray[np.int64], n_components: int
    ) -> PrincipalComponents:
        """Return the leading components of some columns of the training split."""
        total, product, rows = np.zeros(len(columns)), np.zeros((len(columns), len(columns))), 0
        for block in _training_rows(data, columns):
            total, product, rows = total + block.sum(axis=0), product + block.T @ block, rows + len(block)
        mean = total / rows
        covariance = product / rows - np.outer(mean, mean)
        # eigenvalues ascend
        vectors = np.linalg.eigh(covariance)[1][:, ::-1]
        return cls(mean, vectors[:, :n_components].T.copy(), data.abundance_scaling)

    def encode(self, abundance: Array) -> Array:
        """Return components `(..., L)` of abundances `(..., S)`."""
        return (self.scaling.scale(abundance) - self.mean) @ self.components.T

    def reconstruct(self, abundance: Array) -> Array:
        """Return abundances `(..., S)` as the components know them."""
        scaled = self.encode(abundance) @ self.components + self.mean
        return self.scaling.unscale(np.clip(scaled, 0.0, 1.0))


def persistence(histories: Histories) -> Array:
    """Return `(B, T, S)` in which nothing ever changes."""
    return np.broadcast_to(histories.abundance[:, :1], histories.abundance.shape)


def one_step_persistence(histories: Histories) -> Array:
    """Return `(B, T, S)`: each row is the true row before."""
    return np.concatenate([histories.abundance[:, :1], histories.abundance[:, :-1]], axis=1)


class NearestNeighbour:
    """Answer with the training state whose parameters, age and initial state are nearest.

    Parameters
    ----------
    data
        A preprocess result; some rows of its training split are what it knows.
    source
        Says which columns are wanted.
    components
        Compresses initial states.
    rows
        Training rows to know, drawn with `seed`.
    seed
        For the draw.
    """

    def __init__(
        self,
        data: PreprocessedData,
        source: HistorySource,
        components: PrincipalComponents,
        rows: int,
        seed: int,
    ) -> None:
        train = data.split("train")
        self._components, self._scaling = components, source.physical_scaling
        chosen = np.arange(train.n_rows)
        if train.n_rows > rows:
            chosen = np.sort(np.random.default_rng(seed).choice(train.n_rows, rows, replace=False))
        first = train.offsets[:-1][train.tracer_of_row[chosen]]
        self._longest = max(float(train.time.max()), 1.0)
        initial = components.encode(train.raw_abundance(first)[:, source.species])
        # every initial component counts as much as its spread, every parameter as much as its range
        self._spread = initial.std(axis=0) + 1e-3
        physical = train.raw_physical(np.maximum(chosen - 1, first))[:, source.physical]
        self._known = torch.from_numpy(self._features(physical, train.time[chosen], initial))
        self._answers = train.raw_abundance(chosen)[:, source.species]

    def __call__(self, histories: Histories) -> Array:
        """Return `(B, T, S)`; row 0 is the input."""
        n_cells, n_steps, n_species = histories.abundance.shape
        initial = np.repeat(self._components.encode(histories.abundance[:, 0]), n_steps, axis=0)
        # a row is known by the parameters that drove it there, those of the row before
        driving = np.concatenate([histories.physical[:, :1], histories.physical[:, :-1]], axis=1)
        physical = driving.reshape(n_cells * n_steps, -1)
        asked = torch.from_numpy(self._features(physical, histories.time.ravel(), initial))
        size = max(1, _DISTANCES // len(self._known))
        nearest = torch.cat([torch.cdist(part, self._known).argmin(dim=1) for part in asked.split(size)])
        predicted = self._answers[nearest.numpy()].reshape(n_cells, n_steps, n_species)
        predicted[:, 0] = histories.abundance[:, 0]
        return predicted

    def _features(self, physical: Array, time: Array, initial: Array) -> Array:
        """Return what nearness is measured in, `(rows, P + 1 + L)`."""
        age = np.log1p(time / self._longest * 100.0) / np.log1p(100.0)
        scaled = self._scaling.scale(physical)
        weight = 1.0 / np.sqrt(initial.shape[1])
        parts = [scaled, age[:, None], weight * initial / self._spread]
        return np.concatenate(parts, axis=1)


def _training_rows(data: PreprocessedData, columns: NDArray[np.int64]) -> Iterator[Array]:
    train = data.split("train")
    for start in range(0, train.n_rows, _ROWS):
        yield train.read("abundance", slice(start, start + _ROWS))[:, columns].astype(np.float64)
