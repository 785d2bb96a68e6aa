"""`chemnet lookup`: the known states nearest to a given one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from chemnet.errors import ChemNetError, ResultsError
from chemnet.progress import get_logger
from chemnet.registry import chem_verb
from chemnet.verbs.database_connection import open_database
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    import numpy as np

    from chemnet.search.answer import LookupAnswer
    from chemnet.search.connection import DatabaseConnection, Neighbour
    from chemnet.search.differences import Difference

_QUERIES = ("id", "vector", "abundances", "outliers")
_log = get_logger(__name__)


@chem_verb
class Lookup(Verb["LookupAnswer"]):
    """Find the known states nearest to a given one, or the outliers among them."""

    cli_name = "lookup"
    description = "find the known states nearest to a given one"
    inputs: ClassVar = {"lookup.database_dir": "save_to_database"}
    examples = (
        "chemnet lookup --id tracer_3-17",
        'chemnet lookup --vector="0.1,0.7,0.2" lookup.k=10',
        "chemnet lookup --abundances cell.json",
        "chemnet lookup --outliers 5 --json",
    )

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Add the four kinds of query, of which one must be given."""
        parser.add_argument("--id", metavar="ID", help="a known state: '<tracer>-<step>'")
        parser.add_argument(
            "--vector", metavar="NUMBERS", help="a latent: numbers with commas, or a file of them"
        )
        parser.add_argument(
            "--abundances", metavar="FILE", help="abundances by species name: JSON, CSV or npy"
        )
        parser.add_argument(
            "--outliers", metavar="N", type=int, help="the N known states that are farthest from all others"
        )
        parser.add_argument("--k", metavar="K", type=int, help="neighbours to show; wins over lookup.k")

    def run(
        self,
        id: str | None = None,
        vector: str | Path | Sequence[float] | np.ndarray | None = None,
        abundances: str | Path | Mapping[str, float] | np.ndarray | None = None,
        outliers: int | None = None,
        k: int | None = None,
        database_dir: str | Path | None = None,
    ) -> LookupAnswer:
        """Answer exactly one query.

        Parameters
        ----------
        id
            Sample id of a known state.
        vector
            A latent: numbers, text such as ``"0.1,0.2"``, or the path of an ``.npy``, ``.csv`` or ``.txt``
            file.
        abundances
            Abundances relative to H nuclei by species name (a mapping or the path of a JSON, CSV or ``.npy``
            file), or an array in the order of the model's species; they are encoded by the autoencoder that
            made the database. Species that are not given are encoded as 0 and left out of the comparison.
        outliers
            Number of outliers: those states whose k-th nearest neighbour is farthest away.
        k
            Number of neighbours; wins over ``lookup.k``.
        database_dir
            The `save_to_database` result; wins over ``lookup.database_dir``.

        Raises
        ------
        ChemNetError
            When not exactly one query is given.
        NotFoundError
            When there is no state with that id; the hint names the nearest ids.
        """
        given = dict(zip(_QUERIES, (id, vector, abundances, outliers), strict=True))
        kinds = [name for name, value in given.items() if value is not None]
        if len(kinds) != 1:
            raise ChemNetError(
                f"lookup answers one query at a time; given: {', '.join(kinds) or 'none'}",
                hint="give exactly one of --id, --vector, --abundances, --outliers",
            )
        answers: dict[str, Callable[..., LookupAnswer]] = {
            "id": self._by_id,
            "vector": self._by_vector,
            "abundances": self._by_abundances,
            "outliers": self._by_outliers,
        }
        config = self.with_arguments("lookup", {"database_dir": database_dir, "k": k})
        with open_database(config) as connection:
            return answers[kinds[0]](connection, given[kinds[0]])

    def _by_id(self, connection: DatabaseConnection, sample_id: str) -> LookupAnswer:
        near = connection.search_by_id(sample_id)
        query = {"kind": "id", "id": sample_id}
        truth = _truth(connection, [neighbour.state.index for neighbour in near])
        reference = None if truth is None else truth[0]
        return self._answer(connection, f"nearest to {sample_id}", query, near, reference, truth)

    def _by_vector(self, connection: DatabaseConnection, vector: Any) -> LookupAnswer:
        """Find the states nearest to a latent; what it means chemically is decoded."""
        from chemnet.search.encoder import StateEncoder
        from chemnet.search.queries import read_vector

        latent = read_vector(vector)
        near = connection.search_by_vector(latent)
        query = {"kind": "vector", "vector": latent.tolist()}
        truth = _truth(connection, [neighbour.state.index for neighbour in near])
        reference = None if truth is None else StateEncoder(connection.directory).decode(latent)
        return self._answer(connection, "nearest to the given latent", query, near, reference, truth)

    def _by_abundances(self, connection: DatabaseConnection, abundances: Any) -> LookupAnswer:
        import numpy as np

        from chemnet.search.encoder import StateEncoder
        from chemnet.search.queries import read_abundances

        values = read_abundances(abundances, connection.states.species)
        latent = StateEncoder(connection.directory).encode(np.nan_to_num(values, nan=0.0))
        near = connection.search_by_vector(latent)
        query = {"kind": "abundances", "vector": latent.tolist()}
        truth = _truth(connection, [neighbour.state.index for neighbour in near])
        return self._answer(connection, "nearest to the given abundances", query, near, values, truth)

    def _by_outliers(self, connection: DatabaseConnection, count: int) -> LookupAnswer:
        near = connection.outliers(count)
        query = {"kind": "outliers", "count": count}
        return self._answer(connection, f"{len(near)} farthest from all others", query, near, None, None)

    def _answer(
        self,
        connection: DatabaseConnection,
        title: str,
        query: dict[str, Any],
        near: list[Neighbour],
        reference: np.ndarray | None,
        truth: np.ndarray | None,
    ) -> LookupAnswer:
        """Compare the states found with the query, species by species, and lay the answer out."""
        from chemnet.search.answer import LookupAnswer
        from chemnet.search.differences import largest_differences

        differences: list[list[Difference]] = [[] for _ in near]
        if reference is not None and truth is not None:
            count = self.config["lookup"]["n_species"]
            differences = largest_differences(reference, truth, connection.states.species, count)
        return LookupAnswer(title, query, near, differences, connection)


def _truth(connection: DatabaseConnection, rows: list[int]) -> np.ndarray | None:
    """Return the true abundances of some known states, or None (with a warning) when they are gone."""
    try:
        return connection.states.truth(rows)
    except ResultsError as error:
        _log.warning(
            "abundances of the known states cannot be read, species are not compared: %s", error.message
        )
        return None
