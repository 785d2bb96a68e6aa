"""How the engine's kernels are compiled: as those of training, whose functions they share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chemnet.models.kernels import compilation

_FOLDERS = (Path(__file__).parent,)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls; see `chemnet.models.kernels.compilation.kernel`."""
    return compilation.kernel(function, _FOLDERS)


def part(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call."""
    return compilation.part(function, _FOLDERS)
