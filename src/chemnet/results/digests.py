"""Digests: what a result holds, and what it was made from.

A result's digest is taken over the digests of its files, so a file that changes changes the result. Parents
are remembered by digest: a result that was made again under the same name is another result.

The digests tell whether bytes changed, by accident or by another run. They are no signatures: whoever may
change a file may change the digest beside it. So they are XXH3's, which take less time than reading does.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chemnet.results.layout import CONFIG_FILE, LOG_FILE, RESULT_FILE

# bytes read at a time: few calls, and still in the processor's cache when they are hashed
_BLOCK = 1 << 18
_XXH3 = "xxh3_128"
# the others are of older results
_ALGORITHMS = frozenset({_XXH3, "blake2b", "sha256"})
# files that a result grows while it is used, or that only describe it
NOT_HASHED = frozenset({RESULT_FILE, CONFIG_FILE, LOG_FILE, "running.toml"})


# seconds after which a change of a file shows in its time of change: the clocks of file systems are coarse
_CLOCK_S = 2.0
# what this process has read whole: place, record, and what the system says of an untouched file
_read_whole: set[tuple[Path, FileRecord, tuple[int, ...]]] = set()


@dataclass(frozen=True)
class ParentRef:
    """A result that another was made from: where it stood, and the digest of what it held."""

    path: Path
    digest: str


@dataclass(frozen=True)
class FileRecord:
    """Size in bytes and digest of one file of a result; the digest begins with its algorithm's name."""

    size: int
    digest: str

    def describes(self, path: Path) -> bool:
        """Return whether a file holds the recorded bytes."""
        # results from before digests had names hold BLAKE2b ones
        algorithm = self.digest.partition(":")[0] if ":" in self.digest else "blake2b"
        is_known = algorithm in _ALGORITHMS
        return is_known and path.stat().st_size == self.size and file_digest(path, algorithm) == self.digest

    def described(self, path: Path) -> bool:
        """Return what `describes` does, and read a file again only when it may have changed since.

        What another process has read counts for nothing: the disk may have lost a bit without a trace.
        """
        state = path.stat()
        unique = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        seen = (path, self, unique)
        if seen in _read_whole:
            return True
        holds = self.describes(path)
        if holds and time.time() - max(state.st_mtime, state.st_ctime) > _CLOCK_S:
            _read_whole.add(seen)
        return holds


def file_digest(path: Path, algorithm: str = _XXH3) -> str:
    """Return the digest of a file's bytes: ``"xxh3_128:<hex>"``; a bare one for ``"blake2b"`` (128 bit)."""
    digest = _digest(algorithm)
    buffer = memoryview(bytearray(_BLOCK))
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest() if algorithm == "blake2b" else f"{algorithm}:{digest.hexdigest()}"


def content_digest(parts: Iterable[Any]) -> str:
    """Return the digest of buffers, one after the other, as `file_digest` does of a file."""
    digest = _digest(_XXH3)
    for part in parts:
        digest.update(part)
    return f"{_XXH3}:{digest.hexdigest()}"


def _digest(algorithm: str) -> Any:
    """Return the digest of no bytes yet; those that hashlib makes are of older results."""
    if algorithm == _XXH3:
        import xxhash

        return xxhash.xxh3_128()
    return hashlib.blake2b(digest_size=16) if algorithm == "blake2b" else hashlib.new(algorithm)


def record_files(folder: Path, living: tuple[str, ...] = ()) -> dict[str, FileRecord]:
    """Return the record of every file under `folder`.

    Parameters
    ----------
    folder
        The result directory.
    living
        Names of subfolders whose files change in normal use (a database), which have no digest.
    """
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in (*NOT_HASHED, *living)
    ]
    with ThreadPoolExecutor() as pool:  # hashing releases the interpreter lock
        digests = list(pool.map(file_digest, paths))
    return {
        path.relative_to(folder).as_posix(): FileRecord(path.stat().st_size, digest)
        for path, digest in zip(paths, digests, strict=True)
    }


def combined_digest(files: Mapping[str, FileRecord], *identity: str) -> str:
    """Return the digest of a whole result, from its files' records and what else tells it apart."""
    digest = hashlib.blake2b(digest_size=16)
    for word in identity:
        digest.update(f"{word}\n".encode())
    for name in sorted(files):
        digest.update(f"{name} {files[name].size} {files[name].digest}\n".encode())
    return digest.hexdigest()


def parent_table(parents: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return what `result.toml` keeps of the parents; takes `ResultDirectory` or `ParentRef` values."""
    return {name: {"path": str(parent.path), "digest": parent.digest} for name, parent in parents.items()}
