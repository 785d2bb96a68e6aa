"""Spaces of emulators without an autoencoder: their latents are the scaled abundances themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chemnet.models.contract import TrainingRows
from chemnet.models.emulators.spaces.space import Space
from chemnet.models.layers import moments

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

# spread that a species counts with at least [dex]: most of what rests at the floor has none
_LEAST_SPREAD = 0.1


class AbundanceSpace(Space):
    """Scaled abundances `(B, S)` as they are, clamped to [0, 1]."""

    role = "direct_emulator"

    def __init__(self, table: Mapping[str, Any], data: DataDescription) -> None:
        super().__init__(data.n_species)
        self.low.fill_(0.0)
        self.high.fill_(1.0)

    def encode(self, abundance: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` as they are."""
        return abundance

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` as they are."""
        return latent


class StandardisedAbundanceSpace(AbundanceSpace):
    """Scaled abundances, which the network sees standardised over the training split, species by species.

    They are clamped to the scaled range widened by `range_margin`, also below the floor, where losses end.
    """

    keys = ("range_margin",)

    def __init__(self, table: Mapping[str, Any], data: DataDescription) -> None:
        super().__init__(table, data)
        self.margin, self.least_spread = table["range_margin"], _LEAST_SPREAD / data.abundance_scaling.decades
        self.low.fill_(-torch.inf)
        self.high.fill_(torch.inf)

    def learn(self, training: TrainingRows) -> None:
        """Learn mean, spread and range of each species."""
        mean, spread = moments(rows["abundance"] for rows in training.row_batches())
        self.centre.copy_(mean)
        self.width.copy_(spread.clamp_min(self.least_spread))
        for bound, scaled in ((self.low, -self.margin), (self.high, 1.0 + self.margin)):
            bound.copy_(self.standardise(torch.full_like(self.centre, scaled)))
