"""Several direct emulators, trained at once or put together from trainings of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chemnet.config import ConfigDict
from chemnet.models.emulators.ensemble_base import EnsembleBase, member_class
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


@chem_model
class DirectEnsemble(EnsembleBase):
    """Deep ensemble of direct emulators.

    Parameters
    ----------
    config
        Reads ``[model.DirectEnsemble]``, and the members read their own table.
    data
        What the members are fed.
    """

    role = "direct_emulator"

    def __init__(self, config: ConfigDict, data: DataDescription) -> None:
        table = config["model"]["DirectEnsemble"]
        cls = member_class(type(self), table)
        super().__init__(table, [cls(config, data) for _ in range(table["size"])])
