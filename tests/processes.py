"""Several processes that work together, started by `torchrun`, with an end in any case."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).resolve().parent


def free_port() -> int:
    """Return a port of this machine that nobody listens to."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def torchrun(size: int, module: str, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run ``python -m module WORDS`` in `size` processes; what is left of them at the end is killed."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(size)]
    command += ["--master-addr", "127.0.0.1", "--master-port", str(free_port()), "-m", module]
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    group = subprocess.Popen(
        [*command, *map(str, words)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a group of its own, as a terminal would make it: Ctrl-C reaches all
        start_new_session=True,
        # pytest-xdist's workers may ignore Ctrl-C; the processes must not inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield group
    finally:
        if group.poll() is None:
            for process in (*children(group.pid), group.pid):
                os.kill(process, signal.SIGKILL)
        group.communicate()


def children(process: int) -> list[int]:
    """Return the processes that a process has started: `torchrun` gives each a session of its own."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []
