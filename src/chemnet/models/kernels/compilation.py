"""How kernels are compiled: to vector instructions, once, kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chemnet.chemistry.compilation import compiled, inner

_HERE = Path(__file__).parent
# sums may be reordered, but what is not a number stays so: a training that diverges has to show it
_ARITHMETIC = {"reassoc", "contract", "nsz", "arcp"}


def kernel(function: Callable[..., Any], sources: tuple[Path, ...] = ()) -> Any:
    """Compile a function that Python calls; it leaves the interpreter lock, and may reorder sums.

    Parameters
    ----------
    function
        The function.
    sources
        Folders besides this one that hold what it calls: what is kept on disk expires with any of them.
    """
    return compiled(function, sources=(_HERE, *sources), fastmath=_ARITHMETIC)


def part(function: Callable[..., Any], sources: tuple[Path, ...] = ()) -> Any:
    """Compile a function that only kernels call; parameters as for `kernel`."""
    return inner(function, sources=(_HERE, *sources), fastmath=_ARITHMETIC)
