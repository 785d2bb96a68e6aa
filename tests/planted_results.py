"""Results whose files were edited by somebody who made their records fit again."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from chemnet.config.toml_text import toml_text
from chemnet.results.digests import file_digest
from chemnet.results.layout import RESULT_FILE


def plant(result: Path, file: str, changes: dict[str, Any]) -> None:
    """Set dotted keys of a file of a result, and make its record fit again."""
    read, write = (json.loads, json.dumps) if file.endswith(".json") else (tomllib.loads, toml_text)
    content = read((result / file).read_text(encoding="utf-8"))
    for dotted, value in changes.items():
        table, *parts = content, *dotted.split("/")
        for part in parts[:-1]:
            table = table.setdefault(part, {})
        table[parts[-1]] = value
    (result / file).write_text(write(content), encoding="utf-8")
    if file != RESULT_FILE and (result / RESULT_FILE).is_file():
        record = record_of(result / file)
        info = tomllib.loads((result / RESULT_FILE).read_text(encoding="utf-8"))
        if file == "runtime_config.toml":
            plant(result, RESULT_FILE, {"config_digest": record["digest"]})
        if file in info["files"]:
            plant(result, RESULT_FILE, {f"files/{file}": record})


def record_of(path: Path) -> dict[str, Any]:
    """Return what `result.toml` says of a file."""
    return {"size": path.stat().st_size, "digest": file_digest(path)}
