"""How the kernels are compiled: to vector instructions, once, kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chemnet.chemistry.compilation import compiled, inner

_HERE = Path(__file__).parent


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls; it leaves the interpreter lock, and may reorder arithmetic."""
    return compiled(function, sources=_HERE, fastmath=True)


def part(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call."""
    return inner(function, sources=_HERE, fastmath=True)
