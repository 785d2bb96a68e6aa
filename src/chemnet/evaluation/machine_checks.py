"""What this machine brings: versions, device, threads, caches, disk, and how fast it is at chemnet's work."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from chemnet.caches import cache_folders
from chemnet.config import ConfigDict
from chemnet.extras import EXTRAS, is_installed

OK, ADVICE, PROBLEM = "ok", "advice", "problem"
_PACKAGES = ("chemnet", "torch", "pytorch-ignite", "numpy", "numba", "scipy", "h5py", "matplotlib")
_LEAST_FREE = 2.0  # [GB]
_SPEED_SECONDS = 0.3  # of each of three checks
_GIGA = 1e9


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    name
        What.
    state
        `OK`, `ADVICE` (it works, and could be better) or `PROBLEM`.
    found
        What there is.
    advice
        What to do about it; empty where nothing is to be done.
    """

    name: str
    state: str
    found: str
    advice: str = ""


def machine_checks(config: ConfigDict, speed: bool = True) -> Iterator[Check]:
    """Yield one check after another; none raises, and none takes longer than a few seconds.

    Parameters
    ----------
    config
        Says which device and which folders are used.
    speed
        Whether to measure the speed of solver, matrix products and copying too.
    """
    yield Check("python", OK, f"{platform.python_version()} on {platform.platform(terse=True)}")
    yield Check("packages", OK, ", ".join(f"{name} {_version(name)}" for name in _PACKAGES))
    yield _extras()
    yield _device(str(config["general"]["device"]))
    yield _threads()
    yield from (_writable(name, folder) for name, folder in cache_folders().items())
    yield _writable("results", Path(config["general"]["results_dir"]))
    yield _disk(Path(config["general"]["results_dir"]))
    yield _hdf5()
    yield _compilers()
    if speed:
        yield from (_timed(measure) for measure in (_products, _copy, _solver))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _extras() -> Check:
    """Which optional packages are missing."""
    missing = {
        extra: lacks
        for extra, packages in EXTRAS.items()
        if (lacks := [package for package in packages if not is_installed(package)])
    }
    if not missing:
        return Check("extras", OK, f"all: {', '.join(EXTRAS)}")
    found = "; ".join(f"{extra} lacks {', '.join(lacks)}" for extra, lacks in missing.items())
    return Check("extras", ADVICE, found, f"pip install 'chemnet[{','.join(missing)}]' where you need them")


def _device(wanted: str) -> Check:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Check("device", OK, f"CUDA {torch.version.cuda}: {', '.join(names)}")
    if wanted.startswith("cuda"):
        return Check(
            "device", PROBLEM, f"general.device = {wanted!r}, and PyTorch sees no GPU",
            "set general.device=auto, or install a PyTorch built for your CUDA driver",
        )  # fmt: skip
    built = (
        f"PyTorch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "a CPU build of PyTorch"
    )
    return Check("device", OK, f"CPU ({built})")


def _threads() -> Check:
    """Cores that this process may use, and what limits the libraries."""
    import torch

    may_use = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [
        f"{name}={os.environ[name]}"
        for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
        if name in os.environ
    ]
    found = f"{may_use} cores, PyTorch uses {torch.get_num_threads()} threads"
    found += f" ({', '.join(limits)})" if limits else ""
    if torch.get_num_threads() > may_use:
        return Check(
            "threads", ADVICE, found, f"export OMP_NUM_THREADS={may_use}: more threads than cores are slow"
        )
    return Check("threads", OK, found)


def _writable(name: str, folder: Path) -> Check:
    """Whether a folder, or the nearest one above it that exists, takes files."""
    folder = folder.absolute()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if os.access(existing, os.W_OK | os.X_OK):
        return Check(f"{name} folder", OK, str(folder))
    advice = (
        "set general.results_dir to a folder of yours"
        if name == "results"
        else f"set {name} to a folder of yours"
    )
    return Check(f"{name} folder", PROBLEM, f"{folder} takes no files", advice)


def _disk(folder: Path) -> Check:
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free / _GIGA
    if free < _LEAST_FREE:
        return Check(
            "disk", ADVICE, f"{free:.1f} GB free", "chemnet results --clean, or results_dir on a larger disk"
        )
    return Check("disk", OK, f"{free:.0f} GB free")


def _hdf5() -> Check:
    import h5py

    return Check("HDF5", OK, f"{h5py.version.hdf5_version}, h5py {h5py.version.version}")


def _compilers() -> Check:
    """What `chemnet verify` builds exported surrogates with."""
    found = [name for name in ("cc", "c++", "gfortran", "cmake") if shutil.which(name)]
    missing = [name for name in ("cc", "c++", "gfortran", "cmake") if name not in found]
    if missing:
        return Check(
            "compilers", ADVICE, f"{', '.join(found) or 'none'}; {', '.join(missing)} missing",
            "only exported surrogates need them",
        )  # fmt: skip
    return Check("compilers", OK, ", ".join(found))


def _timed(measure: Callable[[], Check]) -> Check:
    """Measure; a measurement that fails is a problem of its own."""
    try:
        return measure()
    except Exception as error:
        return Check(
            measure.__name__.strip("_"), PROBLEM, f"{type(error).__name__}: {error}", "see --debug of a verb"
        )


def _rate(run: Callable[[], Any], amount: float) -> float:
    """Return amounts per second of wall time of a function, warm."""
    run()
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < _SPEED_SECONDS:
        run()
        count += 1
    return count * amount / (time.perf_counter() - started)


def _products() -> Check:
    import torch

    n = 512
    a, b = torch.rand(1024, n), torch.rand(n, n)
    rate = _rate(lambda: a @ b, 2.0 * 1024 * n * n) / _GIGA
    return Check("matrix products", OK, f"{rate:.0f} GFLOP/s in float32 on {torch.get_num_threads()} threads")


def _copy() -> Check:
    """Copying memory, which bounds scaling and reading."""
    source = np.ones(8_000_000)
    target = np.empty_like(source)
    rate = _rate(lambda: np.copyto(target, source), 2.0 * source.nbytes) / _GIGA
    return Check("memory copy", OK, f"{rate:.1f} GB/s read and written")


def _solver() -> Check:
    """The stiff solver on the network that chemnet ships; its first use on a machine compiles."""
    from chemnet.chemistry.network.initial_abundances import initial_abundances
    from chemnet.chemistry.network.network import Network

    network = Network.read("collapse")
    rows = 11
    tracer = {
        "time": np.linspace(0.0, 1e5, rows),
        "Density": np.full(rows, 1e4),
        "Radfield": np.ones(rows),
        "Av": np.full(rows, 5.0),
        "gasTemp": np.full(rows, 10.0),
    }
    start = initial_abundances(network)
    started = time.perf_counter()
    network.solve(tracer, start)
    first = time.perf_counter() - started
    rate = _rate(lambda: network.solve(tracer, start), rows - 1.0)
    found = f"{1e3 / rate:.1f} ms per row of {len(network.species)} species"
    if first > 5.0:
        found += f"; {first:.0f} s before that to compile, once per machine"
    return Check("solver", OK, found)


def summary_line(checks: list[Check]) -> str:
    """Return the verdict over all checks in one line."""
    problems = [one.name for one in checks if one.state == PROBLEM]
    if problems:
        return f"{len(problems)} to mend: {', '.join(problems)}"
    return (
        f"all well: chemnet {_version('chemnet')}, python {sys.version_info.major}.{sys.version_info.minor}"
    )
