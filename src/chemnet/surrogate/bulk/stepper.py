"""Steps of a few cells with nothing around them, for the inner loop of a solver.

Shapes: B cells, P physical parameters, L latents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from chemnet.errors import DataError
from chemnet.models.emulators.steps.step import LATENT
from chemnet.surrogate import input_checks
from chemnet.surrogate.engine.fused_predictor import FusedPredictor

if TYPE_CHECKING:
    from chemnet.surrogate.surrogate import Surrogate

Floats = NDArray[np.float32]
Advance = Callable[[Any, Any], Floats]


class Stepper:
    """Advances the latents of some cells, which it holds.

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
    def of(cls, surrogate: Surrogate, latents: Any) -> Stepper:
        """Return what advances cells of a surrogate; see `Surrogate.stepper`."""
        start = torch.from_numpy(input_checks.check_latents(latents, surrogate.latent_dim)).float()
        components = surrogate.components
        state = components.begin(start.to(surrogate.device))
        if isinstance(components, FusedPredictor) and components.is_fused(surrogate.device):
            advance, held = components.stepper(state)
            return cls(advance, held, surrogate.domain.dt_usual)
        return cls(_plain(surrogate, state), start.numpy(), surrogate.domain.dt_usual)

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
            When there is no time step, or for a value that `checks` refuses; the cells are as they were.
        """
        if dt is None:
            dt = self._usual
            if not dt:
                raise DataError("dt is needed: this surrogate does not know its usual time step")
        if self.checks:
            physical = np.asarray(physical, np.float64)
            # NaN compares as false
            if not (_is_sound(physical) and (0.0 < dt < np.inf if isinstance(dt, float) else _is_sound(dt))):
                raise _refused(physical, dt)
        self.latents = self._advance(physical, dt)
        return self.latents


def _is_sound(values: Any) -> bool:
    """Return whether all numbers are finite and positive."""
    values = np.asarray(values)
    return bool(values.min() > 0.0 and values.max() < np.inf)


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


def _plain(surrogate: Surrogate, state: dict[str, torch.Tensor]) -> Advance:
    """Return what advances by the predictor's own step, for networks and devices without a fused one."""
    n_cells = len(state[LATENT])

    def advance(physical: Any, dt: Any) -> Floats:
        nonlocal state
        driving = torch.as_tensor(np.asarray(physical), device=surrogate.device).double()
        steps = torch.as_tensor(np.broadcast_to(dt, n_cells).copy(), device=surrogate.device).double()
        with torch.inference_mode():
            state = surrogate.components.step(state, driving, steps)
            sound = ((driving > 0.0) & driving.isfinite()).all(1) & (steps > 0.0) & steps.isfinite()
            state = {**state, LATENT: state[LATENT].masked_fill(~sound[:, None], torch.nan)}
        return state[LATENT].cpu().numpy()

    return advance
