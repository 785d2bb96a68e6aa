"""Tables as aligned text, as Markdown and as HTML; the first row is the head."""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Sequence

Row = Sequence[str]


def aligned(table: Sequence[Row], right: Collection[int] | None = None, indent: str = "  ") -> list[str]:
    """Return the rows as lines of text with aligned columns.

    Parameters
    ----------
    table
        The rows, of one length.
    right
        Columns that are set to the right; None: all but the first.
    indent
        What each line begins with.
    """
    columns = []
    for i, cells in enumerate(zip(*table, strict=True)):
        width = max(map(len, cells))
        to_right = i > 0 if right is None else i in right
        columns.append([cell.rjust(width) if to_right else cell.ljust(width) for cell in cells])
    return [(indent + "  ".join(line)).rstrip() for line in zip(*columns, strict=True)]


def markdown_table(table: Sequence[Row]) -> list[str]:
    """Return the lines of a Markdown table."""
    head, *rows = table
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [_markdown_row(row) for row in (head, rule, *rows)]


def html_table(table: Sequence[Row], meaning: Callable[[str], str | None] = lambda _: None) -> str:
    """Return an HTML table.

    Parameters
    ----------
    table
        The rows, of one length.
    meaning
        Returns what a heading, or the first cell of a row, means: its tooltip; nothing for none.
    """
    head, *rows = table
    top = "".join(_html_cell("th", cell, meaning(cell)) for cell in head)
    lines = (
        [_html_cell("td", row[0], meaning(row[0])), *(_html_cell("td", c) for c in row[1:])] for row in rows
    )
    body = "".join("<tr>" + "".join(line) + "</tr>" for line in lines)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _html_cell(tag: str, text: str, meaning: str | None = None) -> str:
    title = f' title="{html.escape(meaning)}"' if meaning else ""
    return f"<{tag}{title}>{html.escape(text)}</{tag}>"


def _markdown_row(cells: Row) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
