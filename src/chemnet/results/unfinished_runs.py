"""The hidden directories of runs that are under way or broke off."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TextIO

from chemnet.config import ConfigDict
from chemnet.config.toml_text import read_toml_text
from chemnet.errors import ResultsError
from chemnet.results.layout import PARTIAL_PREFIX
from chemnet.results.locks import try_lock
from chemnet.results.result_names import run_folder

RUNNING_FILE = "running.toml"
# of a process on another machine that shares the folder nobody here can say whether it lives
RunState = Literal["running", "unfinished", "unknown"]
# longest wait for the lock of a run that somebody only looks at [s]
_PATIENCE = 1.0


class OwnedRun:
    """The right to work in a hidden directory, which one process at a time can have.

    It is a lock of the operating system on the note that says who works there: it ends with the process,
    however that ends.

    Parameters
    ----------
    path
        The hidden directory.
    verb
        The verb that works in it.

    Raises
    ------
    ResultsError
        When another process works in it, or it is hidden no more.
    """

    def __init__(self, path: Path, verb: str) -> None:
        self.path = path
        self._file = _locked_note(path)
        weakref.finalize(self, self._file.close)
        self._file.truncate(0)
        self._file.write(f'verb = "{verb}"\npid = {os.getpid()}\nhost = "{socket.gethostname()}"\n')
        self._file.flush()

    def end(self) -> None:
        """Release the hidden directory, so that others may resume; the run is known to have ended."""
        if not self._file.closed:
            self._file.truncate(0)
            self._file.close()

    def reveal(self, final: Path) -> None:
        """Give the directory its final name and release it."""
        self.path.rename(final)
        (final / RUNNING_FILE).unlink()
        self._file.close()


def _locked_note(path: Path) -> TextIO:
    """Return the note in a hidden directory, opened and locked."""
    patience = time.monotonic() + _PATIENCE
    while True:
        try:
            file = (path / RUNNING_FILE).open("a+", encoding="utf-8")
        except FileNotFoundError:
            raise ResultsError(
                f"{path} is gone: another process finished it", hint="`chemnet results` lists what there is"
            ) from None
        if try_lock(file, exclusive=True) is not False and _is_still(file, path / RUNNING_FILE):
            return file
        file.close()
        # who only looks whether the run is alive holds the note for an instant
        if time.monotonic() > patience:
            raise ResultsError(
                f"{path.name} is still running{_told_owner(path)}",
                hint="wait for it, or stop that process first",
            )
        time.sleep(_PATIENCE / 20)


def _is_still(file: TextIO, path: Path) -> bool:
    """Return whether an opened file is the one with this name: a run that ends takes its note along."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _owner(path: Path) -> tuple[str, int] | None:
    """Return host and process of the note in a hidden directory; None where nobody works any more."""
    try:
        owner = read_toml_text((path / RUNNING_FILE).read_text(encoding="utf-8"))
        return str(owner["host"]), int(owner["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _told_owner(path: Path) -> str:
    """Return who works in a hidden directory, as the end of a sentence."""
    owner = _owner(path)
    return f": process {owner[1]} on {owner[0]}" if owner else ""


def list_partial(results_dir: str | Path) -> Iterator[Path]:
    """Yield the hidden directories of running and broken-off verbs, oldest first."""
    results_dir = Path(results_dir)
    if results_dir.is_dir():
        yield from sorted(results_dir.glob(f"{PARTIAL_PREFIX}*"))


def run_state(path: Path) -> tuple[RunState, str]:
    """Return the status of the run in the hidden directory `path`, and the host it was started on.

    A run is ``"running"`` when a process holds it, ``"unfinished"`` when it is known to have ended, and
    ``"unknown"`` when it was started on another machine and left no word of its end.
    """
    owner = _owner(path)
    if owner is None:
        return "unfinished", ""
    host, process = owner
    try:
        with (path / RUNNING_FILE).open(encoding="utf-8") as file:
            free = try_lock(file, exclusive=False)
    except OSError:
        return "unfinished", host
    if free is False:
        return "running", host
    if host != socket.gethostname():
        return "unknown", host
    return ("running" if free is None and _is_alive(process) else "unfinished"), host


def remove_unfinished(results_dir: str | Path) -> list[Path]:
    """Delete the hidden directories of runs that have ended, and return them.

    What runs, or may run on another machine, is left alone.
    """
    removed = []
    for path in list_partial(results_dir):
        if run_state(path)[0] == "unfinished":
            # held meanwhile: nobody is to go on with half of it
            with contextlib.suppress(ResultsError), contextlib.closing(_locked_note(path)):
                shutil.rmtree(path)
                removed.append(path)
    return removed


def unfinished(config: ConfigDict, verb: str, wanted: str) -> OwnedRun:
    """Return the unfinished run to resume, ``"latest"`` or a path or name; this process owns it now.

    Raises
    ------
    ResultsError
        When there is none, or another process works on it.
    """
    results_dir = Path(config["general"]["results_dir"])
    partial = [path for path in list_partial(results_dir) if f"-{verb}-" in path.name]
    if wanted == "latest" and partial:
        ended = [path for path in partial if run_state(path)[0] != "running"]
        return OwnedRun((ended or partial)[-1], verb)
    named = run_folder(results_dir, wanted) if wanted != "latest" else None
    if named is not None and named.name.startswith(PARTIAL_PREFIX):
        return OwnedRun(named, verb)
    raise ResultsError(
        f"no unfinished `{verb}` called {wanted!r} in {results_dir}",
        hint="`chemnet results` lists unfinished runs; start afresh without resume",
    )


def _is_alive(process: int) -> bool:
    """Return whether a process of this machine runs, whoever owns it; a zombie does not."""
    with contextlib.suppress(OSError, IndexError):
        # behind the name, which is in brackets and may hold anything
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
