"""The hidden directories of runs that are under way or broke off."""

from __future__ import annotations

import os
import shutil
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from chemnet.config import ConfigDict
from chemnet.errors import ResultsError
from chemnet.results.directory import PARTIAL_PREFIX
from chemnet.results.naming import run_folder

RUNNING_FILE = "running.toml"
# of a process on another machine that shares the folder nobody here can say whether it lives
RunState = Literal["running", "unfinished", "unknown"]


def mark_running(path: Path, verb: str) -> None:
    """Note in the hidden directory `path` which process writes it."""
    (path / RUNNING_FILE).write_text(
        f'verb = "{verb}"\npid = {os.getpid()}\nhost = "{socket.gethostname()}"\n', encoding="utf-8"
    )


def mark_ended(path: Path) -> None:
    """Remove the note of `mark_running`."""
    (path / RUNNING_FILE).unlink(missing_ok=True)


def list_partial(results_dir: str | Path) -> Iterator[Path]:
    """Yield the hidden directories of running and broken-off verbs, oldest first."""
    results_dir = Path(results_dir)
    if results_dir.is_dir():
        yield from sorted(results_dir.glob(f"{PARTIAL_PREFIX}*"))


def run_state(path: Path) -> tuple[RunState, str]:
    """Return how the run of the hidden directory `path` stands, and the host that it was started on.

    A run is ``"running"`` when its process is alive on this machine, ``"unfinished"`` when it is known to
    have ended, and ``"unknown"`` when it was started on another machine and left no word of its end.
    """
    try:
        owner = tomllib.loads((path / RUNNING_FILE).read_text(encoding="utf-8"))
        host, process = str(owner["host"]), int(owner["pid"])
    except (OSError, tomllib.TOMLDecodeError, KeyError, ValueError):
        return "unfinished", ""
    if host != socket.gethostname():
        return "unknown", host
    return ("running" if _is_alive(process) else "unfinished"), host


def is_running(path: Path) -> bool:
    """Return whether the process that writes the hidden directory `path` is alive on this machine."""
    return run_state(path)[0] == "running"


def remove_unfinished(results_dir: str | Path) -> list[Path]:
    """Delete the hidden directories of runs that have ended, and return them.

    What runs, or may run on another machine, is left alone.
    """
    ended = [path for path in list_partial(results_dir) if run_state(path)[0] == "unfinished"]
    for path in ended:
        shutil.rmtree(path)
    return ended


def unfinished(config: ConfigDict, verb: str, wanted: str) -> Path:
    """Return the hidden directory of an unfinished run: ``"latest"``, or a path or name.

    Raises
    ------
    ResultsError
        When there is none.
    """
    results_dir = Path(config["general"]["results_dir"])
    partial = [path for path in list_partial(results_dir) if f"-{verb}-" in path.name]
    if wanted == "latest" and partial:
        return partial[-1]
    named = run_folder(results_dir, wanted) if wanted != "latest" else None
    if named is not None:
        return named
    raise ResultsError(
        f"no unfinished `{verb}` called {wanted!r} in {results_dir}",
        hint="`chemnet results` lists unfinished runs; start afresh without resume",
    )


def _is_alive(process: int) -> bool:
    """Return whether a process of this machine exists, whoever owns it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
