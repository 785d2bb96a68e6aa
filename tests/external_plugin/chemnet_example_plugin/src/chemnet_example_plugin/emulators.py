"""A step, and an emulator that is made of it: the simplest one that learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from chemnet import chem_model
from chemnet.data.preprocessed import DataDescription
from chemnet.models.emulators.emulator import Emulator
from chemnet.models.emulators.spaces.abundance import AbundanceSpace
from chemnet.models.emulators.steps.step import LATENT, State, Step


class LinearStep(Step):
    """One linear map of the parameters and the state says how the state changes.

    Parameters
    ----------
    table
        The emulator's table, ``[model.LinearEmulator]``.
    data, latent_dim
        What it will be fed, and the width of the state.
    """

    keys = (*Step.keys, "largest_change")

    def __init__(self, table: Mapping[str, Any], data: DataDescription, latent_dim: int) -> None:
        super().__init__(table, data, latent_dim)
        self.largest_change = table["largest_change"]
        self.change = nn.Linear(self.n_forcing + latent_dim, latent_dim)

    def forward(self, state: State, forcing: Tensor, dt: Tensor) -> State:
        """Return the state after one step; nothing changes in no time."""
        latent = state[LATENT]
        change = torch.tanh(self.change(torch.cat([forcing, latent], dim=-1)))
        return {LATENT: latent + self.largest_change * self.time_step.gate(dt) * change}


@chem_model
class LinearEmulator(Emulator, space=AbundanceSpace, step=LinearStep):
    """Linear steps on the scaled abundances."""
