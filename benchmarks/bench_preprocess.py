"""How much memory does `chemnet preprocess` take on a large table, and how fast is it beside plain I/O?

python benchmarks/bench_preprocess.py [GB of the made table, 1.5 by default] [method]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from figures import Figure, report

COMMAND = Path(sys.executable).with_name("chemnet")
N_STEPS = 298
N_SPECIES = 333
BLOCK_ROWS = 50 * N_STEPS
PHYSICAL = ("Density", "Radfield", "Av", "gasTemp")
ELEMENTS = ("H", "C", "N", "O")


def species_names() -> list[str]:
    """Return as many distinct formulas as the reference set has species."""
    pairs = [f"{first}{n}{second}" for n in range(2, 32) for first in ELEMENTS for second in ELEMENTS]
    return pairs[:N_SPECIES]


def write_table(path: Path, gigabytes: float) -> int:
    """Write a table in pandas' fixed layout, block by block, and return its number of rows."""
    n_blocks = max(1, round(gigabytes * 1e9 / (BLOCK_ROWS * (4 * N_SPECIES + 8 * 6))))
    rng = np.random.default_rng(0)
    abundance = (10 ** rng.uniform(-22, 0, (BLOCK_ROWS, N_SPECIES))).astype(np.float32)
    floats = np.column_stack(
        [10 ** rng.uniform(1, 3, (BLOCK_ROWS, 4)), np.tile(np.arange(N_STEPS) * 1e3, 50)]
    )
    with h5py.File(path, "w") as file:
        group = file.create_group("df")
        group.attrs["pandas_type"] = np.bytes_(b"frame")
        items = [["Model"], [*PHYSICAL, "Time"], species_names()]
        blocks = []
        for index, (names, dtype) in enumerate(zip(items, ("i8", "f8", "f4"), strict=True)):
            group[f"block{index}_items"] = np.array(names, dtype="S")
            shape = (n_blocks * BLOCK_ROWS, len(names))
            blocks.append(
                group.create_dataset(f"block{index}_values", shape, dtype, chunks=(149, len(names)))
            )
        for block in range(n_blocks):
            rows = slice(block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS)
            blocks[0][rows] = (np.arange(BLOCK_ROWS) // N_STEPS + block * 50)[:, None]
            blocks[1][rows] = floats
            blocks[2][rows] = abundance
    return n_blocks * BLOCK_ROWS


def copy_table(source: Path, target: Path) -> None:
    """Read a table and write the same bytes: what no program can avoid."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        for index in range(3):
            values = old["df"][f"block{index}_values"]
            copy = new.create_dataset(
                f"block{index}_values", values.shape, values.dtype, chunks=values.chunks
            )
            for start in range(0, len(values), BLOCK_ROWS):
                copy[start : start + BLOCK_ROWS] = values[start : start + BLOCK_ROWS]


def child_peak_megabytes(*words: str | Path) -> float:
    """Run a command in a child of its own and return its peak resident memory [MB]."""
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3)"
    )
    answer = subprocess.run([sys.executable, "-c", script, *map(str, words)], check=True, capture_output=True)
    return float(answer.stdout)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds of `work`, children included."""
    before = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    start = time.perf_counter()
    work()
    wall = time.perf_counter() - start
    after = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return wall, after - before


def main() -> None:
    """Make the table, preprocess it, copy it, and print."""
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.5
    method = sys.argv[2] if len(sys.argv) > 2 else "sequential"
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.h5"
        n_rows = write_table(table, gigabytes)
        words = (
            f"data_set.path={table}",
            f"general.results_dir={folder}/results",
            f"preprocess.method={method}",
        )
        peaks: list[float] = []
        wall, cpu = timed(
            lambda: peaks.append(child_peak_megabytes(COMMAND, "preprocess", *words, "--quiet"))
        )
        copy_wall, copy_cpu = timed(lambda: copy_table(table, Path(folder) / "copy.h5"))
        megabytes = table.stat().st_size / 1e6
    interpreter = child_peak_megabytes(sys.executable, "-c", "pass")
    report(
        (__doc__ or "").splitlines()[0],
        [
            Figure("table [MB]", megabytes),
            Figure("peak memory above the interpreter [MB]", peaks[0] - interpreter, 1000.0, True),
            Figure("table size over peak memory", megabytes / (peaks[0] - interpreter)),
            Figure("rows per second", n_rows / wall),
            Figure("rows per CPU-second", n_rows / cpu),
            Figure("wall time over that of reading and writing the same bytes", wall / copy_wall),
            Figure("CPU time over that of reading and writing the same bytes", cpu / copy_cpu),
        ],
    )


if __name__ == "__main__":
    main()
