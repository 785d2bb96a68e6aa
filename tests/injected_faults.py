"""Faults, injected into real processes that run chemnet: killed, short of disk, home or permissions.

The processes are forked from one server that has imported what the verbs need, so that an injection costs
what the verb costs and not its start-up.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TESTS = Path(__file__).resolve().parent
_IMPORTED = (
    "torch",
    "ignite.engine",
    "h5py",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "injected_faults",
    "chemnet.training.loop.train_component",
    "chemnet.chemistry.simulation.simulate",
    "chemnet.data.simulated_set",
    "chemnet.plots.tracer_figures",
    "chemnet.data.preprocess.pipeline",
    "chemnet.data.infer_result.inference_dataset",
    "chemnet.surrogate.bulk.model_over_data_set",
    "chemnet.evaluation.score_tracers",
    "chemnet.search.reducers",
)
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Condition:
    """What a process finds when it starts.

    Attributes
    ----------
    file_limit
        Bytes that a file may have (`RLIMIT_FSIZE`).
    clock_s
        Seconds that the clock is wrong by.
    home
        Whether there are a home and a folder for caches.
    may_write
        Whether the process may write where the permissions of a folder do not let it: root always may.
    prepare
        Functions of this module that are called first.
    """

    file_limit: int | None = None
    clock_s: float = 0.0
    home: bool = True
    may_write: bool = True
    prepare: tuple[str, ...] = ()

    def enter(self) -> None:
        """Bring it about in this process."""
        if self.file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_limit, resource.RLIM_INFINITY))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a full disk sends no signal
        if self.clock_s:
            turn_clock(self.clock_s)
        if not self.home:
            for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
                os.environ.pop(name, None)
        if not self.may_write and os.geteuid() == 0:
            drop_capabilities()
        for name in self.prepare:
            globals()[name]()


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, minus the signal that killed it, and what it said."""

    code: int
    out: str
    err: str
    cpu_s: float


@dataclass
class Child:
    """A process that runs ``chemnet WORDS``."""

    words: Sequence[str | Path]
    folder: Path
    condition: Condition = field(default_factory=Condition)

    def __post_init__(self) -> None:
        number = time.monotonic_ns()
        self._told = {name: self.folder / f".{number}.{name}" for name in ("out", "err", "begun")}
        words = [str(word) for word in self.words]
        self.process = _server().Process(target=_run, args=(words, self.folder, self._told, self.condition))
        self.process.start()
        self._cpu_s = 0.0

    @property
    def cpu_s(self) -> float:
        """Seconds of a processor that the command line has used, whatever else the machine does."""
        try:
            before = float(self._told["begun"].read_text())
            text = Path(f"/proc/{self.process.pid}/stat").read_text()
            self._cpu_s = sum(map(int, text.rpartition(")")[2].split()[11:13])) * _TICK_S - before
        except OSError:
            pass
        return self._cpu_s

    def wait_until(self, condition: Callable[[], Any]) -> bool:
        """Wait until a condition holds; return whether it did before the process ended."""
        while self.process.is_alive():
            if condition():
                return True
            time.sleep(_TICK_S / 4)
        return False

    def send(self, *signals: signal.Signals, pause_s: float = 0.0) -> None:
        """Send signals, one after the other."""
        for number in signals:
            try:
                os.kill(self.process.pid or 0, number)
            except ProcessLookupError:
                return
            time.sleep(pause_s)

    def ended(self) -> Ended:
        """Wait for the end."""
        while self.process.is_alive():
            _ = self.cpu_s
            self.process.join(0.02)
        said = {
            name: path.read_text(errors="replace") if path.exists() else ""
            for name, path in self._told.items()
        }
        for path in self._told.values():
            path.unlink(missing_ok=True)
        return Ended(self.process.exitcode or 0, said["out"], said["err"], self._cpu_s)


def run(words: Sequence[str | Path], folder: Path, condition: Condition = Condition()) -> Ended:
    """Run ``chemnet WORDS`` to its end."""
    return Child(words, folder, condition).ended()


def strike(
    words: Sequence[str | Path],
    folder: Path,
    signals: Sequence[signal.Signals],
    at_cpu_s: float,
    condition: Condition = Condition(),
    pause_s: float = 0.0,
) -> tuple[bool, Ended]:
    """Send signals to ``chemnet WORDS`` once it has used so much CPU; return whether they hit it."""
    child = Child(words, folder, condition)
    hit = child.wait_until(lambda: child.cpu_s >= at_cpu_s)
    child.send(*signals, pause_s=pause_s)
    return hit, child.ended()


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Flip one bit of a file, and leave its size and its time of change as they were."""
    state, content = path.stat(), bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def shorten(path: Path, place: int) -> None:
    """Take one byte out of a file."""
    content = path.read_bytes()
    path.write_bytes(content[:place] + content[place + 1 :])


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[int], None]]:
    """Mount a disk of `size` bytes on a folder, as root may; gives what makes it larger or smaller."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)

    def resize(size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def may_mount(folder: Path) -> bool:
    """Return whether this process may mount a disk."""
    folder.mkdir(exist_ok=True)
    try:
        with small_disk(folder, 2**16):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def size_on_disk(folder: Path) -> int:
    """Return the bytes of a folder's files, in whole pages."""
    page = os.sysconf("SC_PAGESIZE")
    return sum(-(-path.stat().st_size // page) * page for path in folder.rglob("*") if path.is_file())


def small_batches() -> None:
    """Let an inference write many small files, so that it has something to go on behind."""
    from chemnet.data.infer_result import infer_result_writer, infer_sources, inference_dataset
    from chemnet.surrogate.bulk import model_over_data_set

    for each in (infer_result_writer, inference_dataset):
        each.ROWS_PER_FILE = 64
    model_over_data_set.ROWS_PER_CALL["cpu"] = 40
    infer_sources.TRACERS_PER_BLOCK = 2


def take_time() -> None:
    """Let a run rest after what it could go on from, so that whoever waits for that sees it in time."""
    from chemnet.training.loop import handlers
    from chemnet.verbs import infer

    for module, name in ((infer, "_append"), (handlers, "write_state")):
        setattr(module, name, _then_rest(getattr(module, name)))


def _then_rest(function: Callable[..., Any]) -> Callable[..., Any]:
    def rested(*arguments: Any) -> None:
        function(*arguments)
        time.sleep(0.03)

    return rested


def closed_form() -> None:
    """Integrate the tiny network in closed form, with a pause per tracer."""
    import functools

    from made_network import closed_form_solve

    from chemnet.chemistry.network.network import Network

    Network.solve = functools.partialmethod(closed_form_solve, delay=0.003)


def undrawn() -> None:
    """Draw nothing: that takes longer than all the rest here."""
    from matplotlib.figure import Figure

    from chemnet.training.loop import train_component

    train_component.write_curves = lambda *_: None
    drawn = Figure.savefig

    def savefig(figure: Figure, place: Any, **options: Any) -> None:
        if hasattr(place, "write"):
            drawn(figure, place, **options)
        else:
            Path(place).write_bytes(b"a figure")

    Figure.savefig = savefig  # type: ignore[method-assign]


def drop_capabilities() -> None:
    """Let permissions of files hold for root too, as capset(2) does for who gives up all capabilities."""
    version_3, libc = 0x20080522, ctypes.CDLL(None, use_errno=True)
    header, none = (ctypes.c_uint32 * 2)(version_3, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def turn_clock(seconds: float) -> None:
    """Let this process's clock be wrong."""
    import datetime as dt

    from chemnet.results import result_writer

    right, real = time.time, dt.datetime

    class Turned(dt.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real.now(tz) + dt.timedelta(seconds=seconds)

    time.time = lambda: right() + seconds
    result_writer.datetime = Turned


def _server() -> Any:
    """Return the context whose processes are forked from a server that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    paths = [str(_TESTS), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, paths)))
    context.set_forkserver_preload(list(_IMPORTED))
    return context


def _run(words: list[str], folder: Path, told: dict[str, Path], condition: Condition) -> None:
    """Run ``chemnet WORDS`` in this process and leave it with the exit code."""
    os.chdir(folder)
    # pytest-xdist's workers may ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for path, stream, number in ((told["out"], sys.stdout, 1), (told["err"], sys.stderr, 2)):
        stream.flush()
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    condition.enter()
    from chemnet.cli import main

    sys.argv = ["chemnet", *words]
    note = told["begun"].with_suffix(".note")
    note.write_text(str(time.process_time()))
    note.replace(told["begun"])
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)
