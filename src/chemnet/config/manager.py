"""The merge: defaults, plugins' defaults, configuration files, words on the command line."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chemnet import plugins
from chemnet.config.config_dict import ConfigDict, put
from chemnet.config.migrations import change_in_words, modern, twice
from chemnet.config.overrides import join_key, parse_override, split_key
from chemnet.config.schema import Key, Schema, flatten, read_toml, read_written_toml, scan, toml_source
from chemnet.config.toml_text import toml_text
from chemnet.config.whole_file import with_checksum, write_whole
from chemnet.errors import ConfigError
from chemnet.progress import get_logger

PACKAGED_DEFAULTS = Path(__file__).with_name(plugins.DEFAULTS_FILE)
USER_FILE = "chemnet_config.toml"
_WORDS = "command line"
_TRUST = ("general", "trust_plugins")
_log = get_logger(__name__)


@dataclass(frozen=True)
class Setting:
    """One value that somebody set, and where: ``file:line``, the command line or Python.

    What the user did not write, but a result holds, names no class that may be imported (`chemnet.plugins`).
    `was` tells what stood there, where an older chemnet had other words for it.
    """

    key: Key
    value: Any
    where: str
    folder: Path
    by_user: bool = True
    was: str = ""

    @classmethod
    def of(cls, key: Key, value: Any, where: str, folder: Path, by_user: bool = True) -> Setting:
        """Return a setting in today's words."""
        now = modern(key, value)
        was = "" if now == (key, value) else change_in_words((key, value), now)
        return cls(*now, where, folder, by_user, was)

    def class_names(self) -> list[str]:
        """Return the dotted names of classes that it gives."""
        return list(plugins.class_names(self.key[-1], self.value))


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
            self._settings.append(Setting.of(key, value, f"{_WORDS} ({word})", Path.cwd()))
        self._merge()

    def announce(self) -> None:
        """Say in one line per source which of its words an older chemnet had, and how to rewrite a file."""
        older: dict[str, list[Setting]] = {}
        for setting in self._settings:
            if setting.was:
                older.setdefault(setting.where.rpartition(":")[0] or setting.where, []).append(setting)
        for source, settings in older.items():
            own = Path(source).is_file() and all(setting.by_user for setting in settings)
            rewrite = f"; to rewrite it: chemnet config --migrate -c {source}" if own else ""
            changes = "; ".join(setting.was for setting in settings)
            _log.warning("%s is in an older chemnet's words: %s%s", source, changes, rewrite)

    @classmethod
    def of_result(cls, file: Path, overrides: Iterable[str] = ()) -> ConfigManager:
        """Merge a configuration that stands in a result; what it names does not count as the user's."""
        manager = cls.__new__(cls)
        manager.files = [file.resolve()]
        manager._settings = [replace(setting, by_user=False) for setting in read_settings(file)]
        for word in overrides:
            key, value = parse_override(word)
            manager._settings.append(Setting.of(key, value, f"{file} ({word})", file.parent, by_user=False))
        manager._merge()
        return manager

    def set(self, key: str, value: Any) -> None:
        """Set one dotted key, as ``set("model.name", "Autoencoder")``; quotes protect dots in a segment."""
        setting = Setting.of(split_key(key), value, "set_config", Path.cwd())
        self._settings.append(setting)
        try:
            self._merge()
        except ConfigError:
            self._settings.remove(setting)
            raise
        if setting.was:
            _log.warning("set_config: %s", setting.was)

    def _merge(self) -> None:
        """Build the schema, then the values and their origins."""
        self._trust_what_the_user_named()
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

    def _trust_what_the_user_named(self) -> None:
        """Tell `chemnet.plugins` what may be imported, and what results name."""
        packages: list[str] = []
        for setting in self._settings:
            for name in setting.class_names():
                if setting.by_user:
                    plugins.trust(name)
                else:
                    plugins.named_by_result(name, f"{setting.where}: {join_key(setting.key)}")
            if setting.by_user and setting.key == _TRUST:
                packages = _packages(setting)
        plugins.trust(*packages)

    def _schema(self) -> Schema:
        """Collect chemnet's defaults, installed plugins' and those of packages that dotted names point to."""
        schema = _packaged_schema().copy()
        names = [name for setting in self._settings for name in setting.class_names()]
        named = [path for name in names for path in plugins.defaults_beside(name)]
        for path in dict.fromkeys([*plugins.entry_point_defaults(), *named]):
            schema.add_file(path)
        return schema

    def _apply(self, values: dict[str, Any], setting: Setting) -> None:
        nested: Any = setting.value
        for part in reversed(setting.key):
            nested = {part: nested}
        for key, value in flatten(nested, self.schema):
            if not setting.by_user and key not in self.schema.keys and not self.schema.is_open(key):
                self._refuse_untrusted_plugins()
            value = self.schema.accept(key, value, setting.where)
            if key in self.schema.keys:
                value = _resolved(value, self.schema.keys[key].kinds, setting.folder)
                value = _joined(values, key, value)
            put(values, key, value)
            self.origins[key] = setting.where
            self._chosen.add(key)

    def _refuse_untrusted_plugins(self) -> None:
        """Refuse what a result names: a plugin that was not let in cannot tell what its keys are."""
        for name in (name for one in self._settings for name in one.class_names()):
            if plugins.is_foreign(name):
                raise plugins.untrusted(name)

    def members(self, table: str) -> tuple[list[str], list[str]]:
        """Return the dotted keys and the tables that stand in a table; none for a key or an unknown name."""
        segments = split_key(table)
        if segments in self.origins:
            return [], []
        depth = len(segments)
        inside = [key for key in self.origins if key[:depth] == segments and len(key) > depth]
        keys = [join_key(key) for key in inside if len(key) == depth + 1]
        return keys, list(dict.fromkeys(join_key(key[: depth + 1]) for key in inside if len(key) > depth + 1))

    def explain(self, key: str) -> dict[str, Any]:
        """Return value, origin, meaning, unit, allowed type and default of one dotted key."""
        segments = split_key(key)
        if segments not in self.origins:
            raise self.schema.unknown(segments, "chemnet config --explain")
        spec = self.schema.keys.get(segments)
        return {
            "key": join_key(segments),
            "value": _plain(self.config.lookup(key)),
            "set_by": self.origins[segments],
            "meaning": spec.comment if spec else "keyword argument of the class that names this table",
            "unit": self.schema.unit(spec) if spec else None,
            "allowed": spec.allowed if spec else "whatever that class takes",
            "default": _plain(spec.default) if spec else None,
        }

    def write(self, path: Path) -> None:
        """Write the merged result; passing that file back with ``-c`` reproduces the run."""
        write_config(self.config, path)


@functools.cache
def _packaged_schema() -> Schema:
    schema = Schema()
    schema.add_file(PACKAGED_DEFAULTS)
    return schema


def load_config(files: Sequence[str | Path] = (), overrides: Iterable[str] = ()) -> ConfigDict:
    """Merge the sources and return the result; see `ConfigManager`."""
    return ConfigManager(files, overrides).config


def load_result_config(file: Path, overrides: Iterable[str] = ()) -> ConfigDict:
    """Merge a configuration that stands in a result: what it names imports nothing (`chemnet.plugins`).

    Raises
    ------
    ConfigError
        When it was edited or damaged after it was written.
    UntrustedNameError
        When it has keys of a plugin that is not installed, and that the user has not named.
    """
    read_written_toml(file)
    return ConfigManager.of_result(file, overrides).config


def write_config(config: ConfigDict, path: Path) -> None:
    """Write a merged configuration as TOML."""
    header = "# The configuration that made this result. Pass it back with -c to reproduce the run.\n"
    write_whole(path, with_checksum(header + toml_text(config.to_dict())))


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
    places, by_user = scan(toml_source(path)), not lies_in_result(path)
    for key, value in flatten(values, Schema()):
        line = next((places[key[:n]][0] for n in range(len(key), 0, -1) if key[:n] in places), 0)
        settings.append(Setting.of(key, value, f"{path}:{line}", path.parent, by_user))
    doubled = twice(setting.key for setting in settings if setting.where.startswith(f"{path}:"))
    if doubled is not None:
        raise ConfigError(
            f"{path}: {join_key(doubled)} is set twice, once by its old name", hint="leave the old one out"
        )
    return settings


def _joined(values: dict[str, Any], key: Key, value: Any) -> Any:
    """Return a table together with the members that it has: a file is read member by member."""
    if not isinstance(value, dict):
        return value
    held: Any = values
    for part in key:
        held = held[part]
    return {**held, **value} if isinstance(held, dict) else value


def lies_in_result(path: Path) -> bool:
    """Return whether a file lies in the folder of a result, finished or not."""
    from chemnet.results.layout import PARTIAL_PREFIX, RESULT_FILE

    return path.parent.name.startswith(PARTIAL_PREFIX) or (path.parent / RESULT_FILE).is_file()


def _packages(setting: Setting) -> list[str]:
    """Return the packages and modules of ``general.trust_plugins``; what is no list the schema refuses."""
    names = setting.value if isinstance(setting.value, (list, tuple)) else []
    wrong = [name for name in names if not (isinstance(name, str) and plugins.is_module_name(name))]
    if wrong:
        raise ConfigError(
            f"{setting.where}: general.trust_plugins holds {wrong[0]!r}, which is no package or module",
            hint='write general.trust_plugins = ["my_package"]',
        )
    return list(names)


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
