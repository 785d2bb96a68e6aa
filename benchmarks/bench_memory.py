"""Does any verb take more memory when its table is ten times larger?

python benchmarks/bench_memory.py [MB of the smaller table, 20 by default]

The peak resident memory of each verb, a process of its own, interpreter and libraries included, on two made
tables. `train` streams its split, as it does by itself where a split does not fit into memory; resident, it
holds the split by design, which is shown without a target. `umap` (with PCA) reads what `infer` wrote.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench_preprocess import COMMAND, child_peak_megabytes, write_table
from figures import Figure, report

STREAMED = ("train.memory_share=1e-6", "train.stream_rows=4096")
TRAINING = ("train.epochs=1", "train.rows_per_batch=1024", "mlflow.enabled=false")
VERBS: dict[str, tuple[str, ...]] = {
    "preprocess": (),
    "train, streamed": (*TRAINING, *STREAMED),
    "train, resident": TRAINING,
    "infer": (),
    "umap": ("umap.reducer=pca",),
}
TARGET = 1.1


def peaks_of(table: Path, results: Path) -> dict[str, float]:
    """Return the peak memory of each verb [MB] on a table."""
    common = (f"data_set.path={table}", f"general.results_dir={results}", "general.device=cpu", "--quiet")
    return {
        words: child_peak_megabytes(COMMAND, words.partition(",")[0], *options, *common)
        for words, options in VERBS.items()
    }


def figures_of(small: dict[str, float], large: dict[str, float]) -> Sequence[Figure]:
    """Return what a table ten times larger costs, verb by verb."""
    figures = []
    for words, megabytes in small.items():
        target = None if words == "train, resident" else TARGET
        figures.append(
            Figure(f"peak memory, {words}, table 10 times larger", large[words] / megabytes, target, True)
        )
        figures.append(Figure(f"peak memory, {words}, smaller table [MB]", megabytes))
    return figures


def main() -> None:
    """Make two tables, run the verbs on both, and print."""
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for size in (megabytes, 10 * megabytes):
            table = Path(folder) / f"table_{size:g}.h5"
            write_table(table, size / 1e3)
            found.append(peaks_of(table, Path(folder) / f"results_{size:g}"))
    report(__doc__ or "", figures_of(*found))


if __name__ == "__main__":
    main()
