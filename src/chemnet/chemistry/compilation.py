"""How functions are compiled: once, kept on disk, without the interpreter lock.

Compilation is most of what a first run waits for. What only compiled code calls goes without the wrappers
that take Python objects apart; for the solver's many arrays they are as large as the functions themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function that Python calls; a division by zero gives an infinity, which the solver sees.

    Parameters
    ----------
    function
        The function, or None in `@compiled(option=...)`.
    options
        Further options of `numba.njit`.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        return _stamped(njit(cache=True, nogil=True, error_model="numpy", **options)(function))

    return decorate if function is None else decorate(function)


def inner(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function that only compiled code calls; parameters as for `compiled`."""
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)


def _sources_digest() -> str:
    """Return a digest of all sources that may hold compiled functions."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_SOURCES = _sources_digest()


def _stamped(dispatcher: Any) -> Any:
    """Let what is kept on disk expire with any source of the chemistry.

    Numba looks at the function's own file alone, and would go on running old versions of what the function
    calls in other files.
    """
    kept = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if kept is not None:
        kept._source_stamp = _SOURCES
    return dispatcher
