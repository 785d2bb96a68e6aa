"""What share of the rate of a plain read and write does `chemnet preprocess` reach, and in how much memory?

python benchmarks/bench_preprocess.py [GB of the made table, 0.1 by default] [method]

The floor reads the table block by block and writes as many bytes as the result holds, through HDF5 as well.
Both write new files, and what they wrote is removed, unmeasured, before the other begins: a page of memory
that the system gives away for the first time costs it more than the writing. The verb's imports are not
counted, everything else is: checks, digests of what is read and written, and what each run costs whatever its
size.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from figures import Figure, report
from made_states import N_SPECIES, N_STEPS, PHYSICAL, species_names
from timing import ratios, rounds_of

from chemnet.config import load_config
from chemnet.registry import VERBS

ROUNDS = 5
COMMAND = Path(sys.executable).with_name("chemnet")
BLOCK_ROWS = 50 * N_STEPS


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


def child_peak_megabytes(*words: str | Path) -> float:
    """Run a command in a child of its own and return its peak resident memory [MB]."""
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3)"
    )
    answer = subprocess.run([sys.executable, "-c", script, *map(str, words)], check=True, capture_output=True)
    return float(answer.stdout)


def copied(source: Path, target: Path, n_bytes: int) -> Callable[[], None]:
    """Return the reading of a table and the writing of `n_bytes`: what no program can avoid."""

    def copy() -> None:
        with h5py.File(source) as old, h5py.File(target, "w") as new:
            values = old["df"]["block2_values"]
            shape = (n_bytes // (values.dtype.itemsize * values.shape[1]), values.shape[1])
            written = new.create_dataset("values", shape, values.dtype, chunks=(2048, shape[1]))
            for start in range(0, len(values), BLOCK_ROWS):
                block = values[start : start + BLOCK_ROWS]
                old["df"]["block1_values"][start : start + BLOCK_ROWS]
                written[start : start + len(block)] = block[: max(0, shape[0] - start)]
            # the raw values of the test split make the result larger than the table
            for start in range(len(values), shape[0], BLOCK_ROWS):
                stop = min(shape[0], start + BLOCK_ROWS)
                written[start:stop] = block[: stop - start]

    return copy


def main() -> None:
    """Make the table, preprocess it, copy it, and print."""
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 0.1
    method = sys.argv[2] if len(sys.argv) > 2 else "sequential"
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.h5"
        n_rows = write_table(table, gigabytes)
        changes = {
            "data_set.path": str(table),
            "general.results_dir": f"{folder}/results",
            "general.log_level": "warning",
            "preprocess.method": method,
            # random numbers hold more than one H nucleus per H nucleus
            "data_set.abundance_per": "H",
        }
        words = [f"{key}={value}" for key, value in changes.items()]
        peak = child_peak_megabytes(COMMAND, "preprocess", *words, "--quiet")
        verb = VERBS.get("preprocess")(load_config().replace(changes))
        written = sum(path.stat().st_size for path in verb.run().path.glob("*.h5"))
        copy = Path(folder) / "copy.h5"

        def remove_what_was_written() -> None:
            shutil.rmtree(f"{folder}/results", ignore_errors=True)
            copy.unlink(missing_ok=True)

        works = {"verb": verb.run, "copy": copied(table, copy, written)}
        taken = rounds_of(works, ROUNDS, before=remove_what_was_written)
    report(
        __doc__ or "",
        [
            Figure.of("preprocess, rate / plain read and write", ratios(taken["copy"], taken["verb"]), 0.5),
            Figure.of("preprocess [rows/CPU-s]", [n_rows / one for one in taken["verb"]]),
            Figure.of("plain read and write [rows/CPU-s]", [n_rows / one for one in taken["copy"]]),
            Figure("peak memory of the verb, libraries included [MB]", peak, 1000.0, True),
        ],
    )


if __name__ == "__main__":
    main()
