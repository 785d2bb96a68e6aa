"""CPU and wall time of works, measured in turn: what disturbs the machine disturbs all of them alike."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def rounds_of(
    works: Mapping[str, Callable[[], Any]],
    rounds: int,
    clock: Callable[[], float] | None = None,
    before: Callable[[], Any] = lambda: None,
) -> dict[str, list[float]]:
    """Return the seconds of each work in each round, after one round that does not count.

    Parameters
    ----------
    works
        What is compared; each round runs every one once, in this order.
    rounds
        How often.
    clock
        `cpu_used` unless given; `time.perf_counter` for wall time.
    before
        Is called before each work and not measured: it removes what the work before it has left.
    """
    clock = clock or cpu_used
    for work in works.values():
        before()
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            before()
            start = clock()
            work()
            taken[name].append(clock() - start)
    return taken


def ratios(upper: Sequence[float], lower: Sequence[float]) -> list[float]:
    """Return the ratios of two works within each round."""
    return [one / other for one, other in zip(upper, lower, strict=True)]


def cpu_seconds(work: Callable[[], object], repeats: int = 5) -> tuple[float, tuple[float, float]]:
    """Return the median and the range of this process's CPU seconds that `work` takes."""
    taken = []
    for _ in range(repeats):
        before = cpu_used()
        work()
        taken.append(cpu_used() - before)
    return statistics.median(taken), (min(taken), max(taken))


def cpu_and_wall(work: Callable[[], object]) -> tuple[float, float]:
    """Return CPU and wall seconds of `work`, children included."""
    cpu, wall = cpu_used(), time.perf_counter()
    work()
    return cpu_used() - cpu, time.perf_counter() - wall


def cpu_used() -> float:
    """Return user and system seconds of this process and its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
