"""Tables as aligned text, as Markdown and as HTML; the first row is the head."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence

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


def html_table(table: Sequence[Row]) -> str:
    """Return an HTML table."""
    head, *rows = table
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _markdown_row(cells: Row) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
