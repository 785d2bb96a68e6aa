"""What makes an emulator relax: a `Relaxation` under features of the physical parameters, as a mixin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from chemnet.models.emulators.emulator_base import LATENT, EmulatorBase, State
from chemnet.models.emulators.physical_features import PhysicalFeatures
from chemnet.models.emulators.relaxation import Relaxation

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


class Relaxing(EmulatorBase):
    """Emulator whose step is a relaxation; stands before a base that says what is relaxed.

    Read from the model's table is `hidden`, beside what the base reads.
    """

    def build_relaxation(self, data: DataDescription) -> None:
        """Make the features and the network, once the base knows its number of latents."""
        self.features = PhysicalFeatures(data)
        self.n_drive = len(self.features.names) + self.time_step.n_features
        self.relaxation = Relaxation(self.latent_dim, self.n_drive, self.table["hidden"])

    def drive(self, physical: Tensor, dt: Tensor) -> Tensor:
        """Return features of parameters `(..., P)` and time steps `(...)` [yr], `(..., D)`."""
        return torch.cat([self.features(physical), self.time_step.features(dt)], dim=-1)

    def step(self, state: State, drive: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `EmulatorBase.step`."""
        return {LATENT: self.relaxation.step(state[LATENT], drive, self.time_step.relative(dt))}

    def fused_rollout(self, start: Tensor, drive: Tensor, dt: Tensor, held: Tensor | None) -> Tensor | None:
        """Return `(B, T, L)`; see `EmulatorBase`."""
        return self.relaxation.rollout(start, drive, self.time_step.relative(dt), held)
