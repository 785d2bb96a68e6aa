"""Every key of the defaults files, where it stands and what it takes (`chemnet.config.allowed_values`)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chemnet.config.allowed_values import Key, KeySpec, key_spec
from chemnet.config.overrides import join_key, split_key
from chemnet.config.toml_text import read_toml_text
from chemnet.config.whole_file import is_as_written
from chemnet.errors import ConfigError, nearest

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
# what stands in tomllib's message or in the line -> what was meant
_CAUSES = (
    (
        r"^Unescaped '\\'|^Invalid hex value",
        "a backslash begins an escape: write the path in single quotes, 'C:\\data', or with /",
    ),
    (r"^\s*(- )?[\w.-]+:(\s|$)", "this looks like YAML; TOML writes key = value below a [table]"),
    (r"^\s*\{|^\s*\"[^\"]*\"\s*:", "this looks like JSON; TOML writes key = value below a [table]"),
    (r"=\s*(True|False)\b", "TOML writes true and false, in small letters"),
    (r"=\s*(None|null)\b", "TOML knows no None: false means not set"),
    (r"^Cannot (overwrite|declare|mutate|redefine)", "this key or table is given twice; join them"),
)
# "[yr]" or "[g cm^-3]"; no range, and no list
_UNIT = re.compile(r"\[([A-Za-z]+(?:\^-?\d+)?(?: [A-Za-z]+(?:\^-?\d+)?)*)\]")
_ASSIGNMENT = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_.-])+)\s*=""")


@dataclass
class Schema:
    """Every key that the defaults, chemnet's and the plugins', define."""

    keys: dict[Key, KeySpec] = field(default_factory=dict)
    tables: dict[Key, str] = field(default_factory=dict)

    def add_file(self, path: Path) -> None:
        """Add the keys of a `default_config.toml`."""
        values = read_toml(path)
        places = scan(toml_source(path))
        for key, value in _leaves(values, self):
            line, comment = places.get(key, (0, ""))
            self.keys[key] = key_spec(key, value, comment, f"{path.name}:{line}")

    def copy(self) -> Schema:
        """Return a schema that can grow by itself."""
        return Schema(dict(self.keys), dict(self.tables))

    def is_open(self, key: Key) -> bool:
        """Return whether `key` lies in a table that takes any key: keyword arguments of somebody's class."""
        if any("." in part for part in key[:-1]):
            return key not in self.keys
        return any(self.keys[key[:n]].default == {} for n in range(1, len(key)) if key[:n] in self.keys)

    def accept(self, key: Key, value: Any, where: str) -> Any:
        """Return a value as a key takes it; tables that take any key take any value.

        Parameters
        ----------
        key, value
            The key, and what it was set to.
        where
            Who set it, for messages.

        Raises
        ------
        ConfigError
            When the key is not defined, is a table, or does not take the value.
        """
        if key in self.keys:
            return self.keys[key].accept(value, where)
        if not self.is_open(key):
            raise self.unknown(key, where, value)
        return value

    def unit(self, spec: KeySpec) -> str | None:
        """Return the unit that a key's comment names in brackets, where it names one."""
        # a name in brackets may be a table
        tables = {join_key(key[:-1]) for key in self.keys}
        return next((found for found in _UNIT.findall(spec.comment) if found not in tables), None)

    def unknown(self, key: Key, where: str, value: Any = None) -> ConfigError:
        """Return the error for a key that nobody defined, with the nearest that exists."""
        name = join_key(key)
        members = [join_key(candidate) for candidate in self.keys if candidate[: len(key)] == key]
        if members and not isinstance(value, dict | None):
            return ConfigError(
                f"{where}: '{name}' is a table, not a value", hint="its keys: " + ", ".join(members[:8])
            )
        known = [join_key(candidate) for candidate in self.keys]
        siblings = [join_key(candidate) for candidate in self._beside(key, with_tables=value is None)]
        near = nearest(name, siblings) or nearest(name, known)
        same_leaf = [join_key(candidate) for candidate in self.keys if candidate[-1] == key[-1]]
        near = list(dict.fromkeys(near + same_leaf))[:3]
        if near:
            hint = "did you mean " + " or ".join(repr(word) for word in near) + "?"
        else:
            hint = "`chemnet config` prints every key with its value"
        return ConfigError(f"{where}: unknown configuration key '{name}'", hint=hint)

    def _beside(self, key: Key, with_tables: bool) -> dict[Key, None]:
        """Return the keys, and perhaps the tables, in the table of a key; in their order."""
        depth = len(key)
        return {
            one[:depth]: None
            for one in self.keys
            if one[: depth - 1] == key[:-1] and (len(one) == depth or (with_tables and len(one) > depth))
        }


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        When the file is missing or is not TOML.
    """
    try:
        return read_toml_text(toml_source(path))
    except FileNotFoundError as error:
        raise ConfigError(f"no such configuration file: {path}", hint="check the path after -c") from error
    except IsADirectoryError as error:
        raise ConfigError(
            f"{path} is a folder, not a configuration file", hint="name a .toml file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", hint=_cause(path, str(error))) from error


def read_written_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file that chemnet wrote and nobody was to change since.

    Raises
    ------
    ConfigError
        When the file is missing, is not TOML or is not what was written.
    """
    values = read_toml(path)
    if not is_as_written(toml_source(path)):
        raise ConfigError(
            f"{path} changed after it was written (other checksum)",
            hint="results are never edited in place: make the result again, or pass a copy with -c",
        )
    return values


def toml_source(path: Path) -> str:
    """Return the text of a TOML file; the byte-order mark that some editors put in front is left out."""
    return path.read_text(encoding="utf-8-sig")


def _cause(path: Path, error: str) -> str:
    """Return the likely reason why a file is no TOML, as a hint."""
    if path.suffix.lower() not in (".toml", "", ".yaml", ".yml", ".json", ".cfg", ".ini"):
        return f"-c takes a TOML file; a table of tracers is named by data_set.path={path.name}"
    if "codec can't decode" in error:
        return "save the file as UTF-8"
    number = re.search(r"at line (\d+)", error)
    lines = [line for line in toml_source(path).splitlines() if line.strip()]
    line = toml_source(path).splitlines()[int(number.group(1)) - 1] if number else (lines or [""])[-1]
    found = (hint for pattern, hint in _CAUSES if re.search(pattern, f"{error}\n{line}", re.MULTILINE))
    return next(found, 'strings need quotes: key = "value"')


def scan(text: str) -> dict[Key, tuple[int, str]]:
    """Return the line number of each key in TOML text and the comment block right above it."""
    places: dict[Key, tuple[int, str]] = {}
    table: Key = ()
    comment: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        header = _HEADER.match(line)
        assignment = _ASSIGNMENT.match(line)
        if stripped.startswith("#"):
            comment.append(stripped.lstrip("#").strip())
            continue
        if header:
            table = split_key(header.group(1))
            places.setdefault(table, (number, " ".join(comment)))
        elif assignment:
            key = table + split_key(assignment.group(1))
            places.setdefault(key, (number, " ".join(comment)))
        comment = []
    return places


def flatten(values: Mapping[str, Any], schema: Schema, prefix: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Walk a nested mapping down to the schema's keys (an open table's members are keys of their own)."""
    for name, value in values.items():
        key = (*prefix, name)
        if isinstance(value, Mapping) and not (key in schema.keys and schema.keys[key].default != {}):
            if value or key not in schema.keys:
                yield from flatten(value, schema, key)
        else:
            yield key, value


def _leaves(values: Mapping[str, Any], schema: Schema, prefix: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Walk a defaults file; an inline empty table is a key, a table with a header is remembered as such."""
    for name, value in values.items():
        key = (*prefix, name)
        if isinstance(value, dict) and value:
            schema.tables[key] = ""
            yield from _leaves(value, schema, key)
        else:
            yield key, value
