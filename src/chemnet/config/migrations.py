"""What older configuration files say in other words: keys that have moved, and values that are spelt anew.

Such files are read as they are, with one message that names old and new; `chemnet.config.edit` rewrites them.
A key that gets another name, or a value that gets another spelling, is entered here in the same commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chemnet.config.allowed_values import Key
from chemnet.config.overrides import join_key
from chemnet.config.toml_text import toml_value

#: old key or table -> its place now
MOVED: Mapping[Key, Key] = {}
#: key -> (old value, what is written for it now)
RESPELT: Mapping[Key, tuple[Any, Any]] = {("preprocess", "compression"): (False, "none")}


def modern(key: Key, value: Any) -> tuple[Key, Any]:
    """Return a key and its value as today's configuration has them; most are as they were.

    Parameters
    ----------
    key, value
        Of an older file, perhaps.
    """
    for length in range(len(key), 0, -1):
        if key[:length] in MOVED:
            key = MOVED[key[:length]] + key[length:]
            break
    old, new = RESPELT.get(key, (None, None))
    return key, (new if type(value) is type(old) and value == old else value)


def change_in_words(old: tuple[Key, Any], new: tuple[Key, Any]) -> str:
    """Return which words of an older file mean which of today's: ``"a.b is now a.c"``."""
    if old[0] != new[0]:
        return f"{join_key(old[0])} is now {join_key(new[0])}"
    return f"{join_key(old[0])} = {toml_value(old[1])} is now {toml_value(new[1])}"


def twice(keys: Iterable[Key]) -> Key | None:
    """Return the first key that comes twice, once under its old name; None where none does."""
    seen: set[Key] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    return None
