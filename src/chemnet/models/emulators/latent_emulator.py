"""Residual perceptron that advances latents under physical parameters.

    z' = z + g(dt) f([physical, log dt, z])

f starts at zero (persistence, which is already within 0.07 dex per step).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from chemnet.config import ConfigDict
from chemnet.models.emulators.latent_base import LatentBase
from chemnet.models.emulators.residual_steps import ResidualSteps
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


@chem_model
class LatentEmulator(ResidualSteps, LatentBase):
    """Emulator of latents by a residual perceptron.

    Reads ``[model.LatentEmulator]``; built like every emulator of latents, see `LatentBase`.
    """

    def __init__(self, config: ConfigDict, data: DataDescription, autoencoder: nn.Module) -> None:
        super().__init__(config["model"]["LatentEmulator"], data, autoencoder)
        self.build_change()
