"""What one key takes: the type of its default, and the marker in the comment above it.

The default's type is the schema. The comment above a key may begin with a marker in brackets that says more
than the default can: ``[path]``, ``[result]``, ``[name]``, ``[str]``, ``[int]``, ``[float]``, ``[list]``,
alternatives such as ``[float or false]``, limits such as ``[int >= 1]`` or ``[float > 0 <= 1]``, the items of
a list as ``[list of int >= 1]`` or ``[non-empty list of int >= 1]``, or ``[one of: a, b, c:<index>]``. A
default of ``false`` with a marker means "not set". Numbers are finite, and paths, results and names are not
empty.
"""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass, replace
from typing import Any

from chemnet.config.overrides import join_key
from chemnet.errors import ConfigError, nearest

Key = tuple[str, ...]
Limit = tuple[str, float]

_MARKER = re.compile(r"\[([^\]]+)\]\s*")
_KIND = re.compile(
    r"(?:(?P<non_empty>non-empty )?list of (?P<items>int|float|str)|(?P<kind>[a-z]+))"
    r"(?P<limits>(?:\s*(?:>=|<=|>|<)\s*[-+.\deE]+)*)"
)
_LIMIT = re.compile(r"(>=|<=|>|<)\s*([-+.\deE]+)")
# part of a file name: no separator, and neither hidden nor "." or ".."
_NAME = re.compile(r"[^\s./\\][^/\\]*")
_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_NAMES = {bool: "true or false", int: "int", float: "float", str: "str", list: "list", dict: "table"}
_KINDS: dict[str, type] = {
    "path": str,
    "result": str,
    "name": str,
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "table": dict,
}


@dataclass(frozen=True)
class Marker:
    """What a marker says.

    Attributes
    ----------
    kinds
        Allowed kinds: names such as ``"path"``, ``"int"``, ``"false"``.
    choices
        The allowed strings, or an empty tuple when any will do.
    limits
        What a number, or each number of a list, must fulfil: pairs such as ``(">=", 1.0)``.
    items
        The kind of a list's items; empty: the type of the default's first.
    non_empty
        Whether a list needs an item.
    """

    kinds: tuple[str, ...]
    choices: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    items: str = ""
    non_empty: bool = False

    @property
    def allowed(self) -> str:
        """What the key takes, in words."""
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        limits = "".join(f" {sign} {bound:g}" for sign, bound in self.limits)
        of_items = f"{'non-empty ' * self.non_empty}list of {self.items}{limits}" if self.items else "list"
        told = {"int": f"int{limits}", "float": f"float{limits}", "list": of_items}
        return " or ".join(told.get(kind, kind) for kind in self.kinds)


@dataclass(frozen=True)
class KeySpec:
    """One key of the defaults.

    Attributes
    ----------
    key
        Its segments, for example ``("train", "epochs")``.
    default
        The value when nobody sets it.
    takes
        Kinds, choices and limits of its values.
    comment
        Meaning and unit.
    source
        ``file:line`` of the default.
    """

    key: Key
    default: Any
    takes: Marker
    comment: str
    source: str

    @property
    def kinds(self) -> tuple[str, ...]:
        """Allowed kinds: names such as ``"path"``, ``"int"``, ``"false"``."""
        return self.takes.kinds

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed strings, or an empty tuple when any will do."""
        return self.takes.choices

    @property
    def allowed(self) -> str:
        """What the key takes, in words."""
        return self.takes.allowed

    def accept(self, value: Any, where: str) -> Any:
        """Return `value` in the key's own type.

        Raises
        ------
        ConfigError
            When type, choice or range are not allowed; `where` names the file and line that set the value.
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
            if wanted is list and type(value) is list:
                return self._accept_list(value, where)
            if wanted is not None and type(value) is wanted:
                return self._accept_text(value, kind, where)
        name = _NAMES.get(type(value), type(value).__name__)
        message = f"{where}: {join_key(self.key)} = {value!r} is of type {name}; allowed: {self.allowed}"
        if type(value) is str and "list" in self.kinds:
            raise ConfigError(message, hint=f'quote the items: \'{join_key(self.key)}=["a", "b"]\'')
        raise self._refused(message)

    def _accept_number(self, value: float, where: str) -> float:
        """Return `value` when it is finite and lies within the limits."""
        if _is_finite(value) and self._within_limits(value):
            return value
        finite = "" if _is_finite(value) else ", finite"
        raise self._refused(
            f"{where}: {join_key(self.key)} = {value!r} is out of range; allowed: {self.allowed}{finite}"
        )

    def _accept_list(self, values: list[Any], where: str) -> list[Any]:
        """Return `values` when their number, and the type and range of each, are allowed."""
        if self.takes.non_empty and not values:
            raise self._refused(
                f"{where}: {join_key(self.key)} is empty; allowed: {self.allowed}, at least one item"
            )
        wanted = self._item_type()
        if wanted is None:
            return values
        for item in values:
            if type(item) is not wanted and not (wanted is float and type(item) is int):
                raise self._refused(
                    f"{where}: {join_key(self.key)} holds {item!r}; items are of type {_NAMES[wanted]}"
                )
            if not (_is_finite(item) and self._within_limits(item)):
                raise self._refused(
                    f"{where}: {join_key(self.key)} holds {item!r}, which is out of range; "
                    f"allowed: {self.allowed}"
                )
        return values

    def _accept_text(self, value: Any, kind: str, where: str) -> Any:
        """Return a string, bool or table when it is one of the choices, and what must not be empty is not."""
        if self.choices and not any(_is_choice(value, choice) for choice in self.choices):
            near = nearest(str(value), self.choices, 1)
            raise ConfigError(
                f"{where}: {join_key(self.key)} = {value!r} is not allowed; {self.allowed}",
                hint=f"did you mean {near[0]!r}?" if near else f"the default is {_toml(self.default)}",
            )
        if kind in ("path", "result") and not value.strip():
            raise self._refused(f"{where}: {join_key(self.key)} is empty; allowed: {self.allowed}")
        if kind == "name" and not _NAME.fullmatch(value):
            raise self._refused(
                f"{where}: {join_key(self.key)} = {value!r} is no name; "
                "allowed: letters, digits and signs but no '/' or '\\', and no dot or space in front"
            )
        return value

    def _item_type(self) -> type | None:
        """Return the type of a list's items: the marker's, else that of the default's first item."""
        if self.takes.items:
            return _KINDS[self.takes.items]
        return type(self.default[0]) if isinstance(self.default, list) and self.default else None

    def _within_limits(self, value: Any) -> bool:
        return all(_COMPARE[sign](value, bound) for sign, bound in self.takes.limits)

    def _refused(self, message: str) -> ConfigError:
        """Return the error with the default and the key's meaning as the next step."""
        return ConfigError(
            message, hint=f"the default is {_toml(self.default)}: {self.comment or 'no comment'}"
        )


def key_spec(key: Key, default: Any, comment: str, source: str) -> KeySpec:
    """Build the spec of one key from its default and the comment above it."""
    found = _MARKER.match(comment)
    marker = read_marker(found.group(1)) if found else None
    plain = next(kind for kind, type_ in _PLAIN_KINDS if type(default) is type_)
    if found is None or marker is None:
        return KeySpec(key, default, Marker((plain,)), comment, source)
    if marker.choices:
        marker = replace(marker, kinds=(plain,))
    elif default is False and "false" not in marker.kinds:
        marker = replace(marker, kinds=(*marker.kinds, "false"))
    return KeySpec(key, default, marker, comment[found.end() :], source)


def read_marker(text: str) -> Marker | None:
    """Read what stands in the brackets, such as ``int >= 1 or false``; None: it is a plain remark.

    Examples
    --------
    >>> read_marker("non-empty list of int >= 1").allowed
    'non-empty list of int >= 1'
    >>> read_marker("kg") is None
    True
    """
    if text.startswith("one of:"):
        return Marker((), tuple(word.strip().strip("\"'") for word in text[7:].split(",")))
    parts = [found for word in text.split(" or ") if (found := _KIND.fullmatch(word.strip()))]
    kinds = tuple("list" if part["items"] else part["kind"] for part in parts)
    if len(parts) != len(text.split(" or ")) or not {*kinds} <= {*_KINDS, "false"}:
        return None
    limits = [limit for part in parts for limit in _LIMIT.findall(part["limits"])]
    return Marker(
        kinds,
        limits=tuple((sign, float(bound)) for sign, bound in limits),
        items=next((part["items"] for part in parts if part["items"]), ""),
        non_empty=any(part["non_empty"] for part in parts),
    )


_PLAIN_KINDS: tuple[tuple[str, type], ...] = (
    ("bool", bool),
    ("int", int),
    ("float", float),
    ("str", str),
    ("list", list),
    ("table", dict),
)


def _is_choice(value: Any, choice: str) -> bool:
    """Return whether a value is one of the allowed; ``<index>`` in that one stands for any whole number."""
    pattern = re.escape(choice).replace("<index>", r"\d+")
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _is_finite(value: Any) -> bool:
    """Return whether a value is neither infinite nor NaN; what is no float cannot be."""
    return not isinstance(value, float) or math.isfinite(value)


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
