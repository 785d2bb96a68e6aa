"""Where networks run and with what precision."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from chemnet.errors import ConfigError


def choose_device(wanted: str) -> torch.device:
    """Return the device for ``general.device``: ``"auto"`` is CUDA when there is one, else the CPU.

    Raises
    ------
    ConfigError
        When the device does not exist here.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ConfigError(
            f"general.device = {wanted!r} is no device",
            hint="allowed: 'auto', 'cpu', 'cuda' or 'cuda:<index>'",
        )
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if (device.index or 0) >= count:
        raise ConfigError(
            f"general.device = {wanted!r}, but this machine has {count} CUDA devices",
            hint="set general.device = 'auto' to use the CPU where there is no GPU",
        )
    return device


@contextlib.contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """Compute in ``"float32"``, ``"tf32"`` (tensor cores) or ``"bf16"`` (autocast) inside the block."""
    before = torch.get_float32_matmul_precision()
    if name == "float32" and before == "highest":
        # nothing to change: entering autocast costs what a small step costs
        yield
        return
    torch.set_float32_matmul_precision("highest" if name == "float32" else "high")
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=name == "bf16"):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def one_thread() -> contextlib.AbstractContextManager[None]:
    """Let torch use one CPU thread inside the block."""
    return cpu_threads(1)


@contextlib.contextmanager
def cpu_threads(wanted: int) -> Iterator[None]:
    """Let torch use `wanted` CPU threads inside the block; 0: as many as this process may use."""
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or usable_threads())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def usable_threads() -> int:
    """Return ``OMP_NUM_THREADS``, or the number of cores that the system lets this process run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device: of the GPU, or of the machine for the CPU."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    with contextlib.suppress(OSError), Path("/proc/meminfo").open(encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    # not Linux: assume what every laptop has
    return 4 * 2**30
