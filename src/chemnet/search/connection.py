"""One opened database: the vector database, the side table beside it and the choice between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import numpy as np

from chemnet.config import ConfigDict
from chemnet.data.infer_result.inference_dataset import State
from chemnet.errors import ChemNetError
from chemnet.plugins import named_by_result
from chemnet.registry import VECTOR_DBS
from chemnet.results import ResultDirectory
from chemnet.results.layout import RESULT_FILE
from chemnet.search.known_states import KnownStates
from chemnet.search.nearest_states import nearest_rows
from chemnet.search.outliers import outlier_rows
from chemnet.search.vector_database import VectorDatabase

#: up to this many states `search = "auto"` measures the distance to each of them
EXACT_LIMIT = 1_000_000


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A known state and its Euclidean distance to the query, in latent units."""

    state: State
    distance: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; time in yr, physical parameters in raw units."""
        state = self.state
        return {
            "id": state.id,
            "tracer": state.tracer,
            "step": state.step,
            "time": state.time,
            "physical": dict(state.physical),
            "distance": self.distance,
        }


class DatabaseConnection:
    """Search the states of a `save_to_database` result.

    Opening it maps files and reads nothing; the vector database itself is opened by the first search that
    needs it.

    Parameters
    ----------
    directory
        The `save_to_database` result.
    config
        The merged configuration: ``[lookup]`` k and search, ``[vector_db]``.

    Examples
    --------
    >>> connection = ChemNet().database_connection()  # doctest: +SKIP
    >>> [near.state.id for near in connection.search_by_id("tracer_3-17", k=5)]  # doctest: +SKIP
    """

    def __init__(self, directory: ResultDirectory, config: ConfigDict) -> None:
        self.directory = directory
        self.config = config
        self.states = KnownStates(directory)
        search = config["lookup"]["search"]
        self.exact = search == "exact" or (search == "auto" and len(self.states) <= EXACT_LIMIT)

    @cached_property
    def database(self) -> VectorDatabase:
        """The vector database, opened when first asked for."""
        where = f"{self.directory.path / RESULT_FILE}: summary.database"
        database_class = VECTOR_DBS.get(named_by_result(self.directory.summary["database"], where))
        return database_class(self.config, self.directory.path).connect()

    def __len__(self) -> int:
        return len(self.states)

    def __repr__(self) -> str:
        how = "exact search" if self.exact else f"{self.directory.summary['database']} search"
        dim = self.states.latent_dim
        return f"DatabaseConnection({len(self):,} states x {dim} latents, {how}, {self.directory.name})"

    def get_by_id(self, sample_id: str) -> State:
        """Return one known state; NotFoundError with the nearest ids when there is none."""
        return self.states.get_by_id(sample_id)

    def search_by_id(self, sample_id: str, k: int | None = None) -> list[Neighbour]:
        """Return the `k` known states nearest to one of them: itself first, at distance 0, as with a vector.

        Raises
        ------
        NotFoundError
            When there is no such state; the hint names the nearest ids.
        """
        state = self.get_by_id(sample_id)
        near = self.search_by_vector(state.vector, k)
        # an identical state may come first, and a graph search may miss any
        others = [neighbour for neighbour in near if neighbour.state.index != state.index]
        return [Neighbour(state, 0.0), *others][: self._count(k)]

    def search_by_vector(self, vector: np.ndarray, k: int | None = None) -> list[Neighbour]:
        """Return the `k` known states nearest to a latent ``(latent_dim,)``.

        Raises
        ------
        ChemNetError
            When the vector has another length or is not finite.
        """
        k = self._count(k)
        vector = self._checked(vector)
        if self.exact:
            return self._neighbours(*nearest_rows(self.states.vectors, vector, k))
        matches = self.database.search_by_vector(vector, k)
        rows = [self.states.position(name) for name in matches.ids]
        return self._neighbours(rows, matches.distances)

    def outliers(self, count: int, k: int | None = None) -> list[Neighbour]:
        """Return the `count` states with the farthest k-th neighbour; `distance` is the distance to it."""
        if count < 1:
            raise ChemNetError(
                f"the number of outliers must be at least 1, not {count}", hint="give --outliers 5"
            )
        return self._neighbours(*outlier_rows(self.states.vectors, count, self._count(k)))

    def _neighbours(self, rows: Iterable[int], distances: Iterable[float]) -> list[Neighbour]:
        pairs = zip(rows, distances, strict=True)
        return [Neighbour(self.states[int(row)], float(distance)) for row, distance in pairs]

    def _count(self, k: int | None) -> int:
        k = self.config["lookup"]["k"] if k is None else k
        if k < 1:
            raise ChemNetError(f"k must be at least 1, not {k}", hint="set lookup.k")
        return k

    def _checked(self, vector: np.ndarray) -> np.ndarray:
        vector = np.asarray(vector, dtype=np.float32)
        if vector.shape != (self.states.latent_dim,):
            raise ChemNetError(
                f"a vector of shape {vector.shape} cannot be compared with latents of length "
                f"{self.states.latent_dim}",
                hint="a query has as many numbers as the model has latents",
            )
        if not np.isfinite(vector).all():
            place = int(np.flatnonzero(~np.isfinite(vector))[0])
            raise ChemNetError(
                f"number {place + 1} of the query vector is {vector[place]}, not finite",
                hint="give finite numbers, such as those of a known state",
            )
        return vector

    def close(self) -> None:
        """Close the vector database, if it was opened."""
        if "database" in self.__dict__:
            self.database.close()
            del self.__dict__["database"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
