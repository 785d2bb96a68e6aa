"""What makes an emulator a residual perceptron: its step, and a fused rollout in training, as a mixin."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chemnet.models.emulators.emulator_base import LATENT, EmulatorBase, State
from chemnet.models.fast.residual_rollout import fused_activation, residual_rollout
from chemnet.models.layers import perceptron, start_at_zero


class ResidualSteps(EmulatorBase):
    """Emulator whose step adds a perceptron's output; stands before a base that says what is advanced.

    Read from the model's table are `hidden`, `activation` and `dropout`, beside what the base reads.
    """

    change: nn.Sequential

    def build_change(self) -> None:
        """Make the perceptron, once the base knows its number of latents; it begins as no change."""
        widths = (self.n_drive + self.latent_dim, *self.table["hidden"], self.latent_dim)
        self.change = perceptron(widths, self.table["activation"], self.table["dropout"])
        start_at_zero(self.change[-1])

    def step(self, state: State, drive: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `EmulatorBase.step`."""
        latent = state[LATENT]
        change = self.change(torch.cat([drive, latent], dim=-1))
        return {LATENT: latent + self.time_step.gate(dt) * change}

    def fused_rollout(self, start: Tensor, drive: Tensor, dt: Tensor, held: Tensor | None) -> Tensor | None:
        """Return `(B, T, L)` where the perceptron can be fused; see `EmulatorBase`."""
        activation = fused_activation(self.change)
        if activation is None:
            return None
        return residual_rollout(self.change, activation, start, drive, self.time_step.gate(dt), held)
