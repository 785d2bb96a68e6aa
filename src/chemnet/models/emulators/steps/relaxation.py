"""Relaxation towards a state that the network proposes, at rates that it proposes.

Shapes: B tracers, T steps, F of a step's forcing, L latents.

    (c, k) = f([z, forcing])              f a perceptron with SiLU activations
    z' = c + (z - c) exp(-r softplus(k))        r = dt / usual dt

This is the exact solution of dz/dt = -(z - c) softplus(k) / usual dt over the step, for c and k constant:
nothing happens in no time, z' lies between z and c for any step, and long steps end at c. It is what most of
a chemical network does: fast species follow the slow ones and the physical parameters, slow ones hardly move.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from chemnet.models.contract import TrainingRows
from chemnet.models.emulators.physical_features import PhysicalFeatures
from chemnet.models.emulators.steps.step import LATENT, State, Step
from chemnet.models.fast.perceptron_rollout import RolloutForm, fast_rollout
from chemnet.models.layers import remaining_distance

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

# rates at the start of training, per usual step: exp(-softplus(-2)) keeps 88 % of a state
_FIRST_RATE = -2.0
# the last layer begins smaller than PyTorch would make it, so that first targets are near the centre
_FIRST_GAIN = 0.3


class RelaxationStep(Step):
    """Step by relaxation, under features of the physical parameters; see `Step`."""

    keys = (*Step.keys, "hidden")

    def __init__(self, table: Mapping[str, Any], data: DataDescription, latent_dim: int) -> None:
        super().__init__(table, data, latent_dim)
        self.features = PhysicalFeatures(data)
        self.n_forcing = len(self.features.names) + self.time_step.n_features
        hidden = table["hidden"]
        self.from_forcing = nn.Linear(self.n_forcing, hidden[0])
        self.from_latent = nn.Linear(latent_dim, hidden[0], bias=False)
        widths = (*hidden, 2 * latent_dim)
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(widths))
        last: Any = self.layers[-1]
        with torch.no_grad():
            last.weight.mul_(_FIRST_GAIN)
            last.bias[:latent_dim] = 0.0
            last.bias[latent_dim:] = _FIRST_RATE

    def forcing(self, physical: Tensor, dt: Tensor) -> Tensor:
        """Return features of parameters `(..., P)` and time steps `(...)` [yr], `(..., F)`."""
        return torch.cat([self.features(physical), self.time_step.features(dt)], dim=-1)

    def forward(self, state: State, forcing: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `Step.forward`."""
        latent = state[LATENT]
        hidden = self.from_forcing(forcing) + self.from_latent(latent)
        for layer in self.layers:
            hidden = layer(functional.silu(hidden))
        target, rate = hidden.chunk(2, dim=-1)
        remaining = remaining_distance(rate, self.time_step.relative(dt)[:, None])
        # autocast may have given the target half precision; the state keeps its own
        return {LATENT: torch.lerp(target.to(latent.dtype), latent, remaining.to(latent.dtype))}

    def fused_rollout(
        self, start: Tensor, forcing: Tensor, dt: Tensor, limits: Tensor | None
    ) -> Tensor | None:
        """Return `(B, T, L)`; see `Step.fused_rollout`."""
        first = torch.cat([self.from_forcing.weight, self.from_latent.weight], dim=1)
        others: list[Any] = list(self.layers)
        layers = [(first, self.from_forcing.bias), *((layer.weight, layer.bias) for layer in others)]
        return fast_rollout(
            RolloutForm(True, "silu"), start, forcing, self.time_step.relative(dt), layers, limits
        )

    def learn(self, training: TrainingRows) -> None:
        """Learn the usual time step, and centre and spread of the physical features."""
        super().learn(training)
        self.features.learn(training)
