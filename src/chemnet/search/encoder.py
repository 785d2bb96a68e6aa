"""Between abundances and the latents of a database, through the autoencoder that made them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from chemnet.errors import ResultsError
from chemnet.results import ResultDirectory

if TYPE_CHECKING:
    from torch import Tensor

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
        from chemnet.models.codec import Codec
        from chemnet.models.model_file import brings_autoencoder, data_of, load_trained

        if "autoencoder" in trained.parents and not brings_autoencoder(trained):
            trained = trained.parent("autoencoder")
        self.data: DataDescription = data_of(trained)
        model = load_trained(trained)
        self._codec = Codec(model, model, self.data.abundance_scaling)

    def encode(self, abundances: np.ndarray) -> np.ndarray:
        """Return the latent ``(L,)`` float32 of abundances ``(S,)`` relative to H nuclei."""
        return self._row(self._codec.encode, abundances)

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """Return the abundances ``(S,)`` relative to H nuclei of a latent ``(L,)``."""
        return self._row(self._codec.decode, np.asarray(latent, dtype=np.float32))

    def _row(self, function: Callable[[Tensor], Tensor], row: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            # a copy, since it may be a read-only memory map
            return function(torch.from_numpy(np.array(row))[None])[0].numpy()


def _model_behind(database: ResultDirectory) -> ResultDirectory:
    infer = database.parent("infer")
    for role in ("autoencoder", "train"):
        if role in infer.parents:
            return infer.parent(role)
    raise ResultsError(
        f"{database.name} was made without an autoencoder, so abundances have no place in it",
        hint="look a state up by --id or --vector, or make the database from an autoencoder's infer result",
    )
