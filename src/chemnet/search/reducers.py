"""From latents to two or three dimensions: fit on a seeded sample, then place every state.

A reducer is registered in `chemnet.registry.REDUCERS`. All states end up in one embedding: none is fitted
per batch.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from chemnet.errors import ConfigError, DataError
from chemnet.extras import require
from chemnet.registry import REDUCERS

_PLACING_NEIGHBOURS = 5
_COINCIDENT = 1e-9  # distances below this, in latent units, count as none
# largest sample whose neighbours are all found exactly; beyond it UMAP's own approximate search is faster
_EXACT_NEIGHBOURS = 8192
# keywords of UMAP by which others than the nearest in the latent space become neighbours
_OTHER_NEIGHBOURS = {"metric", "metric_kwds", "precomputed_knn", "unique"}


def sample_rows(n: int, size: int, seed: int) -> np.ndarray:
    """Return all of n rows, or a sorted, seeded sample of `size` without repeats."""
    if n <= size:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size, replace=False))


class Reducer(ABC):
    """A map from latents to a few components.

    Parameters
    ----------
    n_components
        Dimensions of the embedding, 2 or 3.
    seed
        Seed of every random choice of the method.
    parallel
        Use all cores, where the method then gives up its seed.
    options
        Further keyword arguments of the method's own class; they win.
    """

    #: fewest states that the method can be fitted on
    fewest: ClassVar[int] = 4

    def __init__(self, n_components: int, seed: int, parallel: bool, options: Mapping[str, Any]) -> None:
        if n_components not in (2, 3):
            raise ConfigError(
                f"umap.n_components = {n_components}; allowed: 2 or 3", hint="set umap.n_components = 2"
            )
        self.n_components = n_components
        self.seed = seed
        self.parallel = parallel
        self.options = dict(options)

    def fit(self, sample: np.ndarray) -> np.ndarray:
        """Fit the map on a sample of latents ``(n, L)`` and return their embedding ``(n, n_components)``.

        Raises
        ------
        DataError
            When there are too few states or they are not finite.
        ConfigError
            When ``umap.kwargs`` holds what the method does not take.
        """
        if len(sample) < self.fewest:
            raise DataError(
                f"{len(sample)} states are too few for {type(self).__name__}; it needs {self.fewest}",
                hint="infer more states, or set umap.reducer to 'pca'",
            )
        if not np.isfinite(sample).all():
            row, column = np.argwhere(~np.isfinite(sample))[0]
            raise DataError(
                f"latent {column} of sampled state {row} is not finite", hint="train and infer again"
            )
        try:
            with _threads_of_torch_kept():
                return np.asarray(self._fit(sample), dtype=np.float32)
        except TypeError as error:
            raise ConfigError(
                f"umap.kwargs = {self.options} does not fit the reducer: {error}",
                hint="see the documentation of the reducer's own class",
            ) from error

    @property
    def explained_variance(self) -> list[float]:
        """Share of the fitted states' variance along each component; empty where that means nothing."""
        return []

    @abstractmethod
    def _fit(self, sample: np.ndarray) -> np.ndarray:
        """Fit the map and return the sample's embedding."""

    @abstractmethod
    def transform(self, latents: np.ndarray) -> np.ndarray:
        """Place further latents ``(n, L)`` in the embedding, ``(n, n_components)``."""


@contextmanager
def _threads_of_torch_kept() -> Iterator[None]:
    """Give torch its number of threads back: Numba sets OpenMP's for both, and networks would crawl."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@REDUCERS.register(name="pca")
class PCAReducer(Reducer):
    """Principal components: linear and quick, the baseline of every other map."""

    fewest = 3

    def _fit(self, sample: np.ndarray) -> np.ndarray:
        require("sklearn", "umap.reducer = 'pca'")
        from sklearn.decomposition import PCA

        settings = {"n_components": self.n_components, "random_state": self.seed} | self.options
        self._model = PCA(**settings)
        return self._model.fit_transform(sample)

    @property
    def explained_variance(self) -> list[float]:
        """Share of the fitted states' variance along each component."""
        return [round(float(share), 4) for share in self._model.explained_variance_ratio_]

    def transform(self, latents: np.ndarray) -> np.ndarray:
        """Project latents onto the components."""
        return self._model.transform(latents)


class LayoutReducer(Reducer):
    """A method that embeds a sample but has no quick map for further states.

    Each further state is placed at the mean of its nearest fitted states, weighted by inverse distance. UMAP
    places new states in the same way before it moves them by gradient descent; without the descent placing is
    thousands of times faster, and a state's place does not depend on the batch that it came in. t-SNE has no
    map of its own at all.
    """

    def _fit(self, sample: np.ndarray) -> np.ndarray:
        from scipy.spatial import KDTree

        self._tree = KDTree(sample)
        self._placed = self._lay_out(sample)
        return self._placed

    @abstractmethod
    def _lay_out(self, sample: np.ndarray) -> np.ndarray:
        """Return the sample's embedding."""

    def transform(self, latents: np.ndarray) -> np.ndarray:
        """Place latents between their nearest fitted states; fitted states stay where they are."""
        distances, rows = self._tree.query(latents, k=min(_PLACING_NEIGHBOURS, len(self._placed)))
        weights = 1.0 / np.maximum(distances, _COINCIDENT)
        weights /= weights.sum(axis=1, keepdims=True)
        return np.einsum("nk,nkc->nc", weights, self._placed[rows])


@REDUCERS.register(name="umap")
class UMAPReducer(LayoutReducer):
    """UMAP (McInnes, Healy & Melville 2018): neighbours stay neighbours."""

    fewest = 8

    def _lay_out(self, sample: np.ndarray) -> np.ndarray:
        # UMAP runs on one core when seeded; said here, so that it need not warn
        cores: dict[str, int | None] = (
            {"random_state": None, "n_jobs": -1}
            if self.parallel
            else {"random_state": self.seed, "n_jobs": 1}
        )
        neighbours = min(15, len(sample) - 1)
        settings = {"n_components": self.n_components, "n_neighbors": neighbours, **cores, **self.options}
        return self._fitted(np.ascontiguousarray(sample), settings).embedding_

    def _fitted(self, sample: np.ndarray, settings: dict[str, Any]) -> Any:
        """Return UMAP fitted on a sample.

        Of fewer than 4096 states UMAP would measure every distance by a call from Python, which takes longer
        than all the rest; our own tree knows the same neighbours.
        """
        if len(sample) > _EXACT_NEIGHBOURS or _OTHER_NEIGHBOURS & set(settings):
            return _umap_class()(**settings).fit(sample)
        distances, rows = self._tree.query(sample, k=settings["n_neighbors"])
        known = {
            "precomputed_knn": (rows, distances.astype(np.float32)),
            "force_approximation_algorithm": True,
        }
        with warnings.catch_warnings():
            # further states are placed without UMAP
            warnings.filterwarnings("ignore", message="precomputed_knn.2. .knn_search_index.")
            return _umap_class()(**(known | settings)).fit(sample)


def _umap_class() -> Any:
    """Import UMAP without its warning that TensorFlow, which only its parametric form needs, is missing."""
    require("umap", "umap.reducer = 'umap'")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Tensorflow not installed", category=ImportWarning)
        from umap import UMAP
    return UMAP


@REDUCERS.register(name="tsne")
class TSNEReducer(LayoutReducer):
    """t-SNE (van der Maaten & Hinton 2008)."""

    def _lay_out(self, sample: np.ndarray) -> np.ndarray:
        require("sklearn", "umap.reducer = 'tsne'")
        from sklearn.manifold import TSNE

        settings = {
            "n_components": self.n_components,
            "random_state": self.seed,
            "perplexity": min(30.0, (len(sample) - 1) / 3),
            "n_jobs": -1 if self.parallel else 1,
        }
        return TSNE(**(settings | self.options)).fit_transform(sample)
