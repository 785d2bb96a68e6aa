"""The weight file of an exported surrogate: arrays behind a checksum; `c/src/bundle_file.c` reads it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.errors import ModelError

MAGIC, FORMAT, _BYTE_ORDER = b"CHEMNETS", 1, 0x01020304
_HEADER = struct.Struct("<8sIIQQQ")
_ENTRY = struct.Struct("<48sQQQQQ")
# as `array_kind` of bundle_file.h
_KINDS = {np.dtype("<f4"): 0, np.dtype("<f8"): 1, np.dtype("<i8"): 2, np.dtype("S1"): 3}
_TEXT = 3
_AGAIN = "copy or export it again"
_ALIGNMENT = 64
_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


def write_weight_file(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays of float32, float64 or int64, of one or two axes, and texts."""
    rows = {name: _as_row(values) for name, values in arrays.items()}
    offset = _aligned(_HEADER.size + len(rows) * _ENTRY.size)
    entries, blocks = [], []
    for name, array in rows.items():
        shape = (*array.shape, 1)[:2]
        entries.append(_ENTRY.pack(name.encode(), _KINDS[array.dtype], *shape, offset, array.nbytes))
        padded = _aligned(array.nbytes)
        blocks.append(array.tobytes() + bytes(padded - array.nbytes))
        offset += padded
    body = b"".join(entries)
    body += bytes(_aligned(_HEADER.size + len(body)) - _HEADER.size - len(body)) + b"".join(blocks)
    header = _HEADER.pack(MAGIC, FORMAT, _BYTE_ORDER, _HEADER.size + len(body), len(rows), checksum(body))
    path.write_bytes(header + body)


def read_weight_file(path: Path) -> dict[str, NDArray[Any] | str]:
    """Return the arrays and texts of a weight file.

    Raises
    ------
    ModelError
        When it is none, of another format, or damaged.
    """
    content = path.read_bytes()
    if len(content) < _HEADER.size or content[:8] != MAGIC:
        raise ModelError(f"{path} is no weight file of chemnet", hint="export the surrogate again")
    _, version, order, size, count, expected = _HEADER.unpack_from(content)
    if version != FORMAT or order != _BYTE_ORDER:
        raise ModelError(f"{path} has format {version}; this chemnet reads {FORMAT}", hint="export it again")
    if size != len(content) or checksum(content[_HEADER.size :]) != expected:
        raise ModelError(f"{path} is damaged: its checksum is wrong", hint=_AGAIN)
    if _HEADER.size + count * _ENTRY.size > len(content):
        raise ModelError(f"{path} is damaged: it has no room for {count} arrays", hint=_AGAIN)
    try:
        return dict(_entry(content, _HEADER.size + number * _ENTRY.size) for number in range(count))
    except ValueError as error:
        raise ModelError(f"{path} is damaged: {error}", hint=_AGAIN) from error


def _entry(content: bytes, start: int) -> tuple[str, NDArray[Any] | str]:
    """Return name and content of the array that an entry describes, or raise ValueError."""
    name, kind, rows, columns, offset, n_bytes = _ENTRY.unpack_from(content, start)
    key = name.rstrip(b"\0").decode()
    block = content[offset : offset + n_bytes]
    if kind >= len(_KINDS) or len(block) != n_bytes:
        raise ValueError(f"array {key!r} has kind {kind} and {n_bytes} bytes at {offset}")
    if kind == _TEXT:
        return key, block.decode()
    dtype = list(_KINDS)[kind]
    if n_bytes != rows * columns * dtype.itemsize:
        raise ValueError(f"array {key!r} has shape ({rows}, {columns}) and {n_bytes} bytes")
    return key, np.frombuffer(block, dtype).reshape(rows, columns)


def checksum(content: bytes) -> int:
    """Return FNV-1a over 64-bit words, each folded once, as `bundle_file.c` computes it."""
    words = np.frombuffer(content + bytes(-len(content) % 8), "<u8").tolist()
    total = _OFFSET
    for word in words:
        total = ((total ^ word) * _PRIME) & _MASK
        total ^= total >> 32
    return total


def _as_row(values: Any) -> NDArray[Any]:
    if isinstance(values, str):
        return np.frombuffer(values.encode(), "S1")
    return np.ascontiguousarray(values)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
