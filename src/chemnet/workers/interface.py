"""What every kind of workers offers, and the two ways to give them many tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice
from typing import Any, Self


class Workers(ABC):
    """What runs tasks. A context: leaving it releases the workers.

    A task is a call of a function of some module, so that it can be sent elsewhere; it may run twice where a
    worker dies, so what it writes must be the same then.

    Attributes
    ----------
    in_flight
        Tasks that they should hold at a time: enough to keep them busy, few enough that an interrupt ends
        soon.
    """

    in_flight: int = 1

    def share(self, value: Any) -> Any:
        """Return a placeholder for `value` among the arguments of tasks; it is sent to each worker once."""
        return value

    @abstractmethod
    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let a worker call a function, and return what will hold its result or its error."""

    def close(self) -> None:  # noqa: B027  (this thread has nothing to let go)
        """Let the workers go; what they have not begun is dropped."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def completed(
    workers: Workers, function: Callable[..., Any], tasks: Iterable[Any], shared: Sequence[Any] = ()
) -> Iterator[tuple[Any, Any]]:
    """Yield ``(task, function(*shared, task))`` for each task, in the order in which they end.

    Parameters
    ----------
    workers
        Who calls.
    function
        A function of some module.
    tasks
        Its last argument, task by task; they are drawn as workers become free.
    shared
        Its first arguments, the same for all; large ones through `Workers.share`.

    Raises
    ------
    Exception
        What the function raised first; the tasks that have not begun are dropped.
    """
    todo = iter(tasks)
    running: dict[Future[Any], Any] = {}

    def submit(count: int) -> None:
        running.update({workers.submit(function, *shared, task): task for task in islice(todo, count)})

    try:
        submit(workers.in_flight)
        while running:
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            results = [(running.pop(future), future.result()) for future in ended]
            submit(len(results))
            yield from results
    finally:
        for future in running:
            future.cancel()


def ordered(
    workers: Workers, function: Callable[..., Any], tasks: Iterable[Any], shared: Sequence[Any] = ()
) -> Iterator[Any]:
    """Yield ``function(*shared, task)`` for each task, in their order; parameters as for `completed`.

    Later tasks run while the caller is busy with a result; `Workers.in_flight` bounds how many results wait
    in memory.
    """
    todo = iter(tasks)
    running = deque(workers.submit(function, *shared, task) for task in islice(todo, workers.in_flight))
    try:
        while running:
            result = running.popleft().result()
            running.extend(workers.submit(function, *shared, task) for task in islice(todo, 1))
            yield result
            del result
    finally:
        for future in running:
            future.cancel()
