"""What emulators of latents share: the autoencoder, frozen or trained along, and the losses that it allows.

With ``train_autoencoder`` the emulator owns a copy of its autoencoder, the attribute `trained_autoencoder`,
which is trained along (its noise and dropout off, its normalisation statistics as they are) and kept among
the emulator's own weights. A `chemnet.Surrogate` then encodes and decodes with that copy.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from chemnet.config import ConfigDict
from chemnet.models import losses
from chemnet.models.contract import TrainingRows
from chemnet.models.emulators.emulator_base import EmulatorBase
from chemnet.models.weights import check_shapes, read_tensors

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


# under this name the copy of the autoencoder stands among the weights
TRAINED_AUTOENCODER = "trained_autoencoder"


class LatentBase(EmulatorBase):
    """Emulator of the evolution in the latent space of a trained autoencoder.

    A model is built of the merged configuration, the data and the autoencoder, and hands its own table on.

    Parameters
    ----------
    table
        The model's own configuration table; read here are `train_autoencoder`, `latent_weight` and
        `reconstruction_weight`, beside what `EmulatorBase` reads.
    data
        As for `EmulatorBase`.
    autoencoder
        A trained autoencoder; it stays as it is.

    Attributes
    ----------
    trained_autoencoder
        The copy that is trained along; None where the autoencoder is used frozen.
    """

    role = "emulator"

    def __init__(self, table: ConfigDict, data: DataDescription, autoencoder: nn.Module) -> None:
        used: Any = _trainable_copy(autoencoder) if table["train_autoencoder"] else _frozen(autoencoder)
        latent_dim = used.encode(torch.zeros(1, data.n_species)).shape[-1]
        super().__init__(table, data, latent_dim)
        self.trained_autoencoder = used if table["train_autoencoder"] else None
        # a plain list keeps a frozen autoencoder out of parameters() and state_dict()
        self._frozen: list[Any] = [] if table["train_autoencoder"] else [used]

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

    def further_losses(self, latents: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the distance to the latents of the true states, and how well those reconstruct."""
        terms: dict[str, Tensor] = {}
        if self.table["latent_weight"]:
            with torch.no_grad():
                # a trained encoder must not shrink its latents to come nearer
                wanted = self.standardise(self.encode(target))
            terms["latent_error"] = self.table["latent_weight"] * (latents - wanted).abs().mean()
        if self.trained_autoencoder is not None and self.table["reconstruction_weight"]:
            rows = target.flatten(0, 1)
            loss, _ = losses.apply_criterion(self.criterion, self.decode(self.encode(rows)), rows)
            terms["reconstruction"] = self.table["reconstruction_weight"] * loss
        return terms

    def after_training(self, training: TrainingRows) -> None:
        """Learn the latents' range again where their encoder was trained along."""
        if self.trained_autoencoder is not None:
            self._learn_range(self._encoded(training))

    def load_weights(self, path: str | Path) -> None:
        """Read the weights; those of an emulator with a frozen autoencoder leave the copy as it is.

        So a training with the autoencoder frozen can go on with both.

        Raises
        ------
        ModelError
            When the file is missing or damaged, or its tensors do not fit.
        """
        found, wanted = read_tensors(path), self.state_dict()
        prefix = f"{TRAINED_AUTOENCODER}."
        if not any(name.startswith(prefix) for name in found):
            found |= {name: tensor for name, tensor in wanted.items() if name.startswith(prefix)}
        check_shapes(found, wanted, str(path))
        self.load_state_dict(found)

    def train(self, mode: bool = True) -> Self:
        """Change the mode of the emulator alone: its autoencoder's statistics never change."""
        super().train(mode)
        if self.trained_autoencoder is not None:
            self.trained_autoencoder.eval()
        return self

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
