"""Conversion between abundances relative to H nuclei and latents, through trained networks.

Shapes: S species, L latents.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from chemnet.data.scaling import AbundanceScaling


class ScaledAbundances(nn.Module):
    """Takes the place of an autoencoder where there is none: the latents are the scaled abundances."""

    def encode(self, abundance: Tensor) -> Tensor:
        """Return scaled abundances as they are."""
        return abundance

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances as they are."""
        return latent


class Codec:
    """Encoder and decoder in physical units.

    Parameters
    ----------
    encoder, decoder
        Networks that encode and decode scaled abundances, such as autoencoders; they may be the same. None
        for a direct emulator.
    scaling
        Of the abundances.
    """

    def __init__(
        self, encoder: nn.Module | None, decoder: nn.Module | None, scaling: AbundanceScaling
    ) -> None:
        self.scaling = scaling
        self._encoder = _inference_form(encoder)
        self._decoder = self._encoder if decoder is encoder else _inference_form(decoder)

    def encode(self, abundance: Tensor) -> Tensor:
        """Return latents `(..., L)` of abundances `(..., S)`."""
        latent: Tensor = self._encoder.encode(self.scaling.scale(abundance).float())
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """Return abundances `(..., S)` of latents `(..., L)`, inside the scaled range."""
        return unscaled(self._decoder.decode(latent), self.scaling)

    def decode_scaled(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of latents `(..., L)`, inside the scaled range."""
        scaled: Tensor = self._decoder.decode(latent).clamp(0.0, 1.0)
        return scaled


def unscaled(scaled: Tensor, scaling: AbundanceScaling) -> Tensor:
    """Return abundances `(..., S)` of scaled ones `(..., S)`, which are clipped to their range first."""
    abundance: Tensor = scaling.unscale(scaled.clamp(0.0, 1.0))
    return abundance


def _inference_form(autoencoder: Any) -> Any:
    if autoencoder is None:
        return ScaledAbundances()
    return autoencoder.for_inference().requires_grad_(False)
