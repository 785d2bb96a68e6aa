"""Emulator whose latents relax towards targets that follow the physical parameters; see `relaxation`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from chemnet.config import ConfigDict
from chemnet.models.contract import TrainingRows
from chemnet.models.emulators.latent_base import LatentBase
from chemnet.models.emulators.relaxing import Relaxing
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


@chem_model
class LatentRelaxation(Relaxing, LatentBase):
    """Relaxation of an autoencoder's latents.

    Parameters
    ----------
    config
        Reads ``[model.LatentRelaxation]``.
    data
        Gives the physical parameters and the scaling of the abundances.
    autoencoder
        A trained autoencoder.
    """

    def __init__(self, config: ConfigDict, data: DataDescription, autoencoder: nn.Module) -> None:
        super().__init__(config["model"]["LatentRelaxation"], data, autoencoder)
        self.build_relaxation(data)

    def before_training(self, training: TrainingRows) -> None:
        """Learn range and spread of latents and physical features, and the usual time step."""
        super().before_training(training)
        self.features.learn(training)
