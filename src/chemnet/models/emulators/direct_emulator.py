"""Residual perceptron on the scaled abundances themselves, without an autoencoder.

    s' = s + g(dt) f([physical, log dt, s])

The state of its rollout, which a surrogate calls the latent, is the scaled abundances `(B, S)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chemnet.config import ConfigDict
from chemnet.models.contract import TrainingRows
from chemnet.models.emulators.direct_base import DirectBase
from chemnet.models.emulators.residual_steps import ResidualSteps
from chemnet.models.layers import concatenated
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


@chem_model
class DirectEmulator(ResidualSteps, DirectBase):
    """Emulator of scaled abundances by a residual perceptron.

    Parameters
    ----------
    config
        Reads ``[model.DirectEmulator]``.
    data
        Gives the numbers of species and of physical parameters.
    """

    def __init__(self, config: ConfigDict, data: DataDescription) -> None:
        super().__init__(config["model"]["DirectEmulator"], data, data.n_species)
        self.build_change()
        # scaled abundances have their range already
        self.low.fill_(0.0)
        self.high.fill_(1.0)

    def before_training(self, training: TrainingRows) -> None:
        """Learn the usual time step; a species that rests at the floor has no spread to be measured by."""
        self.time_step.learn(concatenated(rows["dt"] for rows in training.row_batches()))
