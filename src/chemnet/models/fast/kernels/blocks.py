"""Cells in blocks, one thread per core, each with a BLAS of its own thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

Block = TypeVar("Block")
# fewest rows that are worth a call of BLAS, which first packs the matrix
FEWEST_FOR_BLAS = 4


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


def in_blocks(n_rows: int, function: Callable[[slice], None], size: int = 0) -> None:
    """Call a function that leaves the interpreter lock on each of the `blocks_of` rows, in threads."""
    if n_rows < FEWEST_FOR_BLAS:
        function(slice(0, n_rows))
    else:
        each_block(blocks_of(n_rows, size), function)


def each_block(blocks: Sequence[Block], function: Callable[[Block], None]) -> None:
    """Call a function that leaves the interpreter lock on each block, in as many threads as torch uses."""
    threads = min(torch.get_num_threads(), len(blocks))
    with _blas().limit(limits=1, user_api="blas"):
        if threads == 1:
            for block in blocks:
                function(block)
            return
        with ThreadPoolExecutor(threads) as pool:
            # the list raises what a block raised
            list(pool.map(function, blocks))


@cache
def _blas() -> ThreadpoolController:
    """Return what sets the threads of BLAS; looking for its libraries takes milliseconds."""
    import scipy.linalg.cython_blas  # noqa: F401  the library that compiled code calls

    return ThreadpoolController()
