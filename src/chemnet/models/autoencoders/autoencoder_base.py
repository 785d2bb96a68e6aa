"""What every autoencoder shares: the loss and the figures of its reconstruction.

Shapes: B rows, S species, L latents.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from chemnet.config import ConfigDict
from chemnet.models import losses, validation_metrics
from chemnet.models.contract import Batch, ChemModel, StepResult, TrainingRows, evaluating
from chemnet.models.layers import LATENT_TAIL, robust_range, thinned

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


class AutoencoderBase(ChemModel):
    """Autoencoder of scaled abundances; a model states `encode` and `decode`.

    Parameters
    ----------
    config
        The merged configuration.
    data
        Gives the scaling of the abundances.
    latent_dim
        Number of latents.
    """

    role = "autoencoder"
    feed = "rows"
    # the range that makes latents of raw ones, (L,)
    latent_low: Tensor
    latent_high: Tensor

    def __init__(self, config: ConfigDict, data: DataDescription, latent_dim: int) -> None:
        super().__init__(config, data)
        self.decades, self.latent_dim = data.abundance_scaling.decades, latent_dim
        self.register_buffer("latent_low", torch.zeros(latent_dim))
        self.register_buffer("latent_high", torch.ones(latent_dim))

    @abstractmethod
    def encode(self, abundance: Tensor) -> Tensor:
        """Return latents `(..., L)` of scaled abundances `(..., S)`; training data fill about [0, 1]."""

    @abstractmethod
    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of latents `(..., L)`.

        They may leave [0, 1] a little, so that a loss through the decoder has gradients everywhere; clip
        where values are used.
        """

    def learn_range(self, training: TrainingRows, raw: Callable[[Tensor], Tensor]) -> None:
        """Scale each latent by its own robust range over the training split.

        `raw` maps scaled abundances `(B, S)` to latents `(B, L)` before scaling.
        """
        with evaluating(self):
            low, high = robust_range(
                thinned(raw(b["abundance"]) for b in training.row_batches()), LATENT_TAIL
            )
        self.latent_low.copy_(low)
        self.latent_high.copy_(high)

    def forward(self, batch: Batch) -> Tensor:
        """Return the reconstruction `(B, S)`, scaled."""
        return self.decode(self.encode(batch["abundance"]))

    def train_batch(self, batch: Batch) -> StepResult:
        """Return the criterion's loss of the reconstruction, with its terms."""
        return losses.apply_criterion(self.criterion, self(batch), batch["abundance"])

    def validate_batch(self, batch: Batch) -> StepResult:
        """Return the loss and the validation metrics of the reconstruction."""
        reconstruction = self(batch)
        loss, terms = losses.apply_criterion(self.criterion, reconstruction, batch["abundance"])
        return loss, {
            **terms,
            **validation_metrics.validation_metrics(reconstruction, batch["abundance"], self.decades),
        }

    def infer_batch(self, batch: Batch) -> dict[str, Tensor]:
        """Return the latents `(B, L)`; `decode` turns them into the reconstruction."""
        return {"latent": self.encode(batch["abundance"])}
