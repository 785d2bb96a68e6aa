"""Write the first steps of many histories as a CSV of tracers for `chemnet simulate simulate.tracers=...`.

Usage: python docs/scripts/first_steps.py FILE [TRACERS] [STEPS] [SEED]

An initial state that holds atoms only changes by many decades in its first step, and each whole tracer has
one such step. Short tracers show a network many more, for a fraction of the solver's time: seven in ten begin
where a history begins, the others somewhere along it.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from chemnet.chemistry.tracers.generate import generate_tracers
from chemnet.chemistry.tracers.tracer import PHYSICAL_NAMES

SHARE_FROM_THE_BEGINNING = 0.7


def main(path: Path, n_tracers: int = 1500, n_steps: int = 12, seed: int = 777) -> None:
    """Generate whole histories and write `n_steps` rows of each."""
    rng = np.random.default_rng(5)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["Model", "Time", *PHYSICAL_NAMES])
        for number, tracer in enumerate(generate_tracers(n_tracers, seed)):
            late = rng.random() >= SHARE_FROM_THE_BEGINNING
            first = int(rng.integers(0, len(tracer.time) - n_steps)) if late else 0
            for step in range(n_steps):
                values = [float(tracer.time[step]), *tracer.physical[first + step].tolist()]
                table.writerow([number, *map(repr, values)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
