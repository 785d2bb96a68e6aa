"""Residual perceptron: its output is what a step adds.

    z' = z + g(dt) f([physical, log dt, z])

f starts at zero (persistence, which is already within 0.07 dex per step).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from chemnet.models.emulators.steps.step import LATENT, State, Step
from chemnet.models.fast.perceptron_rollout import RolloutForm, fast_rollout, hidden_activation
from chemnet.models.layers import perceptron, start_at_zero

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


class ResidualStep(Step):
    """Step by a residual perceptron; see `Step`."""

    keys = (*Step.keys, "hidden", "activation", "dropout")

    def __init__(self, table: Mapping[str, Any], data: DataDescription, latent_dim: int) -> None:
        super().__init__(table, data, latent_dim)
        widths = (self.n_forcing + latent_dim, *table["hidden"], latent_dim)
        self.change = perceptron(widths, table["activation"], table["dropout"])
        start_at_zero(self.change[-1])

    def forward(self, state: State, forcing: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `Step.forward`."""
        latent = state[LATENT]
        change = self.change(torch.cat([forcing, latent], dim=-1))
        return {LATENT: latent + self.time_step.gate(dt) * change}

    def fused_rollout(
        self, start: Tensor, forcing: Tensor, dt: Tensor, limits: Tensor | None
    ) -> Tensor | None:
        """Return `(B, T, L)` where the perceptron can be fused; see `Step.fused_rollout`."""
        activation = hidden_activation(self.change)
        if activation is None:
            return None
        layers = [(layer.weight, layer.bias) for layer in self.change if isinstance(layer, nn.Linear)]
        gates = self.time_step.gate(dt).squeeze(-1)
        return fast_rollout(RolloutForm(False, activation), start, forcing, gates, layers, limits)
