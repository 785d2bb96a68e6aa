"""The contract of a vector database: what `save_to_database` fills and `lookup` asks.

A database is registered in `chemnet.registry.VECTOR_DBS`. It stores ids and vectors only; what else is known
of a state is in the side table (`chemnet.search.connection`). Distances are Euclidean, in latent units.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from chemnet.config import ConfigDict


@dataclass(frozen=True, eq=False)
class Matches:
    """The nearest stored vectors, nearest first.

    Attributes
    ----------
    ids
        Their sample ids, k of them.
    distances
        Euclidean distances to the query, ``(k,)``.
    """

    ids: tuple[str, ...]
    distances: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


class VectorDatabase(ABC):
    """Ids and vectors, searchable by nearness.

    Parameters
    ----------
    config
        The merged configuration; a database reads its own table below ``[vector_db]``.
    path
        The `save_to_database` result, where an embedded database keeps its files.
    """

    #: subfolder of the result whose files change in normal use
    living_folder = "database"

    def __init__(self, config: ConfigDict, path: Path) -> None:
        self.config = config
        self.path = Path(path)

    @property
    @abstractmethod
    def batch_size(self) -> int:
        """Rows that one `insert` takes at most."""

    @abstractmethod
    def create(self, latent_dim: int) -> Self:
        """Make an empty collection for vectors of length `latent_dim`."""

    @abstractmethod
    def connect(self) -> Self:
        """Open the collection that `create` and `insert` left; ResultsError when it is not there."""

    @abstractmethod
    def insert(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Add vectors ``(n, latent_dim)`` float32 under unique ids."""

    @abstractmethod
    def search_by_vector(self, vector: np.ndarray, k: int) -> Matches:
        """Return the `k` nearest to `vector`, ``(latent_dim,)``; fewer when fewer are stored."""

    @abstractmethod
    def get_by_id(self, sample_id: str) -> np.ndarray:
        """Return the stored vector, ``(latent_dim,)`` float32; NotFoundError when there is none."""

    def search_by_id(self, sample_id: str, k: int) -> Matches:
        """Return the `k` nearest to a stored state, itself among them."""
        return self.search_by_vector(self.get_by_id(sample_id), k)

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of stored vectors."""

    @abstractmethod
    def close(self) -> None:
        """Close files and connections, so that the result directory can be moved."""
