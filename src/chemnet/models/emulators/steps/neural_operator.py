"""Latents as tokens that mix with one another: a small MLP-Mixer as one step.

Shapes: B tracers, L latents as tokens, C channels per token.

    x_l = a z_l + p_l + MLP([physical, log dt])            one token per latent, (B, L, C)
    x   = x + MLP_over_latents(norm x);  x = x + MLP_over_channels(norm x)      so many blocks
    z'  = z + g(dt) (w . norm x)

The mixing blocks are those of Tolstikhin et al. 2021, "MLP-Mixer". Tokens share their channel maps, so the
number of weights hardly grows with the number of latents.
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

# hidden width of a mixing perceptron, relative to what it mixes
_EXPANSION = 2
# standard deviation of the first positions, as of learned embeddings elsewhere
_POSITION_SPREAD = 0.02


class MixerBlock(nn.Module):
    """Mix tokens, then channels, each with a residual connection.

    Parameters
    ----------
    n_tokens, n_channels
        Shape of what is mixed.
    dropout
        Share of hidden values that are dropped in training.
    """

    def __init__(self, n_tokens: int, n_channels: int, dropout: float) -> None:
        super().__init__()
        self.token_norm, self.channel_norm = nn.LayerNorm(n_channels), nn.LayerNorm(n_channels)
        self.over_tokens = perceptron((n_tokens, _EXPANSION * n_tokens, n_tokens), "gelu", dropout)
        self.over_channels = perceptron((n_channels, _EXPANSION * n_channels, n_channels), "gelu", dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return mixed tokens `(B, L, C)`."""
        tokens = tokens + self.over_tokens(self.token_norm(tokens).mT).mT
        return tokens + self.over_channels(self.channel_norm(tokens))


class NeuralOperatorStep(Step):
    """Step by mixing blocks over latents and channels; see `Step`."""

    keys = (*Step.keys, "channels", "blocks", "dropout")

    def __init__(self, table: Mapping[str, Any], data: DataDescription, latent_dim: int) -> None:
        super().__init__(table, data, latent_dim)
        n_channels, dropout = table["channels"], table["dropout"]
        self.embed = nn.Linear(1, n_channels)
        self.position = nn.Parameter(_POSITION_SPREAD * torch.randn(latent_dim, n_channels))
        self.environment = perceptron((self.n_forcing, n_channels, n_channels), "gelu", dropout)
        self.blocks = nn.Sequential(
            *(MixerBlock(latent_dim, n_channels, dropout) for _ in range(table["blocks"]))
        )
        self.change = nn.Sequential(nn.LayerNorm(n_channels), nn.Linear(n_channels, 1))
        start_at_zero(self.change[-1])

    def forward(self, state: State, forcing: Tensor, dt: Tensor) -> State:
        """Return the state after one step; see `Step.forward`."""
        latent = state[LATENT]
        tokens = self.embed(latent[..., None]) + self.position + self.environment(forcing)[:, None]
        change = self.change(self.blocks(tokens))[..., 0]
        return {LATENT: latent + self.time_step.gate(dt) * change}
