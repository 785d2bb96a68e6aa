"""Code from other packages: dotted names, entry points and the configuration defaults that they bring."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import warnings
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from chemnet.errors import ConfigError, nearest, suggest

ENTRY_POINT_GROUP = "chemnet.plugins"
DEFAULTS_FILE = "default_config.toml"
_DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


@cache
def _entry_points() -> tuple[Any, ...]:
    """Return the installed entry points of chemnet's group."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=ENTRY_POINT_GROUP))


@cache
def load_entry_points() -> None:
    """Import every installed plugin once, so that its decorators register what it brings."""
    for point in _entry_points():
        try:
            point.load()
        except Exception as error:  # a broken plugin must not take chemnet down with it
            warnings.warn(
                f"the plugin '{point.name}' ({point.value}) could not be loaded: {error}", stacklevel=2
            )


def is_dotted_name(text: object) -> bool:
    """Return whether `text` reads ``package.module.Class``."""
    return isinstance(text, str) and _DOTTED_NAME.fullmatch(text) is not None


def import_dotted(name: str, kind: str, home: str | None = None) -> Any:
    """Import the class that ``package.module.Class`` names.

    Parameters
    ----------
    name
        The dotted name.
    kind
        What the class is, for messages: ``"optimizer"``, ...
    home
        A module that holds such classes, for the hint when the name has no dots.

    Raises
    ------
    ConfigError
        When the name is not dotted, the module cannot be imported or it has no such class.
    """
    if not is_dotted_name(name):
        raise _undotted(name, kind, home)
    module_name, _, class_name = name.rpartition(".")
    _see_working_directory()
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            f"cannot import the {kind} '{name}': {error}",
            hint=f"install the package that holds '{module_name}', or run from the folder that contains it",
        ) from error
    if not hasattr(module, class_name):
        raise ConfigError(
            f"the module '{module_name}' has no {kind} '{class_name}'",
            hint=suggest(class_name, _public_names(module)),
        )
    return getattr(module, class_name)


def _undotted(name: str, kind: str, home: str | None) -> ConfigError:
    """Return the error for a name without dots; the hint is the dotted name that `home` has."""
    near = nearest(name, _public_names(importlib.import_module(home)), 1) if home else []
    return ConfigError(
        f"the {kind} '{name}' is no dotted name package.module.Class",
        hint=f"write {home}.{near[0]}"
        if near
        else f"write a dotted name such as {home or 'my_package'}.MyClass",
    )


def _public_names(module: ModuleType) -> list[str]:
    """Return the public classes and functions that a module or package defines, not what it imports."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and isinstance(value, (type, FunctionType))
        and f"{value.__module__}.".startswith(f"{module.__name__}.")
    ]


def entry_point_defaults() -> list[Path]:
    """Return the `default_config.toml` of every installed plugin, found without importing it."""
    modules = [point.value.partition(":")[0] for point in _entry_points()]
    return [path for module in modules for path in defaults_beside(module)]


def defaults_beside(dotted: str) -> list[Path]:
    """Return each `default_config.toml` in the packages that ``package.module.Class`` passes through."""
    package, *rest = dotted.split(".")
    _see_working_directory()
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return []
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(next(iter(spec.submodule_search_locations)))
    folders = [folder]
    for part in rest:
        folder = folder / part
        folders.append(folder)
    return [place / DEFAULTS_FILE for place in folders if (place / DEFAULTS_FILE).is_file()]


def _see_working_directory() -> None:
    """Let dotted names reach modules in the working directory, as `python -m` would."""
    if "" not in sys.path:
        sys.path.append("")
