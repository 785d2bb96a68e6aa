"""HDF5 files that are written through a failure: the library is no longer sound after a write that failed.

After a full disk libhdf5 keeps identifiers of files that it could not close, and a later, innocent use of
them ends the process. So no write fails towards the library: the first fault is kept, what follows it is
dropped, and whoever closes the file is told.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py


class HDF5Output:
    """A new HDF5 file.

    Parameters
    ----------
    path
        The file to make.

    Attributes
    ----------
    file
        The file as h5py knows it.
    """

    def __init__(self, path: str | Path) -> None:
        self._disk = _Disk(Path(path))
        self.file = h5py.File(self._disk, "w")
        self.check()

    def check(self) -> None:
        """Raise the first fault of the disk, if there was one.

        Raises
        ------
        OSError
            Such as a full disk.
        """
        if self._disk.fault is not None:
            raise self._disk.fault

    def close(self) -> None:
        """Write what is left and close the file; as `check`."""
        self.discard()
        self.check()

    def discard(self) -> None:
        """Close the file, whether or not all of it could be written."""
        try:
            self.file.close()
        finally:
            self._disk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()
        if error is None:
            self.check()


class _Disk:
    """What h5py writes to; `fault` is what was the matter with the disk, and Ctrl-C is one, too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = path.open("w+b", buffering=0)
        self.fault: BaseException | None = None

    def write(self, data: Any) -> int:
        """Write all of some bytes, or keep what went wrong."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest and self.fault is None:
            try:
                rest = rest[self._stream.write(rest) :]
            except BaseException as error:
                self._keep(error)
        return size

    def truncate(self, size: int) -> None:
        """Set the size of the file."""
        try:
            self._stream.truncate(size)
        except BaseException as error:
            self._keep(error)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        return self._stream.readinto(buffer)

    def read(self, size: int = -1) -> bytes:
        """Return bytes."""
        return self._stream.read(size)

    def seek(self, *place: int) -> int:
        """Go to a place."""
        return self._stream.seek(*place)

    def tell(self) -> int:
        """Return the place."""
        return self._stream.tell()

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _keep(self, error: BaseException) -> None:
        if isinstance(error, OSError):
            error.filename = str(self._path)
        self.fault = self.fault or error
