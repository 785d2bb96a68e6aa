"""A model: the simplest autoencoder that learns."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from chemnet import ChemModel, ConfigDict, chem_model
from chemnet.data.preprocessed import DataDescription


@chem_model
class LinearAutoencoder(ChemModel):
    """One linear map down and its own linear map back, trained on the mean square error.

    Parameters
    ----------
    config
        The merged configuration; this model reads ``[model.LinearAutoencoder]``.
    data
        What it will be fed.
    """

    role = "autoencoder"
    feed = "rows"

    def __init__(self, config: ConfigDict, data: DataDescription) -> None:
        super().__init__(config, data)
        # the table [model.LinearAutoencoder]
        latent_dim = self.table["latent_dim"]
        self.latent_penalty = self.table["latent_penalty"]
        self.encoder = nn.Linear(data.n_species, latent_dim)
        self.decoder = nn.Linear(latent_dim, data.n_species)

    def make_criterion(self, config: ConfigDict, data: DataDescription) -> nn.Module:
        """Return the mean square error, whatever ``[criterion]`` names."""
        return nn.MSELoss()

    def encode(self, abundance: Tensor) -> Tensor:
        """Map scaled abundances ``(..., species)`` to latents ``(..., latent_dim)``."""
        return self.encoder(abundance)

    def decode(self, latent: Tensor) -> Tensor:
        """Map latents back to scaled abundances."""
        return self.decoder(latent).clamp(0.0, 1.0)

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the reconstruction of a batch."""
        return self.decode(self.encode(batch["abundance"]))

    def train_batch(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and the mean square of the latents."""
        latent = self.encode(batch["abundance"])
        latent_power = latent.square().mean()
        # not clamped: a clamped output has no gradient
        error = self.criterion(self.decoder(latent), batch["abundance"])
        return error + self.latent_penalty * latent_power, {"latent_power": latent_power.detach()}

    def infer_batch(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return latents and reconstruction."""
        latent = self.encode(batch["abundance"])
        return {"latent": latent, "reconstruction": self.decode(latent)}
