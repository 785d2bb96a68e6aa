"""Several emulators of latents around one frozen autoencoder, trained at once; see `ensemble_base`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError
from chemnet.models.emulators.ensemble_base import EnsembleBase, member_class
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


@chem_model
class LatentEnsemble(EnsembleBase):
    """Deep ensemble of emulators of latents.

    Parameters
    ----------
    config
        Reads ``[model.LatentEnsemble]``, and the members read their own table.
    data
        What the members are fed.
    autoencoder
        A trained autoencoder; used frozen.
    """

    role = "emulator"

    def __init__(self, config: ConfigDict, data: DataDescription, autoencoder: nn.Module) -> None:
        table = config["model"]["LatentEnsemble"]
        cls = member_class(type(self), table)
        super().__init__(table, [cls(config, data, autoencoder) for _ in range(table["size"])])
        if getattr(self.members[0], "trained_autoencoder", None) is not None:
            raise ConfigError(
                f"the members of an ensemble share one frozen autoencoder; model.{cls.__name__} trains its "
                "own along",
                hint=f"set model.{cls.__name__}.train_autoencoder=false",
            )
