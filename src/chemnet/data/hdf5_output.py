"""HDF5 files that are written through a failure: the library is no longer sound after a write that failed.

After a full disk libhdf5 keeps identifiers of files that it could not close, and a later, innocent use of
them ends the process. So no write fails towards the library: the first fault is kept, what the disk refuses
stays in memory until the file is closed, and whoever writes is told. For the same reason Ctrl-C and SIGTERM
wait for the end of a write; a second one does not, except inside the library.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Literal, Self

import h5py


class HDF5Output:
    """An HDF5 file to write.

    Parameters
    ----------
    path
        The file.
    mode
        ``"w"`` to make it anew, ``"r+"`` to change one that is there.

    Attributes
    ----------
    file
        The file as h5py knows it.
    """

    def __init__(self, path: str | Path, mode: Literal["w", "r+"] = "w") -> None:
        self._disk = _Disk(Path(path), mode)
        self._is_open = True
        _signals.hold()
        try:
            self.file = h5py.File(path, mode, driver="fileobj", fileobj=self._disk)
        except BaseException:
            self._let_go()
            raise

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """Close the file if the block fails: for constructors, whose object nobody can close yet."""
        try:
            yield
        except BaseException:
            self.discard()
            raise

    def check(self) -> None:
        """Raise the first fault of the disk, if there was one, and let a signal through that has waited.

        Call it now and then: until then what the disk refused takes memory.

        Raises
        ------
        OSError
            Such as a full disk.
        """
        _signals.deliver()
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
            self._let_go()

    def _let_go(self) -> None:
        self._disk.close()
        if self._is_open:
            self._is_open = False
            _signals.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()
        if error is None:
            self.check()


class _WaitingSignals:
    """Keeps Ctrl-C and SIGTERM waiting while files are open: an exception must not pass through HDF5."""

    def __init__(self) -> None:
        self._holders = 0
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._waiting: int | None = None

    def hold(self) -> None:
        """Begin to keep signals waiting; only the main thread sees any."""
        self._holders += 1
        if self._holders == 1 and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._keep)

    def release(self) -> None:
        """Give the signals back to whom they belonged, with the one that has waited."""
        self._holders -= 1
        if self._holders == 0:
            handlers, self._handlers = self._handlers, {}
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._pass_on(handlers)

    def deliver(self) -> None:
        """Handle the signal that has waited."""
        self._pass_on(self._handlers)

    def _keep(self, number: int, frame: FrameType | None) -> None:
        inside_library = frame is not None and isinstance(frame.f_locals.get("self"), _Disk)
        if self._waiting is not None and not inside_library:
            self._handlers[number](number, frame)
        self._waiting = number

    def _pass_on(self, handlers: dict[int, Callable[[int, FrameType | None], Any]]) -> None:
        number, self._waiting = self._waiting, None
        if number is not None:
            handlers[number](number, None)


_signals = _WaitingSignals()


class _Disk:
    """What h5py writes to; `fault` is what was the matter with the disk.

    HDF5 reads again what it wrote, such as where the texts of a dataset stand that it is about to replace.
    What the disk refused is therefore kept, and given back.
    """

    def __init__(self, path: Path, mode: str) -> None:
        self._path = path
        self._stream = path.open("w+b" if mode == "w" else "r+b", buffering=0)
        self._refused: list[tuple[int, bytes]] = []
        self.fault: BaseException | None = None

    def write(self, data: Any) -> int:
        """Write all of some bytes, or keep them with what went wrong."""
        place, content = self._stream.tell(), memoryview(data).cast("B")
        rest = content
        while rest and self.fault is None:
            try:
                rest = rest[self._stream.write(rest) :]
            except BaseException as error:
                self._keep(error)
        if self.fault is not None:
            self._refused.append((place, bytes(content)))
        return len(content)

    def truncate(self, size: int) -> None:
        """Set the size of the file."""
        try:
            self._stream.truncate(size)
        except BaseException as error:
            self._keep(error)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, with zeros where nobody wrote."""
        place, space = self._stream.tell(), memoryview(buffer).cast("B")
        found = self._stream.readinto(space)
        space[found:] = bytes(len(space) - found)
        for start, data in self._refused:
            first, last = max(start, place), min(start + len(data), place + len(space))
            if first < last:
                space[first - place : last - place] = data[first - start : last - start]
        return len(space)

    def seek(self, place: int, origin: int = os.SEEK_SET) -> int:
        """Go to a place."""
        if origin == os.SEEK_END:
            ends = (start + len(data) for start, data in self._refused)
            place += max(self._stream.seek(0, os.SEEK_END), *ends, 0)
        return self._stream.seek(place)

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
