"""The log file of a result: what its verb said, from the beginning of the command on.

A command says things before it has a directory to write them into (which inputs it takes, for one). They are
kept until a result takes them; so is the time at which the command began.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = logging.getLogger("chemnet")
_FORMATTER = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
# colours and the like, which a terminal alone understands
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
# a command that says more before its result begins is one that makes none
_MOST_LINES = 1000
_current: _Command | None = None


class _Command(logging.Handler):
    """What was said since the command began, or since its last result began or ended."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=_MOST_LINES)
        self.words = words
        self.restart()

    def restart(self) -> None:
        """Count time and lines from now on."""
        self.lines.clear()
        self.began = time.perf_counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(_line(record))


@contextmanager
def command(words: Sequence[str]) -> Iterator[None]:
    """Let the results that are made in this context know when their command began, and what it said.

    Parameters
    ----------
    words
        The command, as it was typed.
    """
    global _current
    outer, _current = _current, _Command(words)
    _ROOT.addHandler(_current)
    try:
        yield
    finally:
        _ROOT.removeHandler(_current)
        _current = outer


class LogFile(logging.Handler):
    """A file in a result directory that every log line goes to, between `start` and `end`.

    Parameters
    ----------
    path
        The file; a run that goes on adds to it.

    Attributes
    ----------
    began
        When the command began, by `time.perf_counter`; now, outside of `command`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.began = time.perf_counter() if _current is None else _current.began
        self._file: int | None = None

    def start(self) -> None:
        """Open the file with what was said before, and listen."""
        with suppress(OSError):
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        if _current is not None:
            from importlib.metadata import version

            self._write(_made_line("INFO", f"chemnet {version('chemnet')}: {' '.join(_current.words)}"))
            for line in _current.lines:
                self._write(line)
            _current.restart()
        _ROOT.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Add a line."""
        self._write(_line(record))

    def end(self, level: str, last_words: str) -> None:
        """Add a last line and close the file; later calls change nothing."""
        self._write(_made_line(level, last_words))
        _ROOT.removeHandler(self)
        if self._file is not None:
            os.close(self._file)
            self._file = None
            if _current is not None:
                _current.restart()

    def _write(self, line: str) -> None:
        if self._file is not None:
            # the result itself tells of a full disk
            with suppress(OSError):
                os.write(self._file, f"{line}\n".encode("utf-8", "backslashreplace"))


def _line(record: logging.LogRecord) -> str:
    return _CONTROL.sub("", _FORMATTER.format(record))


def _made_line(level: str, text: str) -> str:
    return _line(logging.LogRecord("chemnet", logging.getLevelName(level), "", 0, text, None, None))
