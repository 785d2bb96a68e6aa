"""Setting a key of a configuration file as its author would: comments, order and layout stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chemnet.config.manager import ConfigManager
from chemnet.config.overrides import parse_value, split_key
from chemnet.config.schema import toml_source
from chemnet.config.toml_text import toml_value


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

    text = value if isinstance(value, str) else toml_value(value)
    ConfigManager([path], [f"{key}={text}"])  # refuses what the file must not hold
    *tables, name = split_key(key)
    document = tomlkit.parse(toml_source(path))
    table: Any = document
    for part in tables:
        table = table.setdefault(part, tomlkit.table())
    table[name] = parse_value(text)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(tomlkit.dumps(document), encoding="utf-8")
    draft.replace(path)
    return parse_value(text)
