"""How fast is an exported surrogate beside Python, how large is its source, and how long does it compile?

The shipped `collapse` is exported and built by the C compiler of this machine; 1,024 cells are known states.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import ctypes
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import Figure, report
from timing import ratios, rounds_of

from chemnet.export.bundle import write_bundle
from chemnet.export.reference import reference_cells
from chemnet.surrogate.surrogate import Surrogate

CELLS, STEPS, ROUNDS, SINGLE = 1024, 20, 9, 200
SOURCES = (".c", ".h", ".f90", ".cpp")
FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fPIC", "-shared")


def build(folder: Path) -> tuple[ctypes.CDLL, float]:
    """Return the library of a bundle, and the seconds that it took to compile."""
    target, started = folder / "library.so", time.perf_counter()
    sources = [str(path) for path in sorted((folder / "src").glob("*.c"))]
    subprocess.run([str(shutil.which("cc")), *FLAGS, *sources, "-lm", "-o", str(target)], check=True)
    return ctypes.CDLL(str(target)), time.perf_counter() - started


def opened(code: ctypes.CDLL, folder: Path) -> tuple[Any, Any]:
    """Return the handles of a surrogate and of a workspace."""
    surrogate, workspace = ctypes.c_void_p(), ctypes.c_void_p()
    assert code.chemnet_open(str(folder / "weights.bin").encode(), ctypes.byref(surrogate)) == 0
    code.chemnet_workspace_new(surrogate, ctypes.c_size_t(CELLS), ctypes.byref(workspace))
    return surrogate, workspace


def main() -> None:
    """Measure in turn and print."""
    torch.set_num_threads(1)
    surrogate = Surrogate.load("collapse")
    folder = write_bundle(surrogate, Path(tempfile.mkdtemp()) / "library")
    code, compiled = build(folder)
    handles = opened(code, folder)
    cells = reference_cells(surrogate, n_cells=CELLS)
    start = np.resize(cells.start, (CELLS, cells.start.shape[1])).copy()
    physical = np.resize(cells.physical, (CELLS, cells.physical.shape[1])).copy()
    state = np.zeros((CELLS, code.chemnet_state_size(handles[0])))
    flags, after = np.zeros(CELLS, np.int32), np.zeros_like(start)

    def call(name: str, n_cells: int, *arrays: Any) -> None:
        pointers = [None if one is None else one.ctypes.data_as(ctypes.c_void_p) for one in arrays]
        getattr(code, f"chemnet_{name}")(*handles, ctypes.c_size_t(n_cells), *pointers)

    history = np.repeat(physical[:, None], STEPS + 1, axis=1)

    def library(n_cells: int = CELLS, steps: int = STEPS) -> None:
        call("begin", n_cells, start, state, flags)
        for _ in range(steps):
            call("advance", n_cells, physical, None, state, flags)
        call("read", n_cells, state, after, flags, None)

    def steps_of_one() -> None:
        for _ in range(SINGLE):
            after[:1] = start[:1]
            call("step", 1, physical, None, after, flags, None)

    def latents_of_one() -> None:
        for _ in range(SINGLE):
            call("advance", 1, physical, None, state, flags)

    works = {
        "library": library,
        "python": lambda: surrogate.emulate(history, start, rows=[STEPS]),
        "step": steps_of_one,
        "latents": latents_of_one,
    }
    taken = rounds_of(works, ROUNDS)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in SOURCES) / 1e3
    micro = {name: [1e6 * one / SINGLE for one in taken[name]] for name in ("step", "latents")}
    shutil.rmtree(folder.parent)
    report(
        __doc__ or "",
        [
            Figure.of("C library over Surrogate.emulate", ratios(taken["python"], taken["library"]), 1.0),
            Figure.of("conserving step of one cell [us]", micro["step"], 60.0, at_most=True),
            Figure.of("latents of one cell alone [us]", micro["latents"], 10.0, at_most=True),
            Figure("source without weights [kB]", size, 200.0, True),
            Figure("compile with -O3 [s]", compiled, 20.0, True),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
