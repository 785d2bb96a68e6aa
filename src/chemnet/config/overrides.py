"""Keys and values as people type them: ``train.epochs=20``, ``"'torch.optim.Adam'.lr"=1e-3``."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from chemnet.config.toml_text import read_toml_text
from chemnet.errors import ConfigError

_SEGMENT = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^.\s"'=\[\]]+))\s*(\.|$)""")
# far beyond any key
_MOST_SEGMENTS = 16
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def split_key(key: str) -> tuple[str, ...]:
    """Split a dotted key; quotes protect the dots inside a segment.

    Raises
    ------
    ConfigError
        When the key is empty, its quotes do not close, or it has more than 16 segments.

    Examples
    --------
    >>> split_key("train.epochs")
    ('train', 'epochs')
    >>> split_key("'torch.optim.Adam'.lr")
    ('torch.optim.Adam', 'lr')
    """
    segments: list[str] = []
    position = 0
    while position < len(key):
        match = _SEGMENT.match(key, position)
        if match is None:
            break
        segments.append(next(group for group in match.groups()[:3] if group is not None))
        position = match.end()
        if len(segments) > _MOST_SEGMENTS:
            break
        if not match.group(4):
            return tuple(segments)
    raise ConfigError(
        f"'{key[:200]}' is not a configuration key", hint="write table.key, for example train.epochs"
    )


def join_key(segments: tuple[str, ...]) -> str:
    """Join the segments of a key, with quotes round those that hold dots.

    Examples
    --------
    >>> join_key(("torch.optim.Adam", "lr"))
    "'torch.optim.Adam'.lr"
    """
    return ".".join(part if _PLAIN.fullmatch(part) else f"'{part}'" for part in segments)


def parse_value(text: str) -> Any:
    """Read a value as TOML; what is no TOML is a string, so that paths need no quotes.

    Examples
    --------
    >>> parse_value("1e-3"), parse_value("false"), parse_value("cuda"), parse_value("[1, 2]")
    (0.001, False, 'cuda', [1, 2])
    """
    try:
        return read_toml_text(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def parse_override(word: str) -> tuple[tuple[str, ...], Any]:
    """Split ``table.key=value`` into the key's segments and its value.

    Raises
    ------
    ConfigError
        When there is no ``=`` or the key cannot be read.
    """
    key, separator, text = word.partition("=")
    if not separator:
        raise ConfigError(f"'{word}' sets nothing", hint="write table.key=value, for example train.epochs=20")
    return split_key(key.strip()), parse_value(text.strip())
