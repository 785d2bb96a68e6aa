"""Principal components and perceptrons that correct them: training begins where PCA ends.

Shapes: B rows, S species, L latents.

    encode  z = A (s - mean) + f(s - mean)        A = C / sigma        (sigma: spread along each component)
    decode  s = mean + D z + g(z)                 D = (sigma C)^T

The last layers of the perceptrons f and g start at zero, so the first reconstruction is that of the principal
components C; everything is trained from there. Encoder and decoder share no weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from chemnet.config import ConfigDict
from chemnet.models.autoencoders.autoencoder_base import AutoencoderBase
from chemnet.models.autoencoders.pca_autoencoder import principal_components
from chemnet.models.contract import Batch, TrainingRows
from chemnet.models.layers import (
    FullPrecisionLinear,
    full_precision_linear,
    perceptron,
    start_at_zero,
)
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

# a component without spread, as among fewer rows than latents, is divided by this
_LEAST_SPREAD = 1e-4


@chem_model
class ResidualAutoencoder(AutoencoderBase):
    """Autoencoder that corrects principal components.

    Parameters
    ----------
    config
        Reads ``[model.ResidualAutoencoder]``.
    data
        Gives the number of species.
    """

    def __init__(self, config: ConfigDict, data: DataDescription) -> None:
        table = config["model"]["ResidualAutoencoder"]
        super().__init__(config, data, table["latent_dim"])
        n_species, hidden, dropout = data.n_species, table["hidden"], table["dropout"]
        self.latent_noise = table["latent_noise"]
        self.mean = nn.Parameter(torch.zeros(n_species))
        self.linear_in = nn.Parameter(torch.eye(self.latent_dim, n_species))
        self.linear_out = nn.Parameter(torch.eye(n_species, self.latent_dim))
        self.correct_latent = perceptron((n_species, *hidden, self.latent_dim), table["activation"], dropout)
        self.correct_output = perceptron(
            (self.latent_dim, *reversed(hidden), n_species), table["activation"], dropout
        )
        for network in (self.correct_latent, self.correct_output):
            start_at_zero(network[-1])
        self.correct_output[-1] = FullPrecisionLinear(self.correct_output[-1])

    def forward(self, batch: Batch) -> Tensor:
        """Return the reconstruction `(B, S)`, scaled; in training with noise on the latents."""
        raw = self._compress(batch["abundance"])
        if self.training and self.latent_noise:
            raw = raw + self.latent_noise * torch.randn_like(raw)
        return self._expand(raw)

    def encode(self, abundance: Tensor) -> Tensor:
        """Return the latents `(..., L)` of scaled abundances `(..., S)`; training data fill about [0, 1]."""
        return (self._compress(abundance) - self.latent_low) / (self.latent_high - self.latent_low)

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of latents `(..., L)`, which may leave [0, 1] a little."""
        return self._expand(self.latent_low + latent * (self.latent_high - self.latent_low))

    def before_training(self, training: TrainingRows) -> None:
        """Begin with the principal components of the training split."""
        mean, components, spreads = principal_components(training, self.latent_dim)
        spreads = spreads.clamp_min(_LEAST_SPREAD)
        with torch.no_grad():
            self.mean.copy_(mean)
            self.linear_in.copy_(components / spreads[:, None])
            self.linear_out.copy_((components * spreads[:, None]).T)

    def after_training(self, training: TrainingRows) -> None:
        """Scale each latent by its own robust range over the training split, for the kept weights."""
        self.learn_range(training, self._compress)

    def _compress(self, abundance: Tensor) -> Tensor:
        """Return the latents before scaling, `(..., L)`, of about unit variance."""
        centred = abundance - self.mean
        return functional.linear(centred, self.linear_in) + self.correct_latent(centred)

    def _expand(self, raw: Tensor) -> Tensor:
        """Return the reconstruction `(..., S)` of unscaled latents `(..., L)`."""
        return full_precision_linear(raw, self.linear_out, self.mean) + self.correct_output(raw)
