"""Memory: batches in halves where it does not do, and large tensors kept by the process from step to step."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from chemnet.errors import RunFailedError
from chemnet.progress import get_logger

# parameters of mallopt(3), from glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_LARGEST_INT = 2**31 - 1
# glibc's defaults, and the thresholds that its own adjustment would arrive at for large blocks [bytes]
_DEFAULT_MMAP_MAX, _LARGEST_MMAP_THRESHOLD = 65536, 32 * 2**20
_log = get_logger(__name__)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the device, or the machine, has not enough memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # torch's allocator for the CPU
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)


def within_memory(compute: Callable[..., dict[str, Tensor]], *batches: Tensor) -> dict[str, Tensor]:
    """Return what `compute` makes of a batch; where memory does not do, of its halves one after the other.

    Parameters
    ----------
    compute
        Takes tensors `(n, ...)` and gives named tensors `(n, ...)`.
    batches
        Its arguments.

    Raises
    ------
    RunFailedError
        When there is not enough memory for one row.
    """
    try:
        return compute(*batches)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    # here, where the error holds on to no tensors any more
    rows = len(batches[0])
    if rows < 2:
        raise out_of_memory()
    _log.warning("out of memory with %d rows at a time: continuing with two halves", rows)
    parts = (slice(rows // 2), slice(rows // 2, None))
    halves = [within_memory(compute, *(one[part] for one in batches)) for part in parts]
    return {name: torch.cat([half[name] for half in halves]) for name in halves[0]}


def out_of_memory() -> RunFailedError:
    """Return the error for a batch that cannot be made smaller."""
    return RunFailedError(
        "out of memory with a single row", hint="use a device with more memory, or a smaller model"
    )


@contextlib.contextmanager
def memory_for_steps(largest: int) -> Iterator[None]:
    """Keep freed memory inside the block where its steps need that.

    glibc keeps the memory of small tensors by itself; to keep everything there would only let gaps between
    long-lived small tensors add up from step to step.

    Parameters
    ----------
    largest
        Bytes of the largest tensor of a step.
    """
    with kept_memory() if largest > _LARGEST_MMAP_THRESHOLD else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Let freed tensors of any size be reused inside the block.

    glibc maps blocks above 32 MB afresh each time, and the system fills every page with zeros when it is
    first written: at 65,536 rows of 333 species a training step then waits longer for its tensors than for
    its matrix products. Without glibc nothing is changed, nor in a thread that has an arena of its own: any
    but the first, and the first once an allocation has failed. Afterwards what is free is given back.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT)
    try:
        yield
    finally:
        libc.mallopt(_M_MMAP_MAX, _DEFAULT_MMAP_MAX)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        libc.mallopt(_M_TRIM_THRESHOLD, 2 * _LARGEST_MMAP_THRESHOLD)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    # musl has neither
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
