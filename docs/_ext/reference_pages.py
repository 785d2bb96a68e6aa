"""Write the reference pages that the code itself can tell: configuration keys, command line, API.

The pages go to ``docs/reference/generated/`` before Sphinx reads its sources: they cannot fall behind.
"""

from __future__ import annotations

import importlib
import inspect
import io
import os
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

import chemnet
from chemnet import cli
from chemnet.config import KeySpec, Schema
from chemnet.config.manager import PACKAGED_DEFAULTS
from chemnet.config.overrides import join_key
from chemnet.registry import verb_descriptions


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the generator with Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Sphinx) -> None:
    """Write every generated page below ``reference/generated``."""
    folder = Path(app.srcdir) / "reference" / "generated"
    os.environ["COLUMNS"] = "100"  # argparse wraps at the terminal's width otherwise
    write(folder / "configuration.md", configuration_page())
    write(folder / "command_line.md", command_line_page())
    modules = list(public_modules())
    drop_stale(folder / "api", modules)
    for name in modules:
        write(folder / "api" / f"{name}.rst", module_page(name))
    write(folder / "api" / "index.rst", api_index(modules))


def drop_stale(folder: Path, modules: Iterable[str]) -> None:
    """Delete the pages of modules that are gone."""
    kept = {"index", *modules}
    for page in folder.glob("*.rst"):
        if page.stem not in kept:
            page.unlink()


def write(path: Path, text: str) -> None:
    """Write a page, unless it stands there already: Sphinx then reads only what changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def configuration_page() -> str:
    """Return one section per table with each key's default, type and meaning."""
    schema = Schema()
    schema.add_file(PACKAGED_DEFAULTS)
    tables: dict[tuple[str, ...], list[KeySpec]] = defaultdict(list)
    for key, spec in schema.keys.items():
        tables[key[:-1]].append(spec)
    lines = [
        "# Configuration keys",
        "",
        "Every key, from `default_config.toml`. `false` means *not set*. "
        "`chemnet config --explain NAME` tells the same for one key or table, with its value and who set it.",
    ]
    for table, specs in tables.items():
        lines += ["", f"## `[{join_key(table)}]`" if table else "## top level", ""]
        for spec in specs:
            lines += key_entry(spec)
    return "\n".join(lines) + "\n"


def key_entry(spec: KeySpec) -> list[str]:
    """Return one definition-list entry."""
    default = str(spec.default).lower() if isinstance(spec.default, bool) else repr(spec.default)
    meaning = spec.comment or "no comment"
    return [f"`{spec.key[-1]}` = `{default}` ({spec.allowed})", f": {meaning}", ""]


def command_line_page() -> str:
    """Return the help of the program and of each verb, as the command line prints it."""
    lines = ["# Command line", "", *printed("--help")]
    for name in verb_descriptions():
        lines += ["", f"## `chemnet {name}`", "", *printed(name, "--help")]
    return "\n".join(lines) + "\n"


def printed(*words: str) -> list[str]:
    """Return what ``chemnet`` prints for some words, as a literal block."""
    with redirect_stdout(io.StringIO()) as page:
        code = cli.main(words)
    if code != 0:
        raise ExtensionError(f"`chemnet {' '.join(words)}` ended with {code}")
    return ["```text", page.getvalue().rstrip(), "```"]


def public_modules() -> Iterator[str]:
    """Yield every module of the package, private ones left out."""
    yield chemnet.__name__
    for module in pkgutil.walk_packages(chemnet.__path__, "chemnet."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield module.name


def module_page(name: str) -> str:
    """Return a page that lets autodoc read one module, and links what the module offers from elsewhere."""
    title = f"``{name}``"
    page = f"{title}\n{'=' * len(title)}\n\n.. automodule:: {name}\n"
    homes = re_exports(name)
    if homes:
        links = "\n".join(f"- :py:obj:`{short} <{home}>`" for short, home in homes.items())
        page += f"\nTo be imported from here:\n\n{links}\n"
    return page


def re_exports(name: str) -> dict[str, str]:
    """Return the names in a module's ``__all__`` that another module of chemnet defines, and where."""
    module = importlib.import_module(name)
    homes: dict[str, str] = {}
    for short in getattr(module, "__all__", ()):
        home = getattr(getattr(module, short), "__module__", name)
        if home != name and home.startswith("chemnet"):
            homes[short] = f"{home}.{short}"
    return homes


def api_index(modules: Iterable[str]) -> str:
    """Return the page of the names that people use, each with its signature; all modules follow behind it."""
    lines = ["API", "===", "", "The names to import; each links to its arguments, returns and errors.", ""]
    for heading, package in CURATED.items():
        lines += [heading, "-" * len(heading), ""]
        lines += [entry for name in exported(package) for entry in curated_entry(package, name)]
    entries = "\n".join(f"   {name}" for name in modules)
    tree = f".. toctree::\n   :maxdepth: 1\n   :caption: Every module\n\n{entries}\n"
    return "\n".join([*lines, "", tree])


CURATED = {
    "The whole": "chemnet",
    "Chemistry": "chemnet.chemistry",
}


def exported(package: str) -> list[str]:
    """Return the names that a package offers, in its own order."""
    return [name for name in importlib.import_module(package).__all__ if not name.startswith("_")]


def curated_entry(package: str, name: str) -> list[str]:
    """Return the lines of one name: its signature, its first sentence, and a link to all of it."""
    thing = getattr(importlib.import_module(package), name)
    home = f"{getattr(thing, '__module__', package)}.{name}"
    try:
        signature = str(inspect.signature(thing)) if callable(thing) else ""
    except (TypeError, ValueError):
        signature = ""
    # forward references are strings: a reader wants the names alone
    signature = re.sub(r"<.*?>(?=[,)])", "...", signature.replace("'", ""))
    first = inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    return [f"``{package}.{name}{signature}``", f"   {first} :py:obj:`More <{home}>`", ""]
