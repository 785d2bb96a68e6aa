"""Inject faults into every verb and print one table: fault, times injected, survived, lost.

    python tests/faults/run.py            # as often as the tests do
    python tests/faults/run.py --long     # 50 kills, and everything else more often
    python tests/faults/run.py --only full

Faults that need a server, workers or several processes are those of other tests, which are run for their row.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

import fault_catalogue as catalogue  # noqa: E402
from fault_catalogue import JOBS, STATES, House, Outcome  # noqa: E402
from injected_faults import may_mount  # noqa: E402

#: faults that tests elsewhere inject
ELSEWHERE = {
    "two trainings, one MLflow store": (
        "training/loop/test_tracking.py::test_two_first_trainings_make_one_store_together"
    ),
    "no HOME, no caches": "test_caches.py::test_a_process_without_a_home_compiles_and_draws_with_one_warning",
    "MLflow server gone": "training/loop/test_tracking.py::test_a_training_outlives_its_tracking_server",
    "Chroma server gone": "search/test_chroma.py::test_a_server_that_goes_in_the_middle_is_told",
    "two writers, one database": "search/test_chroma.py::test_two_writers_to_one_folder_mix_nothing",
    "Dask worker killed": (
        "workers/test_dask_workers.py::test_a_simulation_survives_a_killed_worker_byte_by_byte"
    ),
    "torchrun process killed": (
        "training/parallel/test_distributed.py::test_a_killed_process_loses_at_most_one_epoch"
    ),
    "out of memory in a batch": (
        "training/loop/test_gradients.py::test_a_batch_that_does_not_fit_into_memory_is_trained_on_in_parts"
    ),
}
#: how often each job is killed in the long form
KILLS = {
    "simulate": 8,
    "preprocess": 8,
    "train": 9,
    "train_emulator": 7,
    "infer": 7,
    "sweep": 4,
    "study": 2,
    "umap": 4,
    "save_to_database": 2,
    "benchmark": 1,
}
Injection = tuple[str, Callable[[], list[Outcome]]]


def injections(house: House, rng: random.Random, long: bool) -> Iterator[Injection]:
    """Yield each row's name and what injects its faults once."""
    for job, times in KILLS.items():
        for _ in range(times if long else 1):
            yield (
                "kill -9",
                lambda job=job: [
                    catalogue.stopped(house, job, "kill -9", [signal.SIGKILL], rng.uniform(0.05, 0.99))
                ],
            )
    jobs = [job for job in JOBS if job != "benchmark"]
    for job in jobs if long else ["simulate", "train", "sweep"]:
        for fault, numbers in (("SIGTERM", [signal.SIGTERM]), ("SIGINT twice", [signal.SIGINT] * 2)):
            yield (
                fault,
                lambda job=job, fault=fault, numbers=numbers: [
                    catalogue.stopped(house, job, fault, numbers, rng.uniform(0.2, 0.95), pause_s=0.02)
                ],
            )
        yield "full disk", lambda job=job: [catalogue.full_disk(house, job, rng.choice([500, 2_000, 9_000]))]
        if may_mount(house.folder / "disk"):
            yield "full disk", lambda job=job: [catalogue.small_disk_for(house, job, rng.uniform(0.05, 0.9))]
    for job in ("preprocess", "train", "infer") if long else ("preprocess",):
        yield "read-only folder", lambda job=job: [catalogue.unwritable(house, job)]
        yield "no HOME", lambda job=job: [catalogue.homeless(house, job)]
        yield "clock goes back", lambda job=job: [catalogue.clock_back(house, job)]
    for job in jobs if long else ("preprocess", "train"):
        yield "two at once", lambda job=job: [catalogue.pair(house, job)]
    for job in (name for name in jobs if JOBS[name].resume) if long else ("train", "infer"):
        yield "two go on with one run", lambda job=job: [catalogue.two_resume(house, job)]
    for job in jobs:
        yield "in a result", lambda job=job: list(catalogue.damaged_files(house, job, rng))
    for job, files in STATES.items():
        yield (
            "in an unfinished run",
            lambda job=job, files=files: list(catalogue.damaged_state(house, job, rng, files)),
        )
    yield "in a saved surrogate", lambda: list(catalogue.damaged_surrogate(house, rng))
    for fault, test in ELSEWHERE.items() if long else ():
        yield fault, lambda fault=fault, test=test: [elsewhere(fault, test)]


def elsewhere(fault: str, test: str) -> Outcome:
    """Run a test that injects a fault itself."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "slow or not slow"]
    done = subprocess.run(
        [*command, str(TESTS / "chemnet" / test)],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    passed = done.returncode == 0 and " passed" in done.stdout
    return Outcome(fault, test.partition("::")[0], passed, "" if passed else done.stdout[-600:])


def main() -> int:
    """Print the table; 1 when something was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    outcomes: list[Outcome] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, inject in injections(House(Path(folder)), random.Random(words.seed), words.long):
                if words.only in name:
                    outcomes += _told(name, inject)
    finally:
        print("\n".join(catalogue.table(outcomes)), flush=True)
    return int(not all(one.survived for one in outcomes))


def _told(name: str, inject: Callable[[], list[Outcome]]) -> list[Outcome]:
    """Inject a fault; say how long that took, and what was lost."""
    started = time.monotonic()
    found = inject()
    print(f"{name}, {found[0].verb}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
    for one in found:
        if not one.survived:
            print(f"  LOST {one.fault}, {one.verb}: {one.lost}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
