"""Writing a file that others read, whole or not at all; and telling whether its text is what was written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_CHECKSUM = "# checksum of the lines below: "


def write_whole(path: Path, text: str) -> None:
    """Write a text file atomically: if the process is killed meanwhile, the old file stays."""
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)


def with_checksum(text: str) -> str:
    """Return TOML with a first line that tells `is_as_written` whether the others are what they were."""
    return f"{_CHECKSUM}{_checksum(text)}\n{text}"


def is_as_written(text: str) -> bool:
    """Return whether a text is that of `with_checksum`, byte by byte; one without that line may be any."""
    first, _, rest = text.partition("\n")
    return not first.startswith(_CHECKSUM) or first.removeprefix(_CHECKSUM) == _checksum(rest)


def _checksum(text: str) -> str:
    """Return a digest of a text; a lone surrogate, as a damaged file may hold one, is a character too."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
