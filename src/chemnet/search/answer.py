"""What a lookup answers: a table on screen, plain values for JSON, objects for Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from chemnet.data.parameter_units import with_unit
from chemnet.results import Answer
from chemnet.search.connection import DatabaseConnection, Neighbour
from chemnet.search.differences import Difference
from chemnet.text_files import is_number
from chemnet.text_tables import aligned


class LookupAnswer(Answer):
    """The states that a lookup found.

    Parameters
    ----------
    title
        What was asked, in words.
    query
        What was asked, as plain values.
    neighbours
        The states found, nearest (or farthest outlier) first.
    differences
        For each of them the species that differ most from the query; empty lists where that is not known.
    connection
        The database that was asked.
    """

    def __init__(
        self,
        title: str,
        query: dict[str, Any],
        neighbours: Sequence[Neighbour],
        differences: Sequence[Sequence[Difference]],
        connection: DatabaseConnection,
    ) -> None:
        self.neighbours = list(neighbours)
        self.differences = [list(found) for found in differences]
        states = [
            near.to_dict() | {"differs": [asdict(difference) for difference in found]}
            for near, found in zip(self.neighbours, self.differences, strict=True)
        ]
        content = {
            "query": query,
            "database": str(connection.directory.path),
            "states": len(connection),
            "neighbours": states,
        }
        physical_names = connection.states.physical_names
        heading = f"{title} among {len(connection):,} known states of {connection.directory.name}"
        table = _table(self.neighbours, self.differences, physical_names)
        super().__init__(content, f"{heading}\n\n{table}", connection.directory.path)

    def __len__(self) -> int:
        return len(self.neighbours)


def _table(
    neighbours: Sequence[Neighbour],
    differences: Sequence[Sequence[Difference]],
    physical_names: Sequence[str],
) -> str:
    header = ["id", "tracer", "step", with_unit("time"), *map(with_unit, physical_names), "distance"]
    rows = []
    for near in neighbours:
        state = near.state
        numbers = [state.time, *state.physical.values(), near.distance]
        rows.append([state.id, state.tracer, str(state.step), *(f"{number:.4g}" for number in numbers)])
    if any(differences):
        header.append("differs most [dex]")
        for row, found in zip(rows, differences, strict=True):
            row.append(", ".join(map(str, found)))
    numeric = {i for i, cells in enumerate(zip(*rows, strict=True)) if all(map(is_number, cells))}
    return "\n".join(aligned([header, *rows], right=numeric, indent=""))
