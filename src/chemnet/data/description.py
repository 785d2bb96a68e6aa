"""What a model must know of the data that it is made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chemnet.data.scaling import AbundanceScaling, PhysicalScaling


@dataclass(frozen=True)
class DataDescription:
    """What a model knows of its data: names, scalings, shapes and one collated batch.

    Attributes
    ----------
    species, elements, physical_names
        Names, in the order of the columns.
    stoichiometry
        Atoms of each element in each species, float64 `(n_species, n_elements)`.
    abundance_scaling, physical_scaling
        How the columns were scaled.
    window, horizon
        Rows per window, and how many of them at its end are predicted; None where the data has no windows.
    sample
        One collated batch of torch tensors; empty when the description was read back with a trained model.
    """

    species: tuple[str, ...]
    elements: tuple[str, ...]
    stoichiometry: np.ndarray
    physical_names: tuple[str, ...]
    abundance_scaling: AbundanceScaling
    physical_scaling: PhysicalScaling
    window: int | None = None
    horizon: int | None = None
    sample: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_species(self) -> int:
        """Number of species."""
        return len(self.species)

    @property
    def n_physical(self) -> int:
        """Number of physical parameters."""
        return len(self.physical_names)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the sample as plain values, to be kept with a trained model."""
        return {
            "species": list(self.species),
            "elements": list(self.elements),
            "stoichiometry": self.stoichiometry.tolist(),
            "physical_names": list(self.physical_names),
            **self.abundance_scaling.to_dict(),
            **self.physical_scaling.to_dict(),
            "window": self.window or 0,
            "horizon": self.horizon or 0,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataDescription:
        """Rebuild a description from `to_dict`'s values."""
        n_species = len(values["species"])
        return cls(
            species=tuple(values["species"]),
            elements=tuple(values["elements"]),
            stoichiometry=np.array(values["stoichiometry"], dtype=np.float64).reshape(n_species, -1),
            physical_names=tuple(values["physical_names"]),
            abundance_scaling=AbundanceScaling.from_dict(values),
            physical_scaling=PhysicalScaling.from_dict(values),
            window=int(values["window"]) or None,
            horizon=int(values["horizon"]) or None,
        )
