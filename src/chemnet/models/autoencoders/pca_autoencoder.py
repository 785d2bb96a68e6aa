"""Principal components as an autoencoder: the rival that every trained one must beat.

Shapes: B rows, S species, L latents.

    encode  z = C (s - mean)        decode  s = mean + C^T z

with the rows of C the L leading eigenvectors of the covariance of the scaled abundances s of the training
split: no linear map through L numbers leaves less squared error there (Eckart and Young 1936). It is fitted
exactly, in one pass over the split; nothing is drawn at random and no gradient is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError
from chemnet.models.autoencoders.autoencoder_base import AutoencoderBase
from chemnet.models.contract import TrainingRows
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


@chem_model
class PCAAutoencoder(AutoencoderBase):
    """Linear autoencoder by principal components.

    Parameters
    ----------
    config
        Reads ``[model.PCAAutoencoder]``.
    data
        Gives the number of species.

    Raises
    ------
    ConfigError
        When there are to be more latents than species.
    """

    closed_form = True

    def __init__(self, config: ConfigDict, data: DataDescription) -> None:
        latent_dim = config["model"]["PCAAutoencoder"]["latent_dim"]
        if latent_dim > data.n_species:
            raise ConfigError(
                f"model.PCAAutoencoder.latent_dim = {latent_dim}, but there are {data.n_species} species",
                hint="principal components are at most as many as species",
            )
        super().__init__(config, data, latent_dim)
        # parameters, so that they are counted; an emulator may train a copy of them along
        self.mean = nn.Parameter(torch.zeros(data.n_species), requires_grad=False)
        self.components = nn.Parameter(torch.eye(latent_dim, data.n_species), requires_grad=False)

    def encode(self, abundance: Tensor) -> Tensor:
        """Return the latents `(..., L)` of scaled abundances `(..., S)`; training data fill about [0, 1]."""
        return (self._project(abundance) - self.latent_low) / (self.latent_high - self.latent_low)

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of latents `(..., L)`, which may leave [0, 1] a little."""
        raw = self.latent_low + latent * (self.latent_high - self.latent_low)
        return self.mean + raw @ self.components

    def before_training(self, training: TrainingRows) -> None:
        """Fit mean and components to the training split, and scale each latent by its robust range there."""
        mean, components, _ = principal_components(training, self.latent_dim)
        self.mean.copy_(mean)
        self.components.copy_(components)
        self.learn_range(training, self._project)

    def _project(self, abundance: Tensor) -> Tensor:
        """Return the components of scaled abundances before scaling, `(..., L)`."""
        return (abundance - self.mean) @ self.components.T


def principal_components(training: TrainingRows, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean `(S,)`, leading components `(n, S)` and their spreads `(n,)` of the training split.

    The components are orthonormal, the largest entry of each is positive, and a spread is the standard
    deviation of the scaled abundances along a component.
    """
    mean, covariance = moments(training)
    # eigenvalues ascend
    values, vectors = (found.flip(-1) for found in torch.linalg.eigh(covariance))
    leading = vectors[:, :n].T
    # the sign of an eigenvector is free
    largest = leading.gather(1, leading.abs().argmax(1, keepdim=True))
    return mean, leading * largest.sign(), values[:n].clamp_min(0.0).sqrt()


def moments(training: TrainingRows) -> tuple[Tensor, Tensor]:
    """Return mean `(S,)` and covariance `(S, S)` of the scaled abundances of the training split, float64."""
    rows, total, product, origin = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())
    for batch in training.row_batches():
        abundance = batch["abundance"].double()
        # near the mean, so that little is lost when its square is taken away
        origin = origin if rows else abundance.mean(0)
        centred = abundance - origin
        rows, total, product = rows + len(centred), total + centred.sum(0), product + centred.T @ centred
    offset = total / rows
    return origin + offset, product / rows - torch.outer(offset, offset)
