"""What a long run has done so far, a line of JSON at a time: on disk at once, so that it can be resumed.

Each entry carries a checksum: of one that a kill cut in half, or a disk changed, nothing is known.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_CHECK = "check"


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Write one entry and wait until it has reached the disk."""
    with path.open("a+b") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 1))
        # half a line may stand there
        begin = b"" if stream.read(1) in (b"", b"\n") else b"\n"
        stream.write(begin + json.dumps({**entry, _CHECK: _checksum(entry)}).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def entries(path: Path) -> list[dict[str, Any]]:
    """Return the whole entries in the order in which they were written."""
    found = []
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        with suppress(ValueError, AttributeError):  # no JSON, or none of an entry
            entry = json.loads(line)
            if entry.pop(_CHECK, None) == _checksum(entry):
                found.append(entry)
    return found


def _checksum(entry: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(entry, sort_keys=True).encode())
