"""How functions are compiled: once, kept on disk, without the interpreter lock.

Compilation is most of what a first run waits for. What only compiled code calls goes without the wrappers
that take Python objects apart; for the solver's many arrays they are as large as the functions themselves.
"""

from __future__ import annotations

from functools import partial

from numba import njit

compiled = partial(njit, cache=True, nogil=True, error_model="numpy")
"""Decorator of functions that Python calls; a division by zero gives an infinity, which the solver sees."""
inner = partial(compiled, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Decorator of functions that only compiled code calls."""
