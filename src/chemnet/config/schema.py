"""What the defaults say of each key: its type, meaning and place.

The default's type is the schema. The comment above a key may begin with a marker in brackets that says more
than the default can: ``[path]``, ``[result]``, ``[str]``, ``[int]``, ``[float]``, ``[list]``, alternatives
such as ``[float or false]``, limits such as ``[int >= 1]`` or ``[float > 0 <= 1]``, or ``[one of: a, b]``.
A default of ``false`` with a marker means "not set".
"""

from __future__ import annotations

import operator
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chemnet.config.overrides import join_key, split_key
from chemnet.errors import ConfigError, nearest

Key = tuple[str, ...]
Limit = tuple[str, float]

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_.-])+)\s*=""")
_MARKER = re.compile(r"\[([^\]]+)\]\s*")
_KIND = re.compile(r"([a-z]+)((?:\s*(?:>=|<=|>|<)\s*[-+.\deE]+)*)")
_LIMIT = re.compile(r"(>=|<=|>|<)\s*([-+.\deE]+)")
_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_NAMES = {bool: "true or false", int: "int", float: "float", str: "str", list: "list", dict: "table"}
_KINDS: dict[str, type] = {
    "path": str,
    "result": str,
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "table": dict,
}


@dataclass(frozen=True)
class KeySpec:
    """One key of the defaults.

    Attributes
    ----------
    key
        Its segments, for example ``("train", "epochs")``.
    default
        The value when nobody sets it.
    kinds
        Allowed kinds: names such as ``"path"``, ``"int"``, ``"false"``.
    choices
        The allowed strings, or an empty tuple when any will do.
    comment
        Meaning and unit.
    source
        ``file:line`` of the default.
    limits
        What a number must fulfil: pairs such as ``(">=", 1.0)``.
    """

    key: Key
    default: Any
    kinds: tuple[str, ...]
    choices: tuple[str, ...]
    comment: str
    source: str
    limits: tuple[Limit, ...] = ()

    @property
    def allowed(self) -> str:
        """What the key takes, in words."""
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        limits = "".join(f" {sign} {bound:g}" for sign, bound in self.limits)
        return " or ".join(f"{kind}{limits}" if kind in ("int", "float") else kind for kind in self.kinds)

    def accept(self, value: Any, where: str) -> Any:
        """Return `value` in the key's own type.

        Raises
        ------
        ConfigError
            When the type or the choice is not allowed; `where` names the file and line that set it.
        """
        if value is False and "false" in self.kinds:
            return False
        value = list(value) if isinstance(value, tuple) else value  # as ConfigDict hands lists out
        for kind in self.kinds:
            wanted = _KINDS.get(kind)
            if wanted is float and type(value) is int:
                return self._accept_number(float(value), where)
            if wanted in (int, float) and type(value) is wanted:
                return self._accept_number(value, where)
            if wanted is not None and type(value) is wanted:
                return self._accept_choice(value, where)
        raise ConfigError(
            f"{where}: {join_key(self.key)} = {value!r} is of type {_type_name(type(value))}; "
            f"allowed: {self.allowed}",
            hint=f"the default is {_toml(self.default)}: {self.comment or 'no comment'}",
        )

    def _accept_number(self, value: float, where: str) -> float:
        """Return `value` when it lies within the limits; NaN lies within none."""
        if all(_COMPARE[sign](value, bound) for sign, bound in self.limits):
            return value
        raise ConfigError(
            f"{where}: {join_key(self.key)} = {value!r} is out of range; allowed: {self.allowed}",
            hint=f"the default is {_toml(self.default)}: {self.comment or 'no comment'}",
        )

    def _accept_choice(self, value: Any, where: str) -> Any:
        """Return `value` when the choices, or the types of a list's items, allow it."""
        if self.choices and value not in self.choices:
            near = nearest(str(value), self.choices, 1)
            raise ConfigError(
                f"{where}: {join_key(self.key)} = {value!r} is not allowed; {self.allowed}",
                hint=f"did you mean {near[0]!r}?" if near else f"the default is {_toml(self.default)}",
            )
        if isinstance(value, list) and isinstance(self.default, list) and self.default:
            wanted = type(self.default[0])
            for item in value:
                if type(item) is not wanted and not (wanted is float and type(item) is int):
                    raise ConfigError(
                        f"{where}: {join_key(self.key)} holds {item!r}; items are of type {_NAMES[wanted]}",
                        hint=f"the default is {_toml(self.default)}",
                    )
        return value


@dataclass
class Schema:
    """Every key that the defaults, chemnet's and the plugins', define."""

    keys: dict[Key, KeySpec] = field(default_factory=dict)
    tables: dict[Key, str] = field(default_factory=dict)

    def add_file(self, path: Path) -> None:
        """Add the keys of a `default_config.toml`."""
        values = read_toml(path)
        places = scan(path.read_text(encoding="utf-8"))
        for key, value in _leaves(values, self):
            line, comment = places.get(key, (0, ""))
            self.keys[key] = _key_spec(key, value, comment, f"{path.name}:{line}")

    def copy(self) -> Schema:
        """Return a schema that can grow by itself."""
        return Schema(dict(self.keys), dict(self.tables))

    def is_open(self, key: Key) -> bool:
        """Return whether `key` lies in a table that takes any key: keyword arguments of somebody's class."""
        if any("." in part for part in key[:-1]):
            return key not in self.keys
        return any(self.keys[key[:n]].default == {} for n in range(1, len(key)) if key[:n] in self.keys)

    def unknown(self, key: Key, where: str) -> ConfigError:
        """Return the error for a key that nobody defined, with the nearest that exists."""
        name = join_key(key)
        known = [join_key(candidate) for candidate in self.keys]
        siblings = [join_key(candidate) for candidate in self.keys if candidate[:-1] == key[:-1]]
        near = nearest(name, siblings) or nearest(name, known)
        same_leaf = [join_key(candidate) for candidate in self.keys if candidate[-1] == key[-1]]
        near = list(dict.fromkeys(near + same_leaf))[:3]
        if near:
            hint = "did you mean " + " or ".join(repr(word) for word in near) + "?"
        else:
            hint = "`chemnet config` prints every key with its value"
        return ConfigError(f"{where}: unknown configuration key '{name}'", hint=hint)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        When the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no such configuration file: {path}", hint="check the path after -c") from error
    except IsADirectoryError as error:
        raise ConfigError(
            f"{path} is a folder, not a configuration file", hint="name a .toml file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is not valid TOML: {error}", hint='strings need quotes: key = "value"'
        ) from error


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


def _key_spec(key: Key, default: Any, comment: str, source: str) -> KeySpec:
    """Build the spec of one key from its default and the comment above it."""
    marker = _MARKER.match(comment)
    kinds: tuple[str, ...] = (next(kind for kind, type_ in _PLAIN_KINDS if type(default) is type_),)
    choices: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    if marker and marker.group(1).startswith("one of:"):
        choices = tuple(word.strip().strip("\"'") for word in marker.group(1)[7:].split(","))
    elif marker and (parts := _kinds_and_limits(marker.group(1))):
        kinds, limits = parts
        kinds += ("false",) if default is False and "false" not in kinds else ()
    else:
        marker = None
    return KeySpec(
        key, default, kinds, choices, comment[marker.end() :] if marker else comment, source, limits
    )


def _kinds_and_limits(marker: str) -> tuple[tuple[str, ...], tuple[Limit, ...]] | None:
    """Read a marker such as ``int >= 1 or false``; None when it is a plain remark in brackets."""
    parts = [_KIND.fullmatch(word.strip()) for word in marker.split(" or ")]
    if not all(part and (part.group(1) in _KINDS or part.group(1) == "false") for part in parts):
        return None
    limits = [limit for part in parts if part for limit in _LIMIT.findall(part.group(2))]
    return tuple(part.group(1) for part in parts if part), tuple(
        (sign, float(bound)) for sign, bound in limits
    )


_PLAIN_KINDS: tuple[tuple[str, type], ...] = (
    ("bool", bool),
    ("int", int),
    ("float", float),
    ("str", str),
    ("list", list),
    ("table", dict),
)


def _type_name(kind: type) -> str:
    """Return the name of a type as users of TOML know it."""
    return _NAMES.get(kind, kind.__name__)


def _toml(value: Any) -> str:
    """Write a value as TOML would."""
    return str(value).lower() if isinstance(value, bool) else repr(value)
