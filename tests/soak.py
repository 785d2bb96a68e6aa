"""Run the chain for an hour with faults at random, beside a process that lives all the while.

    python tests/soak.py --minutes 60 --record soak.jsonl
    python tests/soak.py --report soak.jsonl

Each loop simulates, preprocesses, trains, infers and looks up in this process, steps a surrogate, breaks a
verb off in this process, and breaks off each verb once in a process of its own. After every fault all visible
results must be whole by digest; what can be resumed must end with the bytes of the run that nothing
disturbed. One line per loop records what this process holds: memory, file handles, threads.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np  # noqa: E402
from made_network import write_made_network  # noqa: E402
from workspace import TINY  # noqa: E402

from chemnet import ChemNet, ChemNetError, InferenceDataset, Surrogate  # noqa: E402
from chemnet.results import ResultDirectory, list_results  # noqa: E402
from chemnet.results.unfinished_runs import list_partial  # noqa: E402

EMULATOR = ("model.name=LatentEmulator", "train.component=emulator")
VERBS = ("simulate", "preprocess", "train", "infer", "save_to_database", "lookup")
SIGNALS = {"kill -9": [signal.SIGKILL], "SIGTERM": [signal.SIGTERM], "SIGINT": [signal.SIGINT]}
SIGNALS["SIGINT twice"] = 2 * SIGNALS["SIGINT"]
OUTSIDE = (*SIGNALS, "kill -9", "full disk", "unwritable folder")
INSIDE = ("SIGINT", "full disk", "unwritable folder")
#: what a resumed run must leave byte for byte
SAME = {"simulate": "tracers.h5", "train": "weights.safetensors", "infer": "batch_0.npy"}
#: results that stay in the folder; older ones are removed, so that it does not grow
KEPT = 40
#: root may write everywhere, unless this is taken away
_UNPRIVILEGED = [] if os.geteuid() else ["setpriv", "--bounding-set", "-dac_override"]


class Soak:
    """A folder with a tiny network, the results known to be whole, and what was injected so far."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(seed)
        self.results = folder / "results"
        self.known: dict[str, str] = {}
        self.faults: Counter[str] = Counter()
        self.lost: list[str] = []
        self.tracebacks: list[str] = []
        self.seconds = dict.fromkeys(VERBS, 12.0)
        self.resumed = self.loop = 0
        folder.chmod(0o755)
        network = write_made_network(folder / "made")
        simulate = f'[simulate]\nnetwork = "{network}"\nn_tracers = 12\nn_steps = 20\nworkers = 1\n'
        text = TINY.replace('[data_set]\npath = "tracers.h5"\n', simulate).replace(
            '"results"', f'"{self.results}"'
        )
        self.config = folder / "tiny.toml"
        self.config.write_text(text, encoding="utf-8")

    def chem(self, *words: str) -> ChemNet:
        """Return chemnet in this process, seeded by the loop."""
        return ChemNet(self.config, [f"general.seed={self.loop}", "train.epochs=8", *words])

    def once(self) -> dict[str, Any]:
        """Run one loop and return its record."""
        started = time.monotonic()
        self.loop += 1
        reference = self._chain()
        self._check("chain")
        self._broken_off_inside()
        for verb in VERBS:
            self._broken_off_outside(verb, self.rng.choice(OUTSIDE))
            self._resumes_to(verb, reference)
        self.chem().results(clean=True)
        self._forget_the_oldest()
        return {"loop": self.loop, "seconds": round(time.monotonic() - started, 1), **self._held()}

    def _chain(self) -> dict[str, Path]:
        """Run every verb undisturbed, and a surrogate's steps; return the results by verb."""
        chem, made = self.chem(), {}
        made["simulate"] = chem.simulate().path
        made["preprocess"] = chem.preprocess().path
        made["train"] = chem.train().path
        emulator = self.chem(*EMULATOR).train()
        made["infer"] = chem.infer(model_dir=made["train"]).path
        made["save_to_database"] = chem.save_to_database().path
        known = InferenceDataset(made["infer"]).ids()
        nearest = chem.lookup(id=known[self.rng.randrange(len(known))])
        self._expect(bool(str(nearest)), "a known state has no neighbour")
        self._step(Surrogate.load(emulator.path))
        return made

    def _step(self, surrogate: Surrogate) -> None:
        """Advance cells many times, as a hydrodynamics code does."""
        physical = np.tile([1e5, 1.0, 10.0, 20.0], (32, 1))
        cells = np.tile([0.5, 0.25, 0.1, 1e-4, 7e-5, 7e-5], (32, 1))
        hydrogen = cells[:, :2] @ [1.0, 2.0]
        for _ in range(200):
            cells = np.asarray(surrogate.step(physical, cells, dt=1e4))
        self._expect(bool(np.isfinite(cells).all()), "a step is not finite")
        self._expect(np.allclose(cells[:, :2] @ [1.0, 2.0], hydrogen, rtol=1e-4), "hydrogen was lost")

    def _broken_off_inside(self) -> None:
        """Break a verb off in this process, which goes on living."""
        fault, verb = self.rng.choice(INSIDE), self.rng.choice(("simulate", "preprocess", "train"))
        chem = self.chem(f"general.seed={self.loop + 100_000}", f"simulate.n_tracers={12 + self.loop % 3}")
        if verb != "simulate":
            chem = self.chem()
        with contextlib.suppress(ChemNetError, KeyboardInterrupt), self._inside(fault, chem):
            getattr(chem, verb)()
        self.faults[f"{fault}, Python"] += 1
        self._check(f"{fault} in {verb} of this process")

    @contextlib.contextmanager
    def _inside(self, fault: str, chem: ChemNet) -> Any:
        """Put this process under a fault for a while."""
        if fault == "unwritable folder":
            chem.set_config("general.results_dir", "/proc/chemnet")
            yield
        elif fault == "full disk":
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.rng.choice((300, 2_000, 9_000)), hard))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        else:
            timer = threading.Timer(self.rng.uniform(0.0, 3.0), os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            try:
                yield
            finally:
                timer.cancel()
                timer.join()

    def _broken_off_outside(self, verb: str, fault: str) -> None:
        """Break a verb off in a process of its own."""
        words = ["-m", "chemnet", verb, "-c", str(self.config), f"general.seed={self.loop}", "train.epochs=8"]
        if verb == "lookup":
            words += ["--outliers", "2"]
        unwritable = fault == "unwritable folder"
        if unwritable:
            self.results.chmod(0o555)
        started = time.monotonic()
        process = subprocess.Popen(
            [*(_UNPRIVILEGED if unwritable else []), sys.executable, *words],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if fault == "full disk":
            limit = self.rng.choice((300, 2_000, 9_000))
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        told = self._ended(process, self.seconds[verb], SIGNALS.get(fault, []))
        self.results.chmod(0o755)
        if process.returncode == 0:
            self.seconds[verb] = 0.5 * (self.seconds[verb] + time.monotonic() - started)
        self.faults[fault] += 1
        if "Traceback" in told:
            # Ctrl-C before chemnet's first line is Python's own to tell
            self.tracebacks.append(told)
            print(f"TRACEBACK {fault} in {verb}: {told[-2000:]}", file=sys.stderr, flush=True)
        self._check(f"{fault} in {verb}")

    def _ended(self, process: subprocess.Popen[bytes], usual: float, numbers: list[signal.Signals]) -> str:
        """Wait for the end, with signals at a random moment of the usual time; return what was told."""
        if numbers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.rng.uniform(0.2, 1.1) * usual)
        for number in numbers:
            process.send_signal(number)
            time.sleep(self.rng.uniform(0.0, 0.1))
        return process.communicate(timeout=600)[1].decode()

    def _resumes_to(self, verb: str, reference: dict[str, Path]) -> None:
        """Resume what a fault left unfinished; it must end with the bytes of the undisturbed run."""
        left = [path for path in list_partial(self.results) if f"-{verb}-" in path.name]
        if verb not in SAME or not left:
            return
        try:
            made = getattr(self.chem(f"{verb}.resume={left[-1].name}"), verb)().path
        except ChemNetError as error:
            # broken off before there was anything to go on from
            self._expect("nothing" in str(error) or "no " in str(error), f"resume of {verb}: {error}")
            return
        self.resumed += 1
        same = (made / SAME[verb]).read_bytes() == (reference[verb] / SAME[verb]).read_bytes()
        self._expect(same, f"the resumed {verb} {made.name} is another one than {reference[verb].name}")
        self._check(f"resumed {verb}")

    def _check(self, after: str) -> None:
        """Every result that was ever visible still is, and is whole by digest."""
        visible = {path.name for path in self.results.glob("2*")}
        for name in self.known.keys() - visible:
            self._expect(False, f"{after}: {name} is gone")
            del self.known[name]
        for name in visible:
            try:
                result = ResultDirectory.open(self.results / name)
                result.verify()
                same = self.known.setdefault(name, result.digest) == result.digest
                self._expect(same, f"{after}: {name} has changed")
            except ChemNetError as error:
                self._expect(False, f"{after}: {name}: {error}")

    def _forget_the_oldest(self) -> None:
        for result in list_results(self.results)[:-KEPT]:
            shutil.rmtree(result.path)
            self.known.pop(result.name, None)

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.lost.append(otherwise)
            print(f"LOST in loop {self.loop}: {otherwise}", file=sys.stderr, flush=True)

    def _held(self) -> dict[str, Any]:
        """What this process holds now, and what was counted so far."""
        gc.collect()
        status = Path("/proc/self/status").read_text(encoding="utf-8").split()
        return {
            "memory_mb": round(int(status[status.index("VmRSS:") + 1]) / 1024, 1),
            "handles": sum(1 for _ in Path("/proc/self/fd").iterdir()),
            "threads": int(status[status.index("Threads:") + 1]),
            "children": len(_children()),
            "results": len(self.known),
            "resumed": self.resumed,
            "faults": dict(self.faults),
            "tracebacks": len(self.tracebacks),
            "lost": len(self.lost),
        }


def _children() -> list[str]:
    """The processes that this one has started and not taken leave of."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8").split()


def report(record: Path) -> str:
    """Return the figures of a record as a Markdown table: first loop, a quarter through, last, slope."""
    lines = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    hours = np.cumsum([line["seconds"] for line in lines]) / 3600.0
    # caches fill in the first loops
    late = len(lines) // 4
    rows = [
        "| held by the process | first loop | a quarter through | last | slope after [1/h] |",
        "|---|---|---|---|---|",
    ]
    for name in ("memory_mb", "handles", "threads", "children"):
        values = [line[name] for line in lines]
        slope = np.polyfit(hours[late:], values[late:], 1)[0] if len(lines) - late > 2 else float("nan")
        rows.append(f"| {name} | {values[0]} | {values[late]} | {values[-1]} | {slope:.2g} |")
    last = lines[-1]
    faults = ", ".join(f"{name} {count}" for name, count in sorted(last["faults"].items()))
    rows += [
        "",
        f"{len(lines)} loops in {hours[-1] * 60:.0f} minutes, "
        f"{sum(last['faults'].values())} faults ({faults})",
    ]
    rows.append(f"{last['resumed']} runs resumed to the same bytes, {last['lost']} lost")
    rows.append(f"{last['tracebacks']} ended with a traceback")
    return "\n".join(rows)


def soak(minutes: float, record: Path, seed: int, loops: int = sys.maxsize) -> int:
    """Loop until the time is over and return how much was lost."""
    # a background shell hands down that Ctrl-C is ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable()
    end = time.monotonic() + 60.0 * minutes
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        running = Soak(Path(folder), seed)
        while time.monotonic() < end and running.loop < loops:
            line = running.once()
            with record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    return len(running.lost)


def main() -> int:
    """Soak, or report what a soak recorded."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--record", type=Path, default=Path("soak.jsonl"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path)
    words = parser.parse_args()
    lost = 0 if words.report else soak(words.minutes, words.record, words.seed)
    print(report(words.report or words.record))
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
