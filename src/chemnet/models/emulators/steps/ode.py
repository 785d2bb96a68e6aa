"""Latents that flow: a neural ordinary differential equation with piecewise constant parameters.

    dz/dt = f([physical, z]) / usual dt,      integrated over each step by an adaptive Runge-Kutta method

The rate sees no time step, so the map is a flow: no time changes nothing, and two halves of a step lead where
the whole leads, up to the tolerance (Chen et al. 2018, "Neural ordinary differential equations"; Sulzer and
Buck 2023 for chemistry). It is integrated by torchdiffeq and differentiated through the solver's steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chemnet.errors import RunFailedError
from chemnet.extras import require
from chemnet.models.emulators.steps.step import LATENT, State, Step
from chemnet.models.layers import perceptron, start_at_zero

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

# Runge-Kutta steps within one time step; more means that the rate has become unreasonable
_MOST_STEPS = 1000


class ODEStep(Step):
    """Step by a neural differential equation; see `Step`."""

    keys = (*Step.keys, "hidden", "activation", "dropout", "method", "rtol", "atol")
    # an adaptive solver steps as its own state asks for
    stackable = False

    def __init__(self, table: Mapping[str, Any], data: DataDescription, latent_dim: int) -> None:
        require("torchdiffeq", "the model LatentODE")
        super().__init__(table, data, latent_dim)
        self.method, self.rtol, self.atol = table["method"], table["rtol"], table["atol"]
        self.n_forcing = data.n_physical
        widths = (self.n_forcing + latent_dim, *table["hidden"], latent_dim)
        self.rate = perceptron(widths, table["activation"], table["dropout"])
        start_at_zero(self.rate[-1])

    def forcing(self, physical: Tensor, dt: Tensor) -> Tensor:
        """Return the physical parameters `(..., P)` alone: a rate knows no time step."""
        return physical

    def forward(self, state: State, forcing: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `Step.forward`.

        Raises
        ------
        RunFailedError
            When the equation cannot be integrated with a reasonable number of steps.
        """
        from torchdiffeq import odeint

        length = self.time_step.relative(dt)[:, None]

        def slope(time: Tensor, latent: Tensor) -> Tensor:
            # time runs from 0 to 1 for every cell, however long its step is
            return length * self.rate(torch.cat([forcing, latent], dim=-1))

        latent = state[LATENT]
        try:
            after = odeint(
                slope,
                latent,
                torch.tensor([0.0, 1.0], dtype=latent.dtype, device=latent.device),
                rtol=self.rtol,
                atol=self.atol,
                method=self.method,
                # the whole step is tried at once; most succeed
                options={"first_step": 1.0, "max_num_steps": _MOST_STEPS, "norm": _worst_cell},
            )[-1]
        except AssertionError as error:
            raise RunFailedError(
                f"the latent equation could not be integrated over a time step: {error}",
                hint="raise rtol and atol in the model's table, or lower the learning rate",
            ) from error
        return {LATENT: after}


def _worst_cell(error: Tensor) -> Tensor:
    """Return the largest root mean square of any cell of errors `(B, L)`.

    A mean over the batch would let the accuracy of a cell depend on its neighbours.
    """
    return error.square().mean(-1).amax().sqrt()
