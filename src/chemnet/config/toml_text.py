"""Reading TOML within limits, and writing nested plain values as TOML, in a hundredth of tomlkit's time."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# what a basic string must not hold as it is: quotes, backslashes, control characters
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f]')
# tables and arrays within one another, and whole numbers [bits]: far beyond what anybody writes
_DEEPEST, _WIDEST = 32, 63
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def read_toml_text(text: str) -> dict[str, Any]:
    """Return the values of a TOML document.

    Raises
    ------
    tomllib.TOMLDecodeError
        When it is none, is nested more than 32 deep, or holds a whole number beyond 64 bits.
    """
    try:
        values = tomllib.loads(text)
    except RecursionError as error:
        raise _too_deep() from error
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        # a date that is none, or thousands of digits
        raise tomllib.TOMLDecodeError(str(error)) from error
    level: list[Any] = [values]
    for _ in range(_DEEPEST):
        if not level:
            return values
        level = [inner for outer in level for inner in _members(outer)]
    raise _too_deep()


def _members(value: Any) -> Iterator[Any]:
    """Yield what lies in a table or array; a whole number must fit into 64 bits."""
    if isinstance(value, int) and value.bit_length() > _WIDEST:
        raise tomllib.TOMLDecodeError(f"a whole number of {value.bit_length()} bits; 64 are allowed")
    if isinstance(value, dict | list):
        yield from value.values() if isinstance(value, dict) else value


def _too_deep() -> tomllib.TOMLDecodeError:
    return tomllib.TOMLDecodeError(f"tables and arrays are nested more than {_DEEPEST} deep")


def toml_text(values: Mapping[str, Any]) -> str:
    """Return nested mappings of bool, int, float, str and sequences as a TOML document.

    Parameters
    ----------
    values
        The document; plain values stand above tables, each in the mapping's order.

    Raises
    ------
    TypeError
        For a value that TOML cannot hold, None among them.

    Examples
    --------
    >>> print(toml_text({"train": {"epochs": 3, "torch.nn.GELU": {}}}))
    [train]
    epochs = 3
    <BLANKLINE>
    [train."torch.nn.GELU"]
    <BLANKLINE>
    """
    return "\n".join(_lines(values, "")).lstrip("\n") + "\n"


def _lines(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield the lines of a table: its own values, then its tables under their headers."""
    tables = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            tables[f"{prefix}{_key(name)}"] = value
        else:
            yield f"{_key(name)} = {toml_value(value)}"
    for header, table in tables.items():
        yield f"\n[{header}]"
        yield from _lines(table, f"{header}.")


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _string(name)


def toml_value(value: Any) -> str:
    """Return one value as TOML writes it; a mapping becomes an inline table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(float(value))
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(name)} = {toml_value(item)}' for name, item in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(toml_value, value))}]"
    raise TypeError(f"TOML cannot hold {value!r} of type {type(value).__name__}")


def _string(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _SHORT_ESCAPES.get(character) or f"\\u{ord(character):04x}"
