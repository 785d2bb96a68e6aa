"""Workers of this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from chemnet.errors import DataError
from chemnet.workers.interface import Workers


class ThisThread(Workers):
    """No worker but the caller: a task is done when it is submitted, with all cores that it can use."""

    in_flight = 1

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call the function now; Ctrl-C goes through."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class Threads(Workers):
    """Threads of this process, for functions that release the interpreter lock.

    Parameters
    ----------
    count
        Threads.
    waiting
        Tasks that wait for a thread, at most.
    """

    def __init__(self, count: int, waiting: int = 1) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self.in_flight = count + waiting

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let a thread call the function."""
        return self._pool.submit(function, *arguments)

    def close(self) -> None:
        """Wait for what has begun."""
        self._pool.shutdown(cancel_futures=True)


def worker_count(asked: int) -> int:
    """Return how many workers to use: `asked`, or for 0 one per core that this process may use.

    Raises
    ------
    DataError
        For a negative number.
    """
    if asked < 0:
        raise DataError(f"cannot use {asked} workers", hint="0 (every core) or more, as simulate.workers")
    if asked:
        return asked
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else (os.cpu_count() or 1)
