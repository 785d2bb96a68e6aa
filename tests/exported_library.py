"""The C library of an exported surrogate, called through ctypes."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

# as in chemnet_surrogate.h
_NAMES = ("bad", "physical", "totals", "dt", "floor", "unconserved", "substeps", "solver", "unconverged")
FLAGS = {name: 1 << bit for bit, name in enumerate(_NAMES)}


class Library:
    """The C interface of one bundle, taking and returning arrays."""

    def __init__(self, code: ctypes.CDLL, weights: Path, most_cells: int = 20_000) -> None:
        self.code = code
        self.handle, self.workspace = ctypes.c_void_p(), ctypes.c_void_p()
        self.opened = code.chemnet_open(str(weights).encode(), ctypes.byref(self.handle))
        if self.opened == 0:
            made = code.chemnet_workspace_new(
                self.handle, ctypes.c_size_t(most_cells), ctypes.byref(self.workspace)
            )
            assert made == 0

    def call(self, name: str, n_cells: int, *arrays: Any) -> int:
        pointers = [None if one is None else one.ctypes.data_as(ctypes.c_void_p) for one in arrays]
        function = getattr(self.code, f"chemnet_{name}")
        return int(function(self.handle, self.workspace, ctypes.c_size_t(n_cells), *pointers))

    def step(self, physical: Any, dt: Any, abundances: Any) -> tuple[Any, Any, Any]:
        """Return abundances, flags and expected errors after one step."""
        n = len(abundances)
        after, flags, error = np.array(abundances, float), np.zeros(n, np.int32), np.zeros(n)
        steps = None if dt is None else np.ascontiguousarray(dt, float)
        assert self.call("step", n, np.ascontiguousarray(physical, float), steps, after, flags, error) == 0
        return after, flags, error

    def rollout(self, physical: Any, dt: Any, abundances: Any, n_steps: int) -> tuple[Any, Any]:
        """Return abundances after some steps under constant conditions, and the last state."""
        n = len(abundances)
        state = np.zeros((n, self.code.chemnet_state_size(self.handle)))
        after, flags = np.zeros_like(abundances), np.zeros(n, np.int32)
        assert self.call("begin", n, abundances, state, flags) == 0
        for _ in range(n_steps):
            assert self.call("advance", n, physical, dt, state, flags) == 0
        assert self.call("read", n, state, after, flags, None) == 0
        return after, state
