"""A gated recurrent unit, which remembers what the latents do not hold.

    h_0 = W z_0                                            memory (B, M)
    h'  = h + min(g(dt), 1) (GRU(gelu(V [physical, log dt, z]), h) - h)
    z'  = z + g(dt) f([h', z])

Neither memory nor latents change in no time. The memory begins anew where a rollout begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from chemnet.models.emulators.steps.step import LATENT, State, Step
from chemnet.models.layers import perceptron, start_at_zero

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

MEMORY = "memory"


class RecurrentStep(Step):
    """Step by a gated recurrent unit; see `Step`."""

    keys = (*Step.keys, "hidden", "dropout")
    # vmap has no rule for the fused recurrent cell
    stackable = False

    def __init__(self, table: Mapping[str, Any], data: DataDescription, latent_dim: int) -> None:
        super().__init__(table, data, latent_dim)
        width = table["hidden"]
        self.first_memory = nn.Linear(latent_dim, width)
        self.look = nn.Sequential(nn.Linear(self.n_forcing + latent_dim, width), nn.GELU())
        self.cell = nn.GRUCell(width, width)
        self.change = perceptron((width + latent_dim, width, latent_dim), "gelu", table["dropout"])
        start_at_zero(self.change[-1])

    def memory(self, latent: Tensor) -> State:
        """Return the memory `(B, M)` that a rollout from standardised latents `(B, L)` begins with."""
        return {MEMORY: self.first_memory(latent)}

    def forward(self, state: State, forcing: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `Step.forward`."""
        latent, memory, gate = state[LATENT], state[MEMORY], self.time_step.gate(dt)
        renewed = self.cell(self.look(torch.cat([forcing, latent], dim=-1)), memory)
        memory = memory + gate.clamp(max=1.0) * (renewed - memory)
        change = self.change(torch.cat([memory, latent], dim=-1))
        return {LATENT: latent + gate * change, MEMORY: memory}
