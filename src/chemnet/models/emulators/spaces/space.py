"""What a space is: the map from abundances to the latents that an emulator advances, and their range.

Shapes: S species, L latents (for a direct emulator the scaled abundances), any leading axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from chemnet.models.contract import TrainingRows


class Space(nn.Module, ABC):
    """Latents, standardised for the network that advances them, and the range that they are clamped to.

    A space states `role`, `encode` and `decode`, and in `learn` what it takes from the training split. It is
    built of the model's own table, the data and, where its role is ``"emulator"``, the autoencoder.

    Attributes
    ----------
    role
        That of an emulator in this space, one of `chemnet.models.contract.ROLES`.
    keys
        Keys of the model's table that are read here.
    centre, width
        What standardises a latent, `(L,)`.
    low, high
        Least and most of a standardised latent, `(L,)`.
    """

    role: ClassVar[str]
    keys: ClassVar[tuple[str, ...]] = ()
    centre: Tensor
    width: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.register_buffer("centre", torch.zeros(latent_dim))
        self.register_buffer("width", torch.ones(latent_dim))
        self.register_buffer("low", torch.full((latent_dim,), -torch.inf))
        self.register_buffer("high", torch.full((latent_dim,), torch.inf))

    @abstractmethod
    def encode(self, abundance: Tensor) -> Tensor:
        """Return latents `(..., L)` of scaled abundances `(..., S)`."""

    @abstractmethod
    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of latents `(..., L)`."""

    def standardise(self, latent: Tensor) -> Tensor:
        """Return latents as the network takes them: about 0, with a spread of about 1."""
        return (latent - self.centre) / self.width

    def destandardise(self, latent: Tensor) -> Tensor:
        """Return latents as the decoder takes them; the inverse of `standardise`."""
        return self.centre + latent * self.width

    def clamp(self, latent: Tensor) -> Tensor:
        """Return standardised latents inside the range."""
        return latent.clamp(self.low, self.high)

    def learn(self, training: TrainingRows) -> None:
        """Learn scaling and range from the training split, before training; nothing by default."""

    def learn_again(self, training: TrainingRows) -> None:
        """Learn what training has moved, after it; nothing by default."""

    def further_losses(self, latents: Tensor, target: Tensor, criterion: Any) -> Mapping[str, Tensor]:
        """Return named scalars that are added to the training loss; none by default.

        Given are predicted standardised latents `(B, H, L)`, true scaled abundances `(B, H, S)` and the
        model's criterion.
        """
        return {}
