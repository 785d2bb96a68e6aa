"""Rows in blocks, one thread per core: compiled code leaves the interpreter lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

Block = TypeVar("Block")
Result = TypeVar("Result")
# fewest rows that are worth a call of BLAS, which first packs the matrix
FEWEST_FOR_BLAS = 4
# fewest values of an element-wise kernel that are worth handing to another thread, which takes about 30 us
_VALUES_PER_THREAD = 50_000


def blocks_of(n_rows: int, size: int = 0, least: int = 1) -> list[slice]:
    """Return blocks of rows: one per thread that torch uses, or smaller ones.

    Parameters
    ----------
    n_rows, size
        Rows in all, and in a block at most; 0: one block per thread.
    least
        Rows that are worth a thread of their own.
    """
    threads = max(1, min(torch.get_num_threads(), n_rows // least))
    share = -(-n_rows // threads)
    size = min(size or share, share)
    return [slice(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]


def each_part(shape: Sequence[int], kernel: Callable[[slice], Result]) -> list[Result]:
    """Return what an element-wise kernel returns for each block of the rows of arrays of a shape."""
    width = max(1, torch.Size(shape[1:]).numel())
    return _in_threads(blocks_of(shape[0], least=-(-_VALUES_PER_THREAD // width)), kernel)


def in_blocks(n_rows: int, function: Callable[[slice], None], size: int = 0) -> None:
    """Call a function that leaves the interpreter lock on each of the `blocks_of` rows, in threads."""
    if n_rows < FEWEST_FOR_BLAS:
        function(slice(0, n_rows))
    else:
        each_block(blocks_of(n_rows, size), function)


def each_block(blocks: Sequence[Block], function: Callable[[Block], None]) -> None:
    """Call a function on each block, in as many threads as torch uses, each with a BLAS of one thread."""
    with _blas().limit(limits=1, user_api="blas"):
        _in_threads(blocks, function)


def _in_threads(blocks: Sequence[Block], function: Callable[[Block], Result]) -> list[Result]:
    """Return what a function that leaves the interpreter lock returns for each block."""
    threads = min(torch.get_num_threads(), len(blocks))
    if threads == 1:
        return [function(block) for block in blocks]
    # the list raises what a block raised
    return list(_pool(os.getpid(), torch.get_num_threads()).map(function, blocks))


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the threads of a process; one that was forked has none of its parent's."""
    return ThreadPoolExecutor(threads, thread_name_prefix="chemnet")


@cache
def _blas() -> ThreadpoolController:
    """Return what sets the threads of BLAS; looking for its libraries takes milliseconds."""
    import scipy.linalg.cython_blas  # noqa: F401  the library that compiled code calls

    return ThreadpoolController()
