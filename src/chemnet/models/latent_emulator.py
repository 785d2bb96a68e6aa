"""Residual perceptron that advances latents under physical parameters.

    z' = z + g(dt) f([physical, log dt, z])

f starts at zero (persistence, which is already within 0.07 dex per step).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from chemnet.config import ConfigDict
from chemnet.models.emulator_base import LATENT, State
from chemnet.models.latent_base import LatentBase
from chemnet.models.layers import perceptron, start_at_zero
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.datasets.preprocessed import DataDescription


@chem_model
class LatentEmulator(LatentBase):
    """Emulator of latents by a residual perceptron.

    Reads ``[model.LatentEmulator]``; built like every emulator of latents, see `LatentBase`.
    """

    def __init__(self, config: ConfigDict, data: DataDescription, autoencoder: nn.Module) -> None:
        table = config["model"]["LatentEmulator"]
        super().__init__(table, data, autoencoder)
        widths = (self.n_drive + self.latent_dim, *table["hidden"], self.latent_dim)
        self.change = perceptron(widths, table["activation"], table["dropout"])
        start_at_zero(self.change[-1])

    def step(self, state: State, drive: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `EmulatorBase.step`."""
        latent = state[LATENT]
        change = self.change(torch.cat([drive, latent], dim=-1))
        return {LATENT: latent + self.time_step.gate(dt) * change}
