"""How reports on networks are laid out as text, and as plain values for JSON and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

_LISTED = 8


@dataclass(frozen=True)
class Report:
    """Base of reports that are dataclasses."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain types for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the report that `to_dict` described, also after JSON made lists of its tuples."""
        return cls(**with_tuples(values))


def titled(rows: Iterable[tuple[str, str]]) -> str:
    """Return a report: a title and its text on each line."""
    return "\n".join(f"{title:<16} {text}" for title, text in rows)


def several(lines: Sequence[str]) -> str:
    """Return a number and the first few lines, indented below it."""
    if not lines:
        return "none"
    shown = [f"\n    {line}" for line in lines[:_LISTED]]
    rest = [f"\n    ... and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "".join([str(len(lines)), *shown, *rest])


def place(source: str) -> str:
    """Return the place of a row as the beginning of a message."""
    return f"{source}: " if source else ""


def with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with tuples for the lists that JSON made of them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
