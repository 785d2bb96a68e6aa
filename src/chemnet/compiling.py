"""How functions are compiled: once, kept on disk, without the interpreter lock.

Compilation is most of what a first run waits for. What only compiled code calls goes without the wrappers
that take Python objects apart; for the solver's many arrays they are as large as the functions themselves.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

from chemnet.progress import get_logger

UNCOUNTED: dict[str, Any] = {"_nrt": False}
"""Option of compiled functions that allocate nothing: references to arrays are not counted.

In a small function that is handed many arrays, counting takes longer than the work.
"""

_CHEMISTRY = Path(__file__).with_name("chemistry")
_KERNELS = Path(__file__).parent / "models" / "fast" / "kernels"
_ENGINE = Path(__file__).parent / "surrogate" / "engine"
# sums may be reordered, but what is not a number stays so: a training that diverges has to show it
_ARITHMETIC = {"reassoc", "contract", "nsz", "arcp"}


def compiled(
    function: Callable[..., Any] | None = None, *, sources: tuple[Path, ...] = (_CHEMISTRY,), **options: Any
) -> Any:
    """Compile a function that Python calls; a division by zero gives an infinity, which the solver sees.

    Parameters
    ----------
    function
        The function, or None in `@compiled(option=...)`.
    sources
        Folders that hold all that it calls: what is kept on disk expires with any of their files.
    options
        Further options of `numba.njit`.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        return _stamped(njit(cache=True, nogil=True, error_model="numpy", **options)(function), sources)

    return decorate if function is None else decorate(function)


def inner(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function that only compiled code calls; parameters as for `compiled`."""
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls into vector instructions; sums may be reordered."""
    return compiled(function, sources=(_KERNELS, _ENGINE), fastmath=_ARITHMETIC)


def inner_kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call."""
    return inner(function, sources=(_KERNELS, _ENGINE), fastmath=_ARITHMETIC)


def announce_compilation(function: Any, what: str = "the solver (once per machine, about a minute)") -> None:
    """Log, once per process, that the next call of a compiled function waits for the compiler."""
    with _announcing:
        if function not in _announced and _needs_compiling(function):
            _log.info("compiling %s", what)
        _announced.add(function)


def _needs_compiling(function: Any) -> bool:
    """Whether nothing of a function is compiled yet, neither in this process nor, up to date, on disk."""
    kept = _kept_on_disk(function)
    # with NUMBA_DISABLE_JIT it is a plain function
    return not getattr(function, "signatures", True) and (kept is None or not kept._load_index())


@cache
def _sources_digest(folders: tuple[Path, ...]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


_announced: set[Any] = set()
_announcing = threading.Lock()
_log = get_logger(__name__)


def _stamped(dispatcher: Any, sources: tuple[Path, ...]) -> Any:
    """Let what is kept on disk expire with any source in some folders.

    Numba looks at the function's own file alone, and would go on running old versions of what the function
    calls in other files.
    """
    # Numba has no public way: NUMBA_CACHE_LOCATOR_CLASSES, since 0.62, holds for everybody's functions in the
    # process, and a NUMBA_CACHE_DIR per digest would leave a folder behind with every version of the sources
    kept = _kept_on_disk(dispatcher)
    if kept is not None:
        kept._source_stamp = _sources_digest(sources)
        # what another version has kept is not even read: it may name a class whose module has moved since
        kept._version = f"{kept._version} {kept._source_stamp}"
    return dispatcher


def _kept_on_disk(dispatcher: Any) -> Any:
    """Return Numba's index of what is kept of a function, or None where nothing is kept."""
    return getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
