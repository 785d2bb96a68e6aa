"""What emulators without an autoencoder share: their latents are the scaled abundances themselves."""

from __future__ import annotations

from torch import Tensor

from chemnet.models.emulators.emulator_base import EmulatorBase


class DirectBase(EmulatorBase):
    """Emulator of scaled abundances, which a surrogate calls its latents `(B, S)`."""

    role = "direct_emulator"

    def encode(self, abundance: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` as they are."""
        return abundance

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` as they are."""
        return latent
