"""What a running verb tells its user: log lines and progress bars, both on the standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any

from chemnet.errors import ConfigError

_ROOT = "chemnet"
_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module (pass ``__name__``)."""
    return logging.getLogger(name if name.startswith(_ROOT) else f"{_ROOT}.{name}")


def configure_logging(level: str, destination: str) -> None:
    """Send chemnet's log lines at `level` and above to ``"stderr"``, ``"stdout"`` or a file.

    Only the `chemnet` logger is touched: the root logger belongs to the program that imports chemnet.

    Raises
    ------
    ConfigError
        When the file cannot be opened.
    """
    logger = logging.getLogger(_ROOT)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    handler = _handler(destination)
    handler.setFormatter(logging.Formatter(_FORMAT, "%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


def _handler(destination: str) -> logging.Handler:
    """Return the handler that writes to a stream or a file."""
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
    """Return a tqdm bar on the standard error, silent under ``--quiet`` and when nobody watches.

    Parameters
    ----------
    iterable
        What to walk through; without it call ``.update(n)`` on the bar.
    total
        Number of units, for the estimate of the time left.
    desc, unit
        Words beside the bar.
    """
    from tqdm import tqdm

    quiet = not logging.getLogger(_ROOT).isEnabledFor(logging.INFO)
    # disable=None: no bar where the standard error is not a terminal
    return tqdm(
        iterable, total=total, desc=desc, unit=unit, disable=True if quiet else None, dynamic_ncols=True
    )
