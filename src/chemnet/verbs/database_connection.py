"""`chemnet database_connection`: open a database of known states, for searching from Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from chemnet.config import ConfigDict
from chemnet.registry import chem_verb
from chemnet.results import Answer, resolve_input
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    from chemnet.search.connection import DatabaseConnection


def open_database(config: ConfigDict) -> DatabaseConnection:
    """Open the database that ``lookup.database_dir`` names.

    Raises
    ------
    ResultsError
        When there is none; the hint names the verb to run first.
    """
    from chemnet.search.connection import DatabaseConnection

    return DatabaseConnection(resolve_input(config, "lookup.database_dir", "save_to_database"), config)


@chem_verb
class OpenDatabase(Verb["DatabaseConnection"]):
    """Open a database of known states."""

    cli_name = "database_connection"
    description = "open the database of known states: search_by_id, search_by_vector, get_by_id"
    inputs: ClassVar = {"lookup.database_dir": "save_to_database"}
    tables = ("lookup", "vector_db")

    def run(self, database_dir: str | Path | None = None) -> DatabaseConnection:
        """Return the opened database, a `chemnet.search.connection.DatabaseConnection`.

        Parameters
        ----------
        database_dir
            The `save_to_database` result; wins over ``lookup.database_dir``.
        """
        return open_database(self.with_arguments("lookup", {"database_dir": database_dir}))

    def run_cli(self, args: Any) -> Answer:
        """Print what the database holds; the connection itself is of use in Python only."""
        connection = self.run()
        states = connection.states
        content = {
            "database": str(connection.directory.path),
            "states": len(states),
            "latent_dim": states.latent_dim,
            "tracers": len(states.tracer_ids),
            "physical_names": list(states.physical_names),
        }
        return Answer(
            content, f"{connection!r}\nsearch it with `chemnet lookup`, or ChemNet().database_connection()"
        )
