"""Cells in blocks, one thread per core, each with a BLAS of its own thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from threadpoolctl import ThreadpoolController

from chemnet.surrogate.engine.perceptrons import FEWEST_FOR_BLAS

# cells whose hidden layers a core carries together: few enough for its cache, many enough for its BLAS
CELLS_PER_BLOCK = 512
# so few rows do not go through BLAS
_FEW = FEWEST_FOR_BLAS - 1


def in_blocks(n_rows: int, function: Callable[[slice], None], size: int = 0) -> None:
    """Call a function that leaves the interpreter lock on blocks of rows, on as many threads as torch uses.

    Parameters
    ----------
    n_rows, size
        Rows in all, and in a block at most; 0: one block per thread.
    function
        Is given the rows of a block.
    """
    if n_rows <= _FEW:
        function(slice(0, n_rows))
        return
    threads = torch.get_num_threads()
    share = -(-n_rows // threads)
    size = min(size or share, share)
    blocks = [slice(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]
    with _blas().limit(limits=1, user_api="blas"):
        if min(threads, len(blocks)) == 1:
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
