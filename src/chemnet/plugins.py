"""Code from other packages: dotted names, entry points and the configuration defaults that they bring.

Only the user lets code in: by installing a package that announces itself, by importing a module, or by a name
in their own configuration. A name that stands in a result, whoever made it, imports nothing but chemnet's own
modules and those of PyTorch that hold networks and optimizers; what else it may mean is already here.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from chemnet.errors import ConfigError, UntrustedNameError, nearest, suggest

ENTRY_POINT_GROUP = "chemnet.plugins"
DEFAULTS_FILE = "default_config.toml"
_DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
# the last part of the keys that name a class
_NAMING_KEYS = frozenset({"name", "method", "reducer", "member"})
# what chemnet brings along; importing these modules does nothing else
_SHIPPED = ("chemnet", "torch.nn", "torch.optim")
# packages, modules and dotted names that the user's own configuration gave in this process
_trusted: set[str] = set()
# dotted names that stand in results, and where; for messages
_named_in_results: dict[str, str] = {}


@cache
def _entry_points() -> tuple[Any, ...]:
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


def is_module_name(text: str) -> bool:
    """Return whether `text` reads ``package`` or ``package.module``."""
    return is_dotted_name(f"{text}.Class")


def is_dotted_name(text: object) -> bool:
    """Return whether `text` reads ``package.module.Class``."""
    return isinstance(text, str) and _DOTTED_NAME.fullmatch(text) is not None


def trust(*names: str) -> None:
    """Let these packages, modules or dotted names be imported: the user's own configuration gave them."""
    _trusted.update(names)


def trusted() -> frozenset[str]:
    """Return what may be imported, for the processes that work for this one."""
    return frozenset(_trusted)


def is_trusted(name: str) -> bool:
    """Return whether the user gave this dotted name, or a package or module that it lies in."""
    parts = name.split(".")
    return any(".".join(parts[:n]) in _trusted for n in range(1, len(parts) + 1))


def named_by_result(name: str, where: str) -> str:
    """Return `name`, and remember the file and the key of the result that holds it."""
    _named_in_results[name] = where
    return name


def class_names(key: str, value: Any) -> Iterator[str]:
    """Yield the dotted names of classes in what a key is set to, alternatives of a sweep included."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from class_names(name, item)
    elif key.rpartition(".")[2].strip("\"'") in _NAMING_KEYS:
        words = value.split(",") if isinstance(value, str) else value
        words = words if isinstance(words, (list, tuple)) else ()
        stripped = (word.strip(" \"'") for word in words if isinstance(word, str))
        yield from (word for word in stripped if is_dotted_name(word))


def import_dotted(
    name: str, kind: str, home: str | None = None, base: type | None = None, known: Collection[Any] = ()
) -> Any:
    """Return the class that ``package.module.Class`` names, imported where the user let it in.

    Parameters
    ----------
    name
        The dotted name.
    kind
        What the class is, for messages: ``"optimizer"``, ...
    home
        A module that holds such classes, for the hint when the name has no dots.
    base
        The class that it must derive from, unless the user gave this very name.
    known
        The classes of this kind that are registered.

    Raises
    ------
    ConfigError
        When the name is not dotted, the module cannot be imported or it has no such class.
    UntrustedNameError
        When a result names it: something else than chemnet's own, registered or installed classes of `base`.
    """
    require_dotted(name, kind, home)
    if not _is_shipped(name):
        if not is_trusted(name):
            return _already_here(name, kind, base, known)
        _see_working_directory()
    module_name, _, class_name = name.rpartition(".")
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
    cls = getattr(module, class_name)
    if name not in _trusted and not _derives(cls, base):
        raise _of_wrong_kind(name, kind, base)
    return cls


def _is_shipped(name: str) -> bool:
    """Return whether a public module of chemnet, or one of PyTorch's for networks, holds what is named."""
    public = not any(part.startswith("_") for part in name.split("."))
    return public and any(name.startswith(f"{package}.") for package in _SHIPPED)


def _already_here(name: str, kind: str, base: type | None, known: Collection[Any]) -> Any:
    """Return a class that needs no import: a registered one, or one of an installed plugin."""
    load_entry_points()
    module_name, _, class_name = name.rpartition(".")
    # without the hooks of a module, which may import
    cls = vars(sys.modules[module_name]).get(class_name) if module_name in sys.modules else None
    if any(cls is one for one in known):
        return cls
    if cls is None or not _is_installed(name):
        raise untrusted(name, kind)
    if not _derives(cls, base):
        raise _of_wrong_kind(name, kind, base)
    return cls


def _is_installed(name: str) -> bool:
    """Return whether what is named lies in a package that announces itself as a plugin."""
    return name.partition(".")[0] in {re.split(r"[.:]", point.value)[0] for point in _entry_points()}


def is_foreign(name: str) -> bool:
    """Return whether a dotted name is known from results alone."""
    return not (is_trusted(name) or _is_shipped(name) or _is_installed(name))


def untrusted(name: str, kind: str = "class") -> UntrustedNameError:
    """Return the error for a dotted name in a result that the user has not let in."""
    return UntrustedNameError(
        f"{_told_by(name)}the {kind} '{name}' is neither chemnet's own nor that of an installed plugin; "
        "nothing was imported",
        hint=f'if you trust that code, set general.trust_plugins = ["{name.partition(".")[0]}"] in your own '
        "configuration",
    )


def _derives(cls: Any, base: type | None) -> bool:
    """Return whether `cls` is a class of the right kind; without a base any class is."""
    return isinstance(cls, type) and issubclass(cls, base or object)


def _of_wrong_kind(name: str, kind: str, base: type | None) -> UntrustedNameError:
    """Return the error for a name in a result that means something else than it should."""
    wanted = f"{base.__module__}.{base.__qualname__}" if base else "object"
    return UntrustedNameError(
        f"{_told_by(name)}'{name}' is no {kind}: no class that derives from {wanted}",
        hint="the file was damaged or tampered with; make the result again",
    )


def _told_by(name: str) -> str:
    """Return where a result holds the name, as the beginning of a message."""
    return f"{_named_in_results[name]}: " if name in _named_in_results else ""


def require_dotted(name: str, kind: str, home: str | None = None) -> None:
    """Refuse a name without dots; only then `home` is imported, for the hint; see `import_dotted`."""
    if is_dotted_name(name):
        return
    near = nearest(name, _public_names(importlib.import_module(home)), 1) if home else []
    raise ConfigError(
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
    """Return each `default_config.toml` in the packages that ``package.module.Class`` passes through.

    They are looked for where the user gave that name, or imported or installed the package.
    """
    package, *rest = dotted.split(".")
    if is_trusted(dotted):
        _see_working_directory()
    elif package not in sys.modules and not _is_installed(dotted):
        return []
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
    """Let dotted names of the user reach modules in the working directory, as `python -m` would."""
    if "" not in sys.path:
        sys.path.append("")
