"""Latents that flow: a neural ordinary differential equation with piecewise constant parameters.

    dz/dt = f([physical, z]) / usual dt,      integrated over each step by an adaptive Runge-Kutta method

The rate sees no time step, so the map is a flow: no time changes nothing, and two halves of a step lead where
the whole leads, up to the tolerance (Chen et al. 2018, "Neural ordinary differential equations"; Sulzer and
Buck 2023 for chemistry). It is integrated by torchdiffeq and differentiated through the solver's steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from chemnet.config import ConfigDict
from chemnet.errors import RunFailedError
from chemnet.extras import require
from chemnet.models.emulators.emulator_base import LATENT, State
from chemnet.models.emulators.latent_base import LatentBase
from chemnet.models.layers import perceptron, start_at_zero
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

# Runge-Kutta steps within one time step; more means that the rate has become unreasonable
_MOST_STEPS = 1000


@chem_model
class LatentODE(LatentBase):
    """Emulator of latents by a neural differential equation.

    Reads ``[model.LatentODE]``; built like every emulator of latents, see `LatentBase`.
    """

    # an adaptive solver steps as its own state asks for
    stackable = False

    def __init__(self, config: ConfigDict, data: DataDescription, autoencoder: nn.Module) -> None:
        require("torchdiffeq", "the model LatentODE")
        table = config["model"]["LatentODE"]
        super().__init__(table, data, autoencoder)
        self.n_drive = data.n_physical
        widths = (self.n_drive + self.latent_dim, *table["hidden"], self.latent_dim)
        self.rate = perceptron(widths, table["activation"], table["dropout"])
        start_at_zero(self.rate[-1])

    def drive(self, physical: Tensor, dt: Tensor) -> Tensor:
        """Return the physical parameters `(..., P)` alone: a rate knows no time step."""
        return physical

    def step(self, state: State, drive: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `EmulatorBase.step`.

        Raises
        ------
        RunFailedError
            When the equation cannot be integrated with a reasonable number of steps.
        """
        from torchdiffeq import odeint

        length = self.time_step.relative(dt)[:, None]

        def slope(time: Tensor, latent: Tensor) -> Tensor:
            # time runs from 0 to 1 for every cell, however long its step is
            return length * self.rate(torch.cat([drive, latent], dim=-1))

        latent = state[LATENT]
        try:
            after = odeint(
                slope,
                latent,
                torch.tensor([0.0, 1.0], dtype=latent.dtype, device=latent.device),
                rtol=self.table["rtol"],
                atol=self.table["atol"],
                method=self.table["method"],
                # the whole step is tried at once; most succeed
                options={"first_step": 1.0, "max_num_steps": _MOST_STEPS, "norm": _worst_cell},
            )[-1]
        except AssertionError as error:
            raise RunFailedError(
                f"the latent equation could not be integrated over a time step: {error}",
                hint="raise model.LatentODE.rtol and atol, or lower the learning rate",
            ) from error
        return {LATENT: after}


def _worst_cell(error: Tensor) -> Tensor:
    """Return the largest root mean square of any cell of errors `(B, L)`.

    A mean over the batch would let the accuracy of a cell depend on its neighbours.
    """
    return error.square().mean(-1).amax().sqrt()
