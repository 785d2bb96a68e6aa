"""Memory of large tensors, kept by the process instead of handed back to the system after every step."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

# parameters of mallopt(3), from glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_LARGEST_INT = 2**31 - 1
# glibc's defaults, and the thresholds that its own adjustment would arrive at for large blocks [bytes]
_DEFAULT_MMAP_MAX, _LARGEST_MMAP_THRESHOLD = 65536, 32 * 2**20


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
    its matrix products. Without glibc nothing is changed. Afterwards what is free goes back to the system.
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
    """Return the C library if it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    # musl has neither
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
