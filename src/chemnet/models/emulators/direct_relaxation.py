"""Emulator whose abundances themselves relax, without an autoencoder; see `relaxation`.

The state of its rollout, which a surrogate calls the latent, is the scaled abundances `(B, S)`. The network
sees them standardised over the training split, species by species.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from chemnet.config import ConfigDict
from chemnet.models.contract import TrainingRows
from chemnet.models.emulators.direct_base import DirectBase
from chemnet.models.emulators.relaxing import Relaxing
from chemnet.models.layers import concatenated, moments
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

# spread that a species counts with at least [dex]: most of what rests at the floor has none
_LEAST_SPREAD = 0.1


@chem_model
class DirectRelaxation(Relaxing, DirectBase):
    """Relaxation of scaled abundances.

    Parameters
    ----------
    config
        Reads ``[model.DirectRelaxation]``.
    data
        Gives the numbers of species and of physical parameters.
    """

    def __init__(self, config: ConfigDict, data: DataDescription) -> None:
        super().__init__(config["model"]["DirectRelaxation"], data, data.n_species)
        self.build_relaxation(data)

    def before_training(self, training: TrainingRows) -> None:
        """Learn mean, spread and range of each species and feature, and the usual time step."""
        mean, spread = moments(rows["abundance"] for rows in training.row_batches())
        self.centre.copy_(mean)
        self.width.copy_(spread.clamp_min(_LEAST_SPREAD / self.decades))
        self._learn_range(self.centre)
        self.time_step.learn(concatenated(rows["dt"] for rows in training.row_batches()))
        self.features.learn(training)

    def _learn_range(self, latents: Tensor) -> None:
        """Set the range: the scaled one widened by `range_margin`, also below the floor, where losses end."""
        margin = self.table["range_margin"]
        zero, one = torch.full_like(self.centre, -margin), torch.full_like(self.centre, 1.0 + margin)
        self.low.copy_(self.standardise(zero))
        self.high.copy_(self.standardise(one))
