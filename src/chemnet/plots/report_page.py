"""A report as one HTML page that needs no other file: headings, tables that scroll, pictures inside."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable
from pathlib import Path

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { overflow-wrap: anywhere; }
table { display: block; overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0 1.4rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
figure { margin: 1rem 0 1.6rem; }
figcaption { color: #555; }
img { max-width: 100%; }
p.note { color: #555; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def report_page(title: str, parts: Iterable[str]) -> str:
    """Return a page of HTML pieces, as the functions below and `html_table` make them."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    head += f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"<h2>{html.escape(text)}</h2>"


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{html.escape(text)}</p>"


def note(text: str) -> str:
    """Return a paragraph that says how figures are to be read."""
    return f'<p class="note">{html.escape(text)}</p>'


def embedded_picture(path: Path, words: str) -> str:
    """Return a PNG inside the page; `words` stand below it, and for it where it cannot be seen."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    words = html.escape(words)
    picture = f'<img alt="{words}" src="data:image/png;base64,{data}">'
    return f"<figure>{picture}<figcaption>{words}</figcaption></figure>"
