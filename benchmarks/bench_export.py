"""How fast is an exported surrogate beside Python, how large is its source, and how long does it compile?

The shipped `collapse` and `uclchem` (balanced, with its implicit step) are exported and built by the C
compiler of this machine; 1,024 and 96 cells are known states.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import ctypes
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import Figure, report
from timing import cpu_used, ratios, rounds_of

from chemnet.export.bundle import write_bundle
from chemnet.export.reference import reference_cells
from chemnet.surrogate.surrogate import Surrogate

CELLS, STEPS, ROUNDS, SINGLE = 1024, 20, 9, 200
IMPLICIT_CELLS, IMPLICIT_ROUNDS = 96, 3
BY_INTEGRATION = 64 | 128 | 256
SOURCES = (".c", ".h", ".f90", ".cpp")
FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fPIC", "-shared")


def build(folder: Path, *flags: str) -> tuple[ctypes.CDLL, float]:
    """Return the library of a bundle, and the CPU seconds that it took to compile."""
    target, started = folder / f"library{len(flags)}.so", cpu_used()
    sources = [str(path) for path in sorted((folder / "src").glob("*.c"))]
    command = [str(shutil.which("cc")), *FLAGS, *sources, *flags, "-lm", "-o", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return ctypes.CDLL(str(target)), cpu_used() - started


def opened(code: ctypes.CDLL, folder: Path) -> tuple[Any, Any]:
    """Return the handles of a surrogate and of a workspace."""
    surrogate, workspace = ctypes.c_void_p(), ctypes.c_void_p()
    assert code.chemnet_open(str(folder / "weights.bin").encode(), ctypes.byref(surrogate)) == 0
    code.chemnet_workspace_new(surrogate, ctypes.c_size_t(CELLS), ctypes.byref(workspace))
    return surrogate, workspace


def with_blas(folder: Path) -> ctypes.CDLL | None:
    """Return the library with OpenBLAS, where that is installed."""
    places = [f"-I{path.parent}" for path in Path("/usr/include").glob("**/cblas.h")]
    try:
        return build(folder, "-DCHEMNET_BLAS", *places, "-lopenblas")[0]
    except subprocess.CalledProcessError:
        return None


def implicit_figures() -> list[Figure]:
    """Return what a step of `uclchem`, balanced, costs in C and in Python."""
    surrogate = Surrogate.load("uclchem")
    folder = write_bundle(surrogate, Path(tempfile.mkdtemp()) / "library")
    code, _ = build(folder)
    handles = opened(code, folder)
    cells = reference_cells(surrogate, n_cells=IMPLICIT_CELLS, n_steps=2)
    flags, after = np.zeros(IMPLICIT_CELLS, np.int32), cells.start.copy()

    def step(start: Any, physical: Any) -> None:
        after[: len(start)] = start
        pointers = [one.ctypes.data_as(ctypes.c_void_p) for one in (physical, after, flags)]
        count = ctypes.c_size_t(len(start))
        code.chemnet_step(*handles, count, pointers[0], None, pointers[1], pointers[2], None)

    step(cells.start, cells.physical)
    plain = (flags & BY_INTEGRATION) == 0
    inputs = {"all": (cells.start, cells.physical), "plain": (cells.start[plain], cells.physical[plain])}
    works: dict[str, Any] = {}
    for name, (start, physical) in inputs.items():
        works[f"c {name}"] = partial(step, start, physical)
        works[f"python {name}"] = partial(surrogate.step, physical, start)
    taken = rounds_of(works, IMPLICIT_ROUNDS)
    milli = {
        name: [1e3 * one / len(inputs[name.split()[1]][0]) for one in seconds]
        for name, seconds in taken.items()
    }
    shutil.rmtree(folder.parent)
    ratio = ratios(taken["python plain"], taken["c plain"])
    return [
        Figure.of("uclchem balanced: C library over Surrogate.step, no cell integrated", ratio, 1.0),
        Figure.of("the same in the library [ms per cell and step]", milli["c plain"]),
        Figure.of("the same in Python [ms per cell and step]", milli["python plain"]),
        Figure("cells that are integrated [%]", 100.0 * float(1.0 - plain.mean())),
        Figure.of("all cells in the library [ms per cell and step]", milli["c all"]),
        Figure.of("all cells in Python [ms per cell and step]", milli["python all"]),
    ]


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

    blas = with_blas(folder)
    chosen = [(code, handles)]

    def call(name: str, n_cells: int, *arrays: Any) -> None:
        library, own = chosen[0]
        pointers = [None if one is None else one.ctypes.data_as(ctypes.c_void_p) for one in arrays]
        getattr(library, f"chemnet_{name}")(*own, ctypes.c_size_t(n_cells), *pointers)

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
    if blas is not None:
        blas_handles = opened(blas, folder)

        def library_with_blas() -> None:
            chosen[0] = (blas, blas_handles)
            library()
            chosen[0] = (code, handles)

        works["blas"] = library_with_blas
    taken = rounds_of(works, ROUNDS)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in SOURCES) / 1e3
    no_blas = Figure(
        "time with OpenBLAS over that with the library's own loops",
        None,
        why_not="no libopenblas with cblas.h",
    )
    of_blas = (
        Figure.of(
            "time with OpenBLAS over that with the library's own loops",
            ratios(taken["blas"], taken["library"]),
        )
        if blas
        else no_blas
    )
    micro = {name: [1e6 * one / SINGLE for one in taken[name]] for name in ("step", "latents")}
    shutil.rmtree(folder.parent)
    report(
        __doc__ or "",
        [
            Figure.of("C library over Surrogate.emulate", ratios(taken["python"], taken["library"]), 1.0),
            Figure.of("conserving step of one cell [us]", micro["step"], 60.0, at_most=True),
            Figure.of("latents of one cell alone [us]", micro["latents"], 10.0, at_most=True),
            of_blas,
            Figure("source without weights [kB]", size, 200.0, True),
            Figure("compile with -O3 [CPU s]", compiled, 20.0, True),
            *implicit_figures(),
        ],
    )


if __name__ == "__main__":
    main()
