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
    """

    def __init__(self, advance: Advance, latents: Floats, usual_dt: float) -> None:
        self._advance, self._usual = advance, usual_dt
        self.latents = latents

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
            `(B, P)` in their own units, positive.
        dt
            Time steps `(B,)`, or one number for all cells [yr]; None for the usual one.

        Raises
        ------
        DataError
            When there is no time step.
        """
        if dt is None:
            dt = self._usual
            if not dt:
                raise DataError("dt is needed: this surrogate does not know its usual time step")
        self.latents = self._advance(physical, dt)
        return self.latents


def _plain(surrogate: Surrogate, state: dict[str, torch.Tensor]) -> Advance:
    """Return what advances by the predictor's own step, for networks and devices without a fused one."""
    n_cells = len(state[LATENT])

    def advance(physical: Any, dt: Any) -> Floats:
        nonlocal state
        driving = torch.as_tensor(np.asarray(physical), device=surrogate.device).double()
        steps = torch.as_tensor(np.broadcast_to(dt, n_cells).copy(), device=surrogate.device).double()
        with torch.inference_mode():
            state = surrogate.components.step(state, driving, steps)
        return state[LATENT].cpu().numpy()

    return advance
