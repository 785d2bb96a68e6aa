"""`python -m chemnet.chemistry.formats FILE ...` prints, in Markdown, what chemnet reads of networks."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from chemnet.chemistry.formats import read_parts
from chemnet.chemistry.formats.row_files import ReadingOptions
from chemnet.errors import ChemNetError

_PLACE = re.compile(r"^\S+:(?:\d+:)? ")
_PARTICULAR = re.compile(r"'[^']*'|\([^()]*\.\.\.\)|\[[^]]*\]|\b\d+(?= K\b)")
_REASONS = 3
_LONGEST = 120


def table(paths: Sequence[str]) -> str:
    """Return the table over some networks, read with `skip_unreadable`.

    Parameters
    ----------
    paths
        Files and folders, or names of shipped networks.

    Returns
    -------
    str
        One line each: its rows, the reactions read from them (a row with several temperature ranges gives
        several), the rows left out, and the most frequent reasons.
    """
    lines = ["| source | format | rows | reactions | left out | why |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *map(_line, paths)])


def _line(path: str) -> str:
    name = Path(path).name
    try:
        parts = read_parts(path, ReadingOptions(skip_unreadable=True))
    except ChemNetError as error:
        return f"| {name} | none | | 0 | all | {_reason(error.message)} |"
    reading = parts.reading
    why = Counter(map(_reason, reading.skipped)).most_common(_REASONS)
    counts = f"{reading.rows} | {len(parts.reactions)} | {len(reading.skipped)}"
    reasons = "; ".join(f"{count} x {reason}" for reason, count in why)
    return f"| {name} | {parts.format} | {counts} | {reasons} |"


def _reason(message: str) -> str:
    """Return the first line of a message without place, names, figures and signs that end a table's field."""
    text = _PARTICULAR.sub("...", _PLACE.sub("", message)).split("\n")[0].replace("|", "/")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


if __name__ == "__main__":
    print(table(sys.argv[1:]))
