"""Steps of a few cells with nothing around them, for the inner loop of a solver.

Shapes: B cells, P physical parameters, L latents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chemnet.errors import DataError
from chemnet.models.emulators.steps.step import LATENT
from chemnet.surrogate.engine.fused_predictor import FusedPredictor
from chemnet.surrogate.input_checks import Array
from chemnet.surrogate.wrappers.surrogate_ensemble import Components

Floats = NDArray[np.float32]
Advance = Callable[[Any, Any], Floats]
_INFINITY = float("inf")
# numbers that Python looks at faster than NumPy does
_FEW = 64


class Stepper:
    """Holds the latents of some cells and advances them.

    Parameters
    ----------
    advance
        Takes parameters `(B, P)` and time steps `(B,)` or one number [yr], and returns new latents `(B, L)`.
    latents
        Where they stand.
    usual_dt
        Time step where none is given [yr]; 0: there is none.

    Attributes
    ----------
    latents
        Of the cells now, `(B, L)`.
    checks
        Whether a call refuses parameters and time steps that are not finite and positive, before any cell has
        moved; some microseconds. With ``step.checks = False`` the latents of such a cell become NaN and stay
        so.
    """

    def __init__(self, advance: Advance, latents: Floats, usual_dt: float) -> None:
        self._advance, self._usual = advance, usual_dt
        self.latents = latents
        self.checks = True

    @classmethod
    def of(cls, components: Components, latents: Array, usual_dt: float) -> Stepper:
        """Return what advances cells by some networks, from checked latents `(B, L)`."""
        start = torch.from_numpy(latents).float()
        state = components.begin(start.to(components.device))
        if isinstance(components, FusedPredictor) and components.is_fused(components.device):
            return cls(*components.stepper(state), usual_dt)
        return cls(_plain(components, state), start.numpy(), usual_dt)

    def __call__(self, physical: Any, dt: Any = None) -> Floats:
        """Return the latents `(B, L)` after a step; the next call overwrites them.

        Parameters
        ----------
        physical
            `(B, P)` in their own units, finite and positive.
        dt
            Time steps `(B,)`, or one number for all cells [yr], finite and positive; None for the usual one.

        Raises
        ------
        DataError
            When no time step is given and no usual one is known, or for a value that `checks` refuses; the
            cells are as they were.
        """
        if dt is None:
            dt = self._usual
            if not dt:
                raise DataError("dt is needed: this surrogate does not know its usual time step")
        if self.checks:
            physical = np.asarray(physical, np.float64)
            if not (_is_sound(physical) and _is_sound(dt)):
                raise _refused(physical, dt)
        self.latents = self._advance(physical, dt)
        return self.latents


def _is_sound(values: Any) -> bool:
    # NaN compares as false
    if isinstance(values, float):
        return 0.0 < values < _INFINITY
    values = np.asarray(values)
    if values.size <= _FEW:
        return all(0.0 < value < _INFINITY for value in values.ravel().tolist())
    return bool(values.min() > 0.0 and values.max() < _INFINITY)


def _refused(physical: NDArray[np.float64], dt: Any) -> DataError:
    """Return the error that names the first cell of what is not finite and positive."""
    steps = np.broadcast_to(np.asarray(dt, np.float64), len(physical))
    for what, values in (("physical", physical), ("dt", steps[:, None])):
        bad = ~(np.isfinite(values) & (values > 0.0))
        if bad.any():
            cell, column = np.argwhere(bad)[0]
            place = f"{what}, cell {cell}" + (f", column {column}" if what == "physical" else "")
            break
    return DataError(f"{place}: {values[cell, column]}", hint="values are finite and positive")


def _plain(components: Components, state: dict[str, torch.Tensor]) -> Advance:
    """Return what advances by the components' own step, for networks and devices without a fused one."""
    n_cells = len(state[LATENT])

    def advance(physical: Any, dt: Any) -> Floats:
        nonlocal state
        forcing = torch.as_tensor(np.asarray(physical), device=components.device).double()
        steps = torch.as_tensor(np.broadcast_to(dt, n_cells).copy(), device=components.device).double()
        with torch.inference_mode():
            state = components.step(state, forcing, steps)
            sound = ((forcing > 0.0) & forcing.isfinite()).all(1) & (steps > 0.0) & steps.isfinite()
            state = {**state, LATENT: state[LATENT].masked_fill(~sound[:, None], torch.nan)}
        latents: Floats = state[LATENT].cpu().numpy()
        return latents

    return advance
