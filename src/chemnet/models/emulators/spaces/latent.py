"""The latents of a trained autoencoder, which is frozen or trained along.

With ``train_autoencoder`` the space owns a copy of the autoencoder, `trained_autoencoder`, which is trained
along (its noise and dropout off, its normalisation statistics as they are) and kept among the
emulator's own weights. A `chemnet.Surrogate` then encodes and decodes with that copy.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from chemnet.models import losses
from chemnet.models.contract import TrainingRows, evaluating
from chemnet.models.emulators.spaces.space import Space
from chemnet.models.layers import concatenated, robust_range

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

# under this name the copy of the autoencoder stands among an emulator's weights
TRAINED_AUTOENCODER = "space.trained_autoencoder"
# the quantiles at one standard deviation of a normal distribution
_ONE_SIGMA_TAIL = 0.1587


class LatentSpace(Space):
    """Latents of an autoencoder, standardised by their robust centre and spread on the training split.

    Parameters
    ----------
    table
        The model's own configuration table.
    data
        Gives the number of species.
    autoencoder
        A trained autoencoder; it stays as it is.

    Attributes
    ----------
    trained_autoencoder
        The copy that is trained along; None where the autoencoder is used frozen.
    """

    role = "emulator"
    keys = ("range_margin", "latent_weight", "train_autoencoder", "reconstruction_weight")

    def __init__(self, table: Mapping[str, Any], data: DataDescription, autoencoder: nn.Module) -> None:
        along = table["train_autoencoder"]
        used: Any = _trainable_copy(autoencoder) if along else _frozen(autoencoder)
        super().__init__(used.encode(torch.zeros(1, data.n_species)).shape[-1])
        self.margin, self.latent_weight = table["range_margin"], table["latent_weight"]
        self.reconstruction_weight = table["reconstruction_weight"]
        self.trained_autoencoder = used if along else None
        # a plain list keeps a frozen autoencoder out of parameters() and state_dict()
        self._frozen: list[Any] = [] if along else [used]

    @property
    def autoencoder(self) -> Any:
        """The autoencoder that encodes and decodes."""
        return self._frozen[0] if self.trained_autoencoder is None else self.trained_autoencoder

    def encode(self, abundance: Tensor) -> Tensor:
        """Return the autoencoder's latents `(..., L)` of scaled abundances `(..., S)`."""
        return self.autoencoder.encode(abundance)

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of the autoencoder's latents `(..., L)`."""
        return self.autoencoder.decode(latent)

    def learn(self, training: TrainingRows) -> None:
        """Learn centre, spread and range of each latent."""
        latents = self._encoded(training)
        low, high = robust_range(latents, _ONE_SIGMA_TAIL)
        self.centre.copy_(0.5 * (low + high))
        self.width.copy_(0.5 * (high - low))
        self._learn_range(latents)

    def learn_again(self, training: TrainingRows) -> None:
        """Learn the range again where the encoder was trained along."""
        if self.trained_autoencoder is not None:
            self._learn_range(self._encoded(training))

    def further_losses(self, latents: Tensor, target: Tensor, criterion: Any) -> Mapping[str, Tensor]:
        """Return the distance to the latents of the true states, and how well those reconstruct."""
        terms: dict[str, Tensor] = {}
        if self.latent_weight:
            with torch.no_grad():
                # a trained encoder must not shrink its latents to come nearer
                wanted = self.standardise(self.encode(target))
            terms["latent_error"] = self.latent_weight * (latents - wanted).abs().mean()
        if self.trained_autoencoder is not None and self.reconstruction_weight:
            rows = target.flatten(0, 1)
            loss, _ = losses.apply_criterion(criterion, self.decode(self.encode(rows)), rows)
            terms["reconstruction"] = self.reconstruction_weight * loss
        return terms

    def train(self, mode: bool = True) -> Self:
        """Change the mode of the space alone: its autoencoder's statistics never change."""
        super().train(mode)
        if self.trained_autoencoder is not None:
            self.trained_autoencoder.eval()
        return self

    def _encoded(self, training: TrainingRows) -> Tensor:
        """Return the latents of the training split, `(rows, L)`."""
        with evaluating(self):
            return concatenated(self.encode(rows["abundance"]) for rows in training.row_batches())

    def _learn_range(self, latents: Tensor) -> None:
        """Set the range of standardised latents by the latents `(rows, L)` of training."""
        standardised = self.standardise(latents)
        least, most = standardised.amin(0), standardised.amax(0)
        margin = self.margin * (most - least).clamp_min(1.0)
        self.low.copy_(least - margin)
        self.high.copy_(most + margin)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move a frozen autoencoder along when the emulator changes device or dtype."""
        for autoencoder in self._frozen:
            autoencoder._apply(fn)
        return super()._apply(fn, recurse)


def _frozen(autoencoder: Any) -> nn.Module:
    """Return an autoencoder in its inference form, without gradients."""
    return autoencoder.for_inference().requires_grad_(False)


def _trainable_copy(autoencoder: nn.Module) -> nn.Module:
    """Return a copy whose weights can be trained, without dropout."""
    duplicate = copy.deepcopy(autoencoder).eval().requires_grad_(True)
    for layer in duplicate.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return duplicate
