"""The merge: defaults, plugins' defaults, configuration files, words on the command line."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chemnet import plugins
from chemnet.config.config_dict import ConfigDict, put
from chemnet.config.overrides import join_key, parse_override, split_key
from chemnet.config.schema import Key, Schema, flatten, read_toml, scan
from chemnet.config.toml_text import toml_text
from chemnet.errors import ConfigError

PACKAGED_DEFAULTS = Path(__file__).with_name(plugins.DEFAULTS_FILE)
USER_FILE = "chemnet_config.toml"
_WORDS = "command line"


@dataclass(frozen=True)
class Setting:
    """One value that somebody set, and where: ``file:line``, the command line or Python."""

    key: Key
    value: Any
    where: str
    folder: Path


class ConfigManager:
    """Merge configuration sources and remember where each value came from.

    Parameters
    ----------
    files
        Configuration files, later ones winning. Without any, ``./chemnet_config.toml`` when it exists.
    overrides
        Words such as ``"train.epochs=20"``; they win over every file.

    Raises
    ------
    ConfigError
        For an unknown key, a wrong type or a file that cannot be read.
    """

    def __init__(self, files: Sequence[str | Path] = (), overrides: Iterable[str] = ()) -> None:
        paths = [Path(file) for file in files] or [path for path in (Path(USER_FILE),) if path.is_file()]
        self.files = [path.resolve() for path in paths]
        self._settings: list[Setting] = []
        for path in self.files:
            self._settings += read_settings(path)
        for word in overrides:
            key, value = parse_override(word)
            self._settings.append(Setting(key, value, f"{_WORDS} ({word})", Path.cwd()))
        self._merge()

    def set(self, key: str, value: Any) -> None:
        """Set one dotted key, as ``set("model.name", "Autoencoder")``; quotes protect dots in a segment."""
        setting = Setting(split_key(key), value, "set_config", Path.cwd())
        self._settings.append(setting)
        try:
            self._merge()
        except ConfigError:
            self._settings.remove(setting)
            raise

    def _merge(self) -> None:
        """Build the schema, then the values and their origins."""
        self.schema = self._schema()
        values: dict[str, Any] = {}
        here = Path.cwd()
        self.origins: dict[Key, str] = {}
        for key, spec in self.schema.keys.items():
            # a copy: members of an open table must not become part of its default
            put(values, key, _resolved(copy.copy(spec.default), spec.kinds, here))
            self.origins[key] = f"default ({spec.source})"
        for table in self.schema.tables:
            put(values, table, {}, only_if_absent=True)
        self._chosen: set[Key] = set()
        for setting in self._settings:
            self._apply(values, setting)
        self.config = ConfigDict(values, schema=self.schema, chosen=self._chosen)

    def _schema(self) -> Schema:
        """Collect chemnet's defaults, installed plugins' and those of packages that dotted names point to."""
        schema = _packaged_schema().copy()
        named = [path for name in self._dotted_names() for path in plugins.defaults_beside(name)]
        for path in dict.fromkeys([*plugins.entry_point_defaults(), *named]):
            schema.add_file(path)
        return schema

    def _dotted_names(self) -> list[str]:
        """Return every dotted name that a setting gives to a key called `name`, `method` or `reducer`."""
        named: list[str] = []
        for setting in self._settings:
            leaves: list[tuple[Key, Any]] = [(setting.key, setting.value)]
            if isinstance(setting.value, dict):
                leaves = list(flatten(setting.value, Schema(), setting.key))
            for key, value in leaves:
                if key and key[-1] in ("name", "method", "reducer") and plugins.is_dotted_name(value):
                    named.append(value)
        return named

    def _apply(self, values: dict[str, Any], setting: Setting) -> None:
        """Merge one setting, or each leaf of a table."""
        nested: Any = setting.value
        for part in reversed(setting.key):
            nested = {part: nested}
        for key, value in flatten(nested, self.schema):
            spec = self.schema.keys.get(key)
            if spec is None and not self.schema.is_open(key):
                raise self._unknown(key, value, setting.where)
            if spec is not None:
                value = _resolved(spec.accept(value, setting.where), spec.kinds, setting.folder)
            put(values, key, value)
            self.origins[key] = setting.where
            self._chosen.add(key)

    def _unknown(self, key: Key, value: Any, where: str) -> ConfigError:
        """Return the error for a key outside the schema; a table given a plain value has its own words."""
        members = [join_key(candidate) for candidate in self.schema.keys if candidate[: len(key)] == key]
        if members and not isinstance(value, dict):
            return ConfigError(
                f"{where}: '{join_key(key)}' is a table, not a value",
                hint="its keys: " + ", ".join(members[:8]),
            )
        return self.schema.unknown(key, where)

    def explain(self, key: str) -> dict[str, Any]:
        """Return value, origin, meaning, allowed type and default of one dotted key."""
        segments = split_key(key)
        if segments not in self.origins:
            raise self.schema.unknown(segments, "chemnet config --explain")
        spec = self.schema.keys.get(segments)
        return {
            "key": join_key(segments),
            "value": _plain(self.config.lookup(key)),
            "set_by": self.origins[segments],
            "meaning": spec.comment if spec else "keyword argument of the class that names this table",
            "allowed": spec.allowed if spec else "whatever that class takes",
            "default": _plain(spec.default) if spec else None,
        }

    def write(self, path: Path) -> None:
        """Write the merged result; passing that file back with ``-c`` reproduces the run."""
        write_config(self.config, path)


@functools.cache
def _packaged_schema() -> Schema:
    """Return what chemnet's own defaults say, read once per process."""
    schema = Schema()
    schema.add_file(PACKAGED_DEFAULTS)
    return schema


def load_config(files: Sequence[str | Path] = (), overrides: Iterable[str] = ()) -> ConfigDict:
    """Merge the sources and return the result; see `ConfigManager`."""
    return ConfigManager(files, overrides).config


def write_config(config: ConfigDict, path: Path) -> None:
    """Write a merged configuration as TOML."""
    header = "# The configuration that made this result. Pass it back with -c to reproduce the run.\n"
    path.write_text(header + toml_text(config.to_dict()), encoding="utf-8")


def read_settings(path: Path, seen: tuple[Path, ...] = ()) -> list[Setting]:
    """Return the settings of a file, those of the files that it extends first.

    Raises
    ------
    ConfigError
        When a file is missing, is not TOML, or extends itself.
    """
    path = path.resolve()
    if path in seen:
        chain = " -> ".join(str(one) for one in (*seen, path))
        raise ConfigError(
            f"configuration files extend each other in a circle: {chain}", hint="drop one 'extends'"
        )
    values = read_toml(path)
    extends = values.pop("extends", [])
    if not isinstance(extends, list) or not all(isinstance(name, str) for name in extends):
        raise ConfigError(
            f"{path}: extends = {extends!r} is no list of files", hint='write extends = ["other.toml"]'
        )
    settings = [one for name in extends for one in read_settings(path.parent / name, (*seen, path))]
    places = scan(path.read_text(encoding="utf-8"))
    for key, value in flatten(values, Schema()):
        line = next((places[key[:n]][0] for n in range(len(key), 0, -1) if key[:n] in places), 0)
        settings.append(Setting(key, value, f"{path}:{line}", path.parent))
    return settings


def _resolved(value: Any, kinds: tuple[str, ...], folder: Path) -> Any:
    """Make relative paths absolute: those in a file are relative to that file."""
    if "path" in kinds and isinstance(value, list):
        return [_resolved(item, kinds, folder) for item in value]
    if not isinstance(value, str) or not {"path", "result"} & set(kinds) or "://" in value:
        return value
    expanded = str(Path(value).expanduser())
    # a result may be meant by its name alone; only what looks or proves to be a path is one
    if "result" in kinds and os.sep not in expanded and not (folder / expanded).exists():
        return value
    return os.path.normpath(folder / expanded)


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold."""
    if isinstance(value, ConfigDict):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else value
