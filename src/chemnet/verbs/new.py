"""`chemnet new`: a plugin to start from, which installs, trains and passes its test as it stands."""

from __future__ import annotations

import argparse
import keyword
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from chemnet.errors import ConfigError
from chemnet.registry import chem_verb
from chemnet.results import Answer
from chemnet.verbs.dry_run import SECONDS, plan_answer
from chemnet.verbs.verb import Verb

_TEMPLATE = Path(__file__).parents[1] / "plugin_template"
_SUFFIX, _PLACEHOLDER = ".in", "plugin_name"
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@chem_verb
class New(Verb[Answer]):
    """Write a plugin package to start from."""

    cli_name = "new"
    description = "write a plugin package to start from: a model, its keys and its test"
    tables = ("general",)
    examples = ("chemnet new plugin my_models",)

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take what to make, and its name."""
        parser.add_argument("kind", choices=["plugin"], help="what to make")
        parser.add_argument("name", metavar="NAME", help="name of the package, my_models for one")
        parser.add_argument(
            "--folder", metavar="DIR", help="where to make it; the working directory by default"
        )

    def run(self, kind: str = "plugin", name: str = "", folder: str | Path | None = None) -> Answer:
        """Write the package into a new folder, and return what to do next.

        Parameters
        ----------
        kind
            ``"plugin"``.
        name
            Lower-case words joined by ``_`` or ``-``.
        folder
            The folder in which the package's own is made.

        Raises
        ------
        ConfigError
            The name cannot be one of a package, or is taken.
        """
        package, target = _target(kind, name, folder)
        words = {
            "@DISTRIBUTION@": name.replace("_", "-"),
            "@PACKAGE@": package,
            "@CLASS@": "".join(part.capitalize() for part in package.split("_")),
        }
        made = [_write(path, target / _place(path, package), words) for path in _templates()]
        text = "\n".join(
            [
                f"made {target}:",
                *(f"  {path.relative_to(target)}" for path in made),
                "",
                "next:",
                f"  pip install -e {target}",
                f"  chemnet train model.name={words['@CLASS@']}    # after simulate and preprocess",
                f"  cd {target} && python -m pytest",
            ]
        )
        return Answer({"folder": str(target), "files": [str(path) for path in made]}, text, target)

    def plan(self, kind: str = "plugin", name: str = "", folder: str | Path | None = None) -> Answer:
        """Return what `run` would make; nothing is written."""
        package, target = _target(kind, name, folder)
        files = ", ".join(str(_place(path, package)) for path in _templates())
        return plan_answer({}, f"{target}: {files}", SECONDS)


def _target(kind: str, name: str, folder: str | Path | None) -> tuple[str, Path]:
    """Return the package's name and its new folder."""
    if kind != "plugin":
        raise ConfigError(f"chemnet new makes no {kind!r}", hint="chemnet new plugin NAME")
    package, target = _checked(name), Path(folder or ".").resolve() / name
    if target.exists():
        raise ConfigError(f"{target} exists already", hint="choose another name, or another --folder")
    return package, target


def _templates() -> list[Path]:
    return sorted(_TEMPLATE.rglob(f"*{_SUFFIX}"))


def _place(template: Path, package: str) -> str:
    """Return where a file of the template goes, below the new folder."""
    return str(template.relative_to(_TEMPLATE)).removesuffix(_SUFFIX).replace(_PLACEHOLDER, package)


def _checked(name: str) -> str:
    """Return the package's name; refuse what Python cannot import, and names that are taken."""
    package = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(package):
        raise ConfigError(
            f"{name!r} cannot be the name of a package",
            hint="take lower-case words joined by _, such as my_models",
        )
    if package in sys.stdlib_module_names or find_spec(package) is not None:
        raise ConfigError(f"a package {package!r} is there already", hint="choose another name")
    return package


def _write(template: Path, path: Path, words: dict[str, str]) -> Path:
    text = template.read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(word, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
