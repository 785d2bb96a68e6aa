"""Global heaps, where an HDF5 file keeps texts of any length: a damaged one makes libhdf5 look for ever.

Layout (HDF5 File Format Specification 3.0, III.E): a collection is `GCOL`, version, its size, then objects of
16 bytes and their content, padded to 8 bytes; object 0 is what is free, with its own 16 bytes in its size.
"""

from __future__ import annotations

from pathlib import Path

from chemnet.errors import DataError

# signature, version 1, reserved
_COLLECTION = b"GCOL\x01\0\0\0"
_HEADER = 16
# of larger files reading the bytes once more would cost too much [bytes]
_LARGEST_SEARCHED = 64 << 20


def refuse_endless_heaps(path: Path) -> None:
    """Refuse a file with a collection whose objects do not fill it one after the other.

    Raises
    ------
    DataError
        With the place in the file.
    """
    if path.stat().st_size > _LARGEST_SEARCHED:
        return
    content = path.read_bytes()
    place = content.find(_COLLECTION)
    while place >= 0:
        end, at = place + _number(content, place + 8), place + _HEADER
        while at + _HEADER <= end <= len(content):
            size = _number(content, at + 8)
            length = _HEADER + (size + 7) // 8 * 8 if content[at : at + 2] != b"\0\0" else size
            if length < _HEADER or at + length > end:
                raise DataError(
                    f"{path}: not a readable HDF5 file (the heap at byte {place} is damaged)",
                    hint="copy or write the file again",
                )
            at += length
        place = content.find(_COLLECTION, place + len(_COLLECTION))


def _number(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 8], "little")
