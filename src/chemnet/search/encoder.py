"""Between abundances and the latents of a database, through the autoencoder that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chemnet.errors import ResultsError
from chemnet.results import ResultDirectory

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


class StateEncoder:
    """The autoencoder behind a database, in raw units.

    Parameters
    ----------
    database
        The `save_to_database` result.

    Raises
    ------
    ResultsError
        When the autoencoder is gone or was trained again, or the database was made without one.
    """

    def __init__(self, database: ResultDirectory) -> None:
        # before the import of torch, so that a database without an autoencoder is refused at once
        trained = _model_behind(database)
        from chemnet.models.model_file import brings_autoencoder, data_of, load_trained

        if "autoencoder" in trained.parents and not brings_autoencoder(trained):
            trained = trained.parent("autoencoder")
        self.data: DataDescription = data_of(trained)
        self.model: Any = load_trained(trained)

    def encode(self, abundances: np.ndarray) -> np.ndarray:
        """Return the latent ``(L,)`` float32 of abundances ``(S,)`` relative to H nuclei."""
        import torch

        scaled = self.data.abundance_scaling.scale(np.asarray(abundances, dtype=np.float64))
        with torch.no_grad():
            return self.model.encode(torch.from_numpy(scaled.astype(np.float32))[None])[0].numpy()

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """Return the abundances ``(S,)`` relative to H nuclei that a latent ``(L,)`` stands for."""
        import torch

        # a copy, since a latent may be a read-only memory map
        batch = torch.from_numpy(np.array(latent, dtype=np.float32))[None]
        with torch.no_grad():
            scaled = self.model.decode(batch)[0].numpy()
        return self.data.abundance_scaling.unscale(np.clip(scaled.astype(np.float64), 0.0, 1.0))


def _model_behind(database: ResultDirectory) -> ResultDirectory:
    """Return the training result of the autoencoder or emulator that made a database's latents."""
    infer = database.parent("infer")
    for role in ("autoencoder", "train"):
        if role in infer.parents:
            return infer.parent(role)
    raise ResultsError(
        f"{database.name} was made without an autoencoder, so abundances have no place in it",
        hint="look a state up by --id or --vector, or make the database from an autoencoder's infer result",
    )
