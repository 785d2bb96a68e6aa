"""Recurrent emulator: a gated recurrent unit remembers what the latents do not hold.

    h_0 = W z_0                                            memory (B, M)
    h'  = h + min(g(dt), 1) (GRU(gelu(V [physical, log dt, z]), h) - h)
    z'  = z + g(dt) f([h', z])

Neither memory nor latents change in no time. The memory begins anew where a rollout begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from chemnet.config import ConfigDict
from chemnet.models.emulators.emulator_base import LATENT, State
from chemnet.models.emulators.latent_base import LatentBase
from chemnet.models.layers import perceptron, start_at_zero
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

MEMORY = "memory"


@chem_model
class LatentRNN(LatentBase):
    """Emulator of latents by a gated recurrent unit.

    Reads ``[model.LatentRNN]``; built like every emulator of latents, see `LatentBase`.
    """

    # vmap has no rule for the fused recurrent cell
    stackable = False

    def __init__(self, config: ConfigDict, data: DataDescription, autoencoder: nn.Module) -> None:
        table = config["model"]["LatentRNN"]
        super().__init__(table, data, autoencoder)
        width = table["hidden"]
        self.first_memory = nn.Linear(self.latent_dim, width)
        self.look = nn.Sequential(nn.Linear(self.n_drive + self.latent_dim, width), nn.GELU())
        self.cell = nn.GRUCell(width, width)
        head = (width + self.latent_dim, width, self.latent_dim)
        self.change = perceptron(head, "gelu", table["dropout"])
        start_at_zero(self.change[-1])

    def memory(self, latent: Tensor) -> State:
        """Return the memory `(B, M)` that a rollout from standardised latents `(B, L)` begins with."""
        return {MEMORY: self.first_memory(latent)}

    def step(self, state: State, drive: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `EmulatorBase.step`."""
        latent, memory, gate = state[LATENT], state[MEMORY], self.time_step.gate(dt)
        renewed = self.cell(self.look(torch.cat([drive, latent], dim=-1)), memory)
        memory = memory + gate.clamp(max=1.0) * (renewed - memory)
        change = self.change(torch.cat([memory, latent], dim=-1))
        return {LATENT: latent + gate * change, MEMORY: memory}
