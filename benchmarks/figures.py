"""How benchmarks report: one question, and rows of figure, target, measured, verdict."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured number with its target.

    Attributes
    ----------
    name
        What was measured, with its unit.
    measured
        Median over the repeats.
    target
        The number to reach, or None for a figure that is only reported.
    at_most
        Whether the target is an upper bound (a time, a size) instead of a lower one (a rate).
    spread
        Lowest and highest repeat.
    """

    name: str
    measured: float
    target: float | None = None
    at_most: bool = False
    spread: tuple[float, float] | None = None

    @property
    def verdict(self) -> str:
        """``"met"``, ``"missed"``, or empty for a figure without target."""
        if self.target is None:
            return ""
        reached = self.measured <= self.target if self.at_most else self.measured >= self.target
        return "met" if reached else "missed"

    def row(self) -> tuple[str, str, str, str, str]:
        """The figure as text: name, target, measured, spread, verdict."""
        bound = "<=" if self.at_most else ">="
        target = "" if self.target is None else f"{bound} {self.target:.4g}"
        spread = "" if self.spread is None else f"{self.spread[0]:.4g} .. {self.spread[1]:.4g}"
        return self.name, target, f"{self.measured:.4g}", spread, self.verdict


def report(question: str, figures: Sequence[Figure]) -> None:
    """Print the question and a Markdown table of the figures."""
    print(f"### {question}\n")
    print(f"`{' '.join([Path(sys.executable).name, *sys.argv])}` on {machine()}\n")
    print("| figure | target | measured | lowest .. highest | verdict |")
    print("|---|---|---|---|---|")
    for figure in figures:
        print(f"| {' | '.join(figure.row())} |")
    print()


def machine() -> str:
    """Describe the machine in a few words."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text(encoding="utf-8").splitlines() if cpu_info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def cpu_seconds(work: Callable[[], object], repeats: int = 5) -> tuple[float, tuple[float, float]]:
    """Return the median and the range of this process's CPU seconds that `work` takes."""
    taken = []
    for _ in range(repeats):
        before = _own_cpu()
        work()
        taken.append(_own_cpu() - before)
    return statistics.median(taken), (min(taken), max(taken))


def _own_cpu() -> float:
    """User and system seconds of this process and its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
