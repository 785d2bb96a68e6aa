"""Check the built pages: each link within them leads somewhere, and nothing is loaded from other sites.

(`sphinx -b linkcheck` looks after links to other sites, which needs them to be up.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src"}
_TOLD = 20


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at the pages when the build is over."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


@dataclass
class Page(HTMLParser):
    """The places of a page, and where it leads."""

    places: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names, links or loads."""
        given = {name: value for name, value in attrs if value}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in _LOADED and _LOADED[tag] in given:
            self.loaded.append(given[_LOADED[tag]])


def check(app: Sphinx, error: Exception | None) -> None:
    """Fail the build where a link is broken, or where a reader's browser would ask another site."""
    if error is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir)
    pages = {path: read(path) for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts}
    wrong = [f"{path.relative_to(folder)}: {one}" for path in pages for one in faults(path, pages)]
    if wrong:
        more = f"\n... and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        raise ExtensionError("\n".join(["links:", *wrong[:_TOLD]]) + more)


def read(path: Path) -> Page:
    """Parse a page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def faults(path: Path, pages: dict[Path, Page]) -> list[str]:
    """Return what is wrong with the links of a page, in words."""
    found = [f"loads {one}" for one in pages[path].loaded if urlsplit(one).netloc]
    for link in dict.fromkeys([*pages[path].links, *pages[path].loaded]):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        target = target / "index.html" if target.is_dir() else target
        if not target.exists():
            found.append(f"{link} leads to no page")
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
            found.append(f"{link} leads to no place on its page")
    return found
