"""Editing a configuration file as its author would: comments, order and layout stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chemnet.config.allowed_values import Key
from chemnet.config.manager import ConfigManager, lies_in_result
from chemnet.config.migrations import change_in_words, modern
from chemnet.config.overrides import parse_value, split_key
from chemnet.config.schema import Schema, flatten, toml_source
from chemnet.config.toml_text import read_toml_text, toml_value
from chemnet.errors import ConfigError


def set_in_file(path: Path, key: str, value: Any) -> Any:
    """Write one key into a TOML file and return its value there.

    Parameters
    ----------
    path
        The file.
    key
        Dotted key; quotes protect dots in a segment.
    value
        The value; text is read as a word of the command line is.

    Raises
    ------
    ConfigError
        For a key that does not exist or a value of the wrong type; the file stays as it was.
    """
    import tomlkit

    _refuse_result(path)
    text = value if isinstance(value, str) else toml_value(value)
    ConfigManager([path], [f"{key}={text}"])  # refuses what the file must not hold
    *tables, name = split_key(key)
    document = tomlkit.parse(toml_source(path))
    table: Any = document
    for part in tables:
        table = table.setdefault(part, tomlkit.table())
    table[name] = parse_value(text)
    _replace(path, tomlkit.dumps(document))
    return parse_value(text)


def migrate_file(path: Path) -> list[str]:
    """Rewrite what a TOML file says in an older chemnet's words, and return each change in words.

    Raises
    ------
    ConfigError
        When today's configuration refuses the file for another reason, or a key stands where it cannot be
        moved from; the file stays as it was.
    """
    import tomlkit

    _refuse_result(path)
    ConfigManager([path])
    document = tomlkit.parse(toml_source(path))
    values = _settings(toml_source(path))
    changes = [((key, value), modern(key, value)) for key, value in values.items()]
    changes = [(old, new) for old, new in changes if old != new]
    for (key, _), (place, value) in changes:
        _move(document, key, place, value)
    text = tomlkit.dumps(document)
    if _settings(text) != dict(modern(key, value) for key, value in values.items()):
        words = "; ".join(change_in_words(old, new) for old, new in changes)
        raise ConfigError(f"{path} cannot be rewritten by itself", hint=f"edit it by hand: {words}")
    if changes:
        _replace(path, text)
    return [change_in_words(old, new) for old, new in changes]


def _refuse_result(path: Path) -> None:
    if lies_in_result(path):
        raise ConfigError(f"{path} belongs to a result", hint="results are never edited: change a copy")


def _settings(text: str) -> dict[Key, Any]:
    """Return the values of a TOML text by key."""
    return dict(flatten(read_toml_text(text), Schema()))


def _move(document: Any, key: Key, place: Key, value: Any) -> None:
    """Set `place` in a document, with the comments of `key`, which goes unless it is the same."""
    import tomlkit

    source, target = _table(document, key[:-1]), document
    if key == place:
        source[key[-1]] = value
        return
    for part in place[:-1]:
        target = target.setdefault(part, tomlkit.table())
    comments = _comments_above(source, key[-1])
    item = source.pop(key[-1])
    for comment in comments:
        target.add(tomlkit.comment(comment))
    target.add(place[-1], item)
    if item.unwrap() != value:
        target[place[-1]] = value


def _table(document: Any, path: Key) -> Any:
    for part in path:
        document = document[part]
    return document


def _comments_above(table: Any, name: str) -> list[str]:
    """Take the comment lines right above a key out of its table, and return them without their signs."""
    from tomlkit.items import Comment, Null

    body = getattr(table, "value", table).body
    place = next(i for i, (key, _) in enumerate(body) if key is not None and key.key == name)
    first = place
    while first > 0 and isinstance(body[first - 1][1], Comment):
        first -= 1
    lines = [str(item.as_string()).strip().removeprefix("#").strip() for _, item in body[first:place]]
    for i in range(first, place):
        body[i] = (None, Null())
    return lines


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
