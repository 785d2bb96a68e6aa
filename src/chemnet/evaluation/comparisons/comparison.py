"""What a comparison of results says: tables, remarks and the numbers behind them."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chemnet.data.metric_meanings import tooltip
from chemnet.plots.report_page import embedded_picture, heading, note, report_page
from chemnet.text_tables import Row, aligned, html_table, markdown_table

_TEXT_WIDTH = 100
# more results than this are counted in the heading
_MOST_NAMED = 4


@dataclass(frozen=True)
class Section:
    """A table under its title.

    Attributes
    ----------
    title
        What it shows.
    table
        Head and rows.
    """

    title: str
    table: Sequence[Row]


@dataclass(frozen=True)
class Comparison:
    """Several results of one verb side by side.

    Attributes
    ----------
    verb
        The verb that made the results.
    names
        What the results are called, in the order of the tables.
    sections
        The tables.
    notes
        How they are to be read, and what could not be compared.
    values
        The numbers behind tables and picture; by the name of each result, unless the comparison is of pairs.
    summary
        The few values that `result.toml` keeps.
    """

    verb: str
    names: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    values: dict[str, Any]
    summary: dict[str, Any]

    @property
    def title(self) -> str:
        """The heading of the page."""
        listed = " and ".join(self.names) if len(self.names) < _MOST_NAMED else f"{len(self.names)} results"
        return f"Comparison of {listed} of chemnet {self.verb}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Comparison:
        """Return what `to_dict` gave."""
        sections = tuple(Section(**section) for section in stored["sections"])
        texts = {name: tuple(stored[name]) for name in ("names", "notes")}
        return cls(**{**stored, **texts, "sections": sections})

    def as_text(self) -> str:
        """Return the tables for a terminal."""
        tables = [line for one in self.sections for line in (one.title, *aligned(one.table), "")]
        return "\n".join([*tables, *(textwrap.fill(words, _TEXT_WIDTH) for words in self.notes)])

    def as_markdown(self, picture: str) -> str:
        """Return the whole comparison as Markdown, with a link to its picture."""
        lines = [f"# {self.title}", "", *self.notes, "", f"![{self.title}]({picture})", ""]
        for one in self.sections:
            lines += [f"## {one.title}", "", *markdown_table(one.table), ""]
        return "\n".join(lines)

    def as_html(self, picture: Path) -> str:
        """Return the whole comparison as one page that needs no other file."""
        parts = [f"<h1>{html.escape(self.title)}</h1>", *map(note, self.notes)]
        parts.append(embedded_picture(picture, self.title))
        for one in self.sections:
            parts += [heading(one.title), html_table(one.table, tooltip)]
        return report_page(self.title, parts)
