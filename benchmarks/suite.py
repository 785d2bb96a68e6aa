"""Runs benchmarks one after another and ends with one table of all figures that have a target."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from figures import RECORD, Figure, machine, table

FOLDER = Path(__file__).parent
PREFIX = "bench_"
ONE_CORE = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
"""Figures are per core unless a benchmark says otherwise."""


def names() -> list[str]:
    """Return the benchmarks that there are."""
    return sorted(path.stem.removeprefix(PREFIX) for path in FOLDER.glob(f"{PREFIX}*.py"))


def run(name: str, record: Path) -> bool:
    """Run a benchmark, which prints its table and records it; return whether it did."""
    environment = {**ONE_CORE, **os.environ, RECORD: str(record)}
    command = [sys.executable, str(FOLDER / f"{PREFIX}{name}.py")]
    return subprocess.run(command, env=environment, check=False).returncode == 0


def reports_of(record: Path) -> list[dict[str, Any]]:
    """Return what the benchmarks have recorded."""
    if not record.exists():
        return []
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]


def figures_of(report: dict[str, Any]) -> list[Figure]:
    """Return the figures of a recorded report."""
    return [Figure(**values) for values in report["figures"]]


def verdicts(reports: Sequence[dict[str, Any]]) -> str:
    """Return the table of all figures with a target."""
    return table([one for report in reports for one in figures_of(report) if one.target is not None])


def document(reports: Sequence[dict[str, Any]]) -> str:
    """Return all tables as a page: the verdicts first, then each benchmark with its command."""
    today = datetime.now(UTC).date().isoformat()
    parts = [
        f"# Benchmarks of {today}",
        f"`benchmarks/run` on {machine()}. Medians, with the lowest and the highest repeat as the spread; "
        "rates are per CPU-second of one core, ratios are taken within one run.",
        verdicts(reports),
    ]
    for report in reports:
        question, _, words = report["question"].partition("\n")
        parts += [f"## {question}", f"`{report['command']}`", *_paragraphs(words), table(figures_of(report))]
    return "\n\n".join(parts) + "\n"


def _paragraphs(words: str) -> list[str]:
    """Return what a benchmark says of itself, without its first line of usage."""
    return [part for part in words.strip().split("\n\n") if part and "python benchmarks/" not in part]


def main() -> int:
    """Run the chosen benchmarks; 1 when one of them failed to run."""
    parser = argparse.ArgumentParser(description=__doc__)
    allowed = ", ".join(names())
    parser.add_argument("benchmarks", nargs="*", metavar="NAME", help=f"of {allowed}; all by default")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="write all tables into a page")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="add to the figures that earlier runs have put there"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.benchmarks) - set(names()))
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {allowed}")
    with tempfile.TemporaryDirectory() as folder:
        record = options.record or Path(folder) / "record"
        # a page can be written from what is recorded alone
        chosen = options.benchmarks or ([] if options.record and options.write else names())
        failed = [name for name in chosen if not run(name, record)]
        reports = reports_of(record)
    print(f"## Targets\n\n{verdicts(reports)}\n")
    if options.write:
        options.write.write_text(document(reports), encoding="utf-8")
    if failed:
        print(f"these benchmarks failed to run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
