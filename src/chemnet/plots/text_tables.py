"""Tables as aligned text, as Markdown and as HTML; the first row is the head."""

from __future__ import annotations

import html
from collections.abc import Sequence

Row = Sequence[str]


def aligned(table: Sequence[Row]) -> list[str]:
    """Return rows of text with aligned columns, the first to the left."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = []
    for row in table:
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append("  ".join([f"  {row[0].ljust(widths[0])}", *cells]).rstrip())
    return lines


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
