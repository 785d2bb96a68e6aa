"""What a running verb reports: log lines, and progress as a bar or, without a terminal, as lines."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, Self, TextIO

from chemnet.errors import ConfigError

_ROOT = "chemnet"
_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
# the handler that `configure_logging` attached; those of others, such as the log file of a result, stay
_screen: logging.Handler | None = None
_COLOURS = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31"}


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module (pass ``__name__``)."""
    return logging.getLogger(name if name.startswith(_ROOT) else f"{_ROOT}.{name}")


_log = get_logger(__name__)


def is_first_process() -> bool:
    """Return whether this process is the only one, or the first of those that ``torchrun`` started."""
    return process_count() < 2 or os.environ.get("RANK") == "0"


def process_count() -> int:
    """Return how many processes ``torchrun`` started to work together; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def configure_logging(level: str, destination: str) -> None:
    """Send chemnet's log lines at `level` and above to ``"stderr"``, ``"stdout"`` or a file.

    Only the `chemnet` logger is touched: the root logger belongs to the program that imports chemnet.

    Raises
    ------
    ConfigError
        When the file cannot be opened.
    """
    global _screen
    logger = logging.getLogger(_ROOT)
    if _screen is not None:
        logger.removeHandler(_screen)
        _screen.close()
    _screen = _handler(destination)
    _screen.setFormatter(_Coloured(getattr(_screen, "stream", None)))
    logger.addHandler(_screen)
    # the other processes of a group do the same: one tells
    logger.setLevel(level.upper() if is_first_process() else logging.ERROR)
    logger.propagate = False


def coloured(text: str, colour: str, stream: TextIO | None) -> str:
    """Return a text in a colour (an SGR code such as ``"31"``) where the stream is a terminal that shows it.

    ``NO_COLOR`` (https://no-color.org) and ``TERM=dumb`` switch colours off.
    """
    shown = stream is not None and stream.isatty()
    if not shown or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


class _Coloured(logging.Formatter):
    """Log lines whose level has a colour on a terminal."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(_FORMAT, "%H:%M:%S")
        self.stream = stream

    def format(self, record: logging.LogRecord) -> str:
        line, level = super().format(record), f"{record.levelname:<7}"
        colour = _COLOURS.get(record.levelno)
        return line.replace(level, coloured(level, colour, self.stream), 1) if colour else line


def _handler(destination: str) -> logging.Handler:
    streams = {"stderr": sys.stderr, "stdout": sys.stdout}
    if destination in streams:
        return logging.StreamHandler(streams[destination])
    try:
        return logging.FileHandler(destination)
    except OSError as error:
        raise ConfigError(
            f"general.log_destination = {destination!r} cannot be written: {error.strerror}",
            hint='name a file in a folder that exists, or "stderr" or "stdout"',
        ) from error


def progress(
    iterable: Iterable[Any] | None = None, *, total: int | None = None, desc: str = "", unit: str = "it"
) -> Any:
    """Return a tqdm bar on standard error, or a `ProgressLog` without a terminal; ``--quiet`` silences both.

    Parameters
    ----------
    iterable
        What to walk through; without it call ``.update(n)`` on the bar.
    total
        Number of units, for the estimate of the time left.
    desc, unit
        Words beside the bar.
    """
    if _told(logging.INFO) and not sys.stderr.isatty():
        return ProgressLog(iterable, total=total, desc=desc, unit=unit)
    return progress_bar(iterable, total=total, desc=desc, unit=unit)


def progress_bar(
    iterable: Iterable[Any] | None = None, *, total: int | None = None, desc: str = "", unit: str = "it"
) -> Any:
    """Return a tqdm bar that is silent without a terminal, for loops that log lines of their own."""
    from tqdm import tqdm

    # disable=None: no bar where the standard error is not a terminal
    return tqdm(
        iterable,
        total=total,
        desc=desc,
        unit=unit,
        disable=None if _told(logging.INFO) else True,
        dynamic_ncols=True,
    )


class ProgressLog:
    """Progress as occasional log lines; none for what finishes at once.

    Parameters
    ----------
    iterable, total, desc, unit
        As for `progress`.

    Attributes
    ----------
    n, initial
        Units that are done, and those of them that were done before; both may be set.
    """

    #: a line comes after this share of all units, but not sooner than `shortest` and not later than `longest`
    share = 0.1
    shortest, longest = 3.0, 30.0  # [s]

    def __init__(
        self,
        iterable: Iterable[Any] | None = None,
        *,
        total: int | None = None,
        desc: str = "",
        unit: str = "it",
    ) -> None:
        self.iterable, self.desc, self.unit = iterable, desc, unit
        self.total = total if total is not None or not isinstance(iterable, Sized) else len(iterable)
        self.n = self.initial = 0
        self._began = self._told_at = time.monotonic()
        self._told: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        for one in self.iterable or ():
            yield one
            self.update()
        self.close()

    def update(self, n: int = 1) -> None:
        """Count `n` more units, and log a line if one is due."""
        self.n += n
        waited = time.monotonic() - self._told_at
        more = self.n - (self.initial if self._told is None else self._told)
        enough = self.total is not None and more >= self.share * self.total
        if waited >= self.longest or (enough and waited >= self.shortest):
            self._tell()

    def close(self) -> None:
        """Log the final count, if any line was logged before."""
        if self._told is not None and self._told != self.n:
            self._tell()

    def _tell(self) -> None:
        self._told, self._told_at = self.n, time.monotonic()
        done, ended = self.n - self.initial, self.n == self.total
        of, left = "" if self.total is None else f" of {self.total:,}", ""
        if self.total is not None and done > 0 and not ended:
            left = f", {duration((self._told_at - self._began) * (self.total - self.n) / done)} left"
        _log.info("%s: %s%s %ss%s", self.desc, f"{self.n:,}", of, self.unit, left)


@contextmanager
def under_way(what: str, every: float = 30.0) -> Iterator[None]:
    """Log the beginning of a long call, such as a fit, and now and then that it is still running.

    Parameters
    ----------
    what
        The work in words: "fitting umap on 20,000 states".
    every
        Time between two lines [s].
    """
    began, ended = time.monotonic(), threading.Event()
    _log.info("%s", what)

    def remind() -> None:
        while not ended.wait(every):
            _log.info("still %s, for %s", what, duration(time.monotonic() - began))

    reminder = threading.Thread(target=remind, name="reminder", daemon=True)
    reminder.start()
    try:
        yield
    finally:
        ended.set()
        reminder.join()


def _told(level: int) -> bool:
    """Whether the user sees log lines of this level."""
    return logging.getLogger(_ROOT).isEnabledFor(level)


def duration(seconds: float) -> str:
    """Write a time span with one unit: ``"3 min"``."""
    for length, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2.0 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
