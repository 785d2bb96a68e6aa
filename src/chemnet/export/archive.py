"""A bundle as one .zip file: the same folder, under the file's name."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chemnet.errors import ModelError

SUFFIX = ".zip"
# unpacked, at most [bytes]: a bundle comes from anybody, and weights do not shrink a thousandfold
_MOST_BYTES = 2**31
# files have no times, so that the same bundle is the same file
_EPOCH = (1980, 1, 1, 0, 0, 0)


def is_archive(path: Path) -> bool:
    """Return whether a bundle of this name is, or would be, one file."""
    return path.suffix.lower() == SUFFIX and not path.is_dir()


def pack(folder: Path, path: Path) -> None:
    """Write a bundle's folder as one file."""
    partial = path.with_name(f".partial-{path.name}")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(found for found in folder.rglob("*") if found.is_file()):
            entry = zipfile.ZipInfo(f"{path.stem}/{file.relative_to(folder).as_posix()}", _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    partial.replace(path)


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Yield the folder of a bundle, which of one file is a temporary one.

    Raises
    ------
    ModelError
        When the file is no archive of one folder, is damaged, or unpacks to more than any bundle holds.
    """
    if not (path.is_file() and is_archive(path)):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="chemnet-bundle-") as scratch:
        _unpack(path, Path(scratch))
        folders = list(Path(scratch).iterdir())
        if len(folders) != 1 or not folders[0].is_dir():
            raise ModelError(
                f"{path} holds {len(folders)} files or folders; a bundle is one folder",
                hint="chemnet export SURROGATE --output NAME.zip",
            )
        yield folders[0]


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                raise ModelError(f"{path} unpacks to more than 2 GiB", hint="no bundle of chemnet does")
            archive.extractall(folder)
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path} cannot be unpacked: {error}", hint="copy it again, or export it again"
        ) from error
