"""How benchmarks report: one question, and rows of figure, target, measured, verdict."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RECORD = "CHEMNET_BENCHMARK_RECORD"
"""Environment variable: a file that each report is appended to, for the table of the whole suite."""


@dataclass(frozen=True)
class Figure:
    """One measured number with its target.

    Attributes
    ----------
    name
        What was measured, with its unit.
    measured
        Median over the repeats; None for what could not be measured here.
    target
        The number to reach, or None for a figure that is only reported.
    at_most
        Whether the target is an upper bound (a time, a size) instead of a lower one (a rate).
    spread
        Lowest and highest repeat.
    why_not
        Why it could not be measured.
    """

    name: str
    measured: float | None
    target: float | None = None
    at_most: bool = False
    spread: tuple[float, float] | None = None
    why_not: str = ""

    @classmethod
    def of(
        cls, name: str, values: Sequence[float], target: float | None = None, at_most: bool = False
    ) -> Figure:
        """Return the figure of repeated measurements."""
        return cls(name, statistics.median(values), target, at_most, (min(values), max(values)))

    @property
    def verdict(self) -> str:
        """``"met"``, ``"missed"``, why it was not measured, or empty for a figure without target."""
        if self.measured is None:
            return self.why_not
        if self.target is None:
            return ""
        reached = self.measured <= self.target if self.at_most else self.measured >= self.target
        return "met" if reached else "missed"

    def row(self) -> tuple[str, str, str, str, str]:
        """The figure as text: name, target, measured, spread, verdict."""
        bound = "<=" if self.at_most else ">="
        target = "" if self.target is None else f"{bound} {self.target:.4g}"
        measured = "" if self.measured is None else f"{self.measured:.4g}"
        spread = "" if self.spread is None else f"{self.spread[0]:.4g} .. {self.spread[1]:.4g}"
        return self.name, target, measured, spread, self.verdict


def report(question: str, figures: Sequence[Figure]) -> None:
    """Print the question and a Markdown table of the figures, and record them where the suite asks."""
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    print(f"### {question}\n")
    print(f"`{command}` on {machine()}\n")
    print(table(figures))
    print()
    if path := os.environ.get(RECORD):
        entry = {"question": question, "command": command, "figures": [asdict(one) for one in figures]}
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(f"{json.dumps(entry)}\n")


def table(figures: Sequence[Figure]) -> str:
    """Return a Markdown table."""
    lines = ["| figure | target | measured | lowest .. highest | verdict |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(one.row())} |" for one in figures)])


def machine() -> str:
    """Describe the machine in a few words."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text(encoding="utf-8").splitlines() if cpu_info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"
