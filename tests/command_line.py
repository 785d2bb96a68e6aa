"""Drive the command line as a person would: in this process for speed, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("chemnet")


@dataclass(frozen=True)
class Outcome:
    """What a command left on the screen, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The parsed output of ``--json``."""
        return json.loads(self.out)

    @property
    def path(self) -> Path:
        """The result directory that ``--json`` names."""
        return Path(self.answer["path"])


def chemnet(*words: str | Path) -> Outcome:
    """Run ``chemnet WORDS`` in this process."""
    from chemnet.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    return Outcome(code, out.getvalue(), err.getvalue())


def chemnet_process(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Outcome:
    """Run ``chemnet WORDS`` in a process of its own."""
    done = subprocess.run(
        [COMMAND, *map(str, words)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def start_chemnet(*words: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """Start ``chemnet WORDS`` and return at once; `interrupt` ends it."""
    return subprocess.Popen(
        [COMMAND, *map(str, words)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # pytest-xdist's workers may ignore Ctrl-C; the command must not inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for(condition: Any, process: subprocess.Popen[str]) -> Any:
    """Wait until `condition()` is true and return its value; fail when the process ends first.

    How long that takes is a matter of the machine: what hangs is ended by the time limit of every test.
    """
    while not (value := condition()):
        if process.poll() is not None:
            out, err = process.communicate()
            raise AssertionError(f"the command ended early with {process.returncode}:\n{out}\n{err}")
        time.sleep(0.05)
    return value


def interrupt(process: subprocess.Popen[str], signal_number: int = signal.SIGINT) -> Outcome:
    """Send a signal and wait for the end."""
    process.send_signal(signal_number)
    out, err = process.communicate()
    return Outcome(process.returncode, out, err)


def entries(folder: Path) -> list[str]:
    """Everything in a results folder, hidden names included; empty when the folder is not there."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
