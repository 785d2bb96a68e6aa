"""Residual perceptron on the scaled abundances themselves, without an autoencoder.

    s' = s + g(dt) f([physical, log dt, s])

The state of its rollout, which a surrogate calls the latent, is the scaled abundances `(B, S)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from chemnet.config import ConfigDict
from chemnet.models.base import TrainingRows
from chemnet.models.direct_base import DirectBase
from chemnet.models.emulator_base import LATENT, State
from chemnet.models.layers import concatenated, perceptron, start_at_zero
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.datasets.preprocessed import DataDescription


@chem_model
class DirectEmulator(DirectBase):
    """Emulator of scaled abundances by a residual perceptron.

    Parameters
    ----------
    config
        Reads ``[model.DirectEmulator]``.
    data
        Gives the numbers of species and of physical parameters.
    """

    def __init__(self, config: ConfigDict, data: DataDescription) -> None:
        table = config["model"]["DirectEmulator"]
        super().__init__(table, data, data.n_species)
        widths = (self.n_drive + data.n_species, *table["hidden"], data.n_species)
        self.change = perceptron(widths, table["activation"], table["dropout"])
        start_at_zero(self.change[-1])
        # scaled abundances have their range already
        self.low.fill_(0.0)
        self.high.fill_(1.0)

    def step(self, state: State, drive: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `EmulatorBase.step`."""
        scaled = state[LATENT]
        change = self.change(torch.cat([drive, scaled], dim=-1))
        return {LATENT: scaled + self.time_step.gate(dt) * change}

    def before_training(self, training: TrainingRows) -> None:
        """Learn the usual time step; a species that rests at the floor has no spread to be measured by."""
        self.time_step.learn(concatenated(rows["dt"] for rows in training.row_batches()))
