"""Novelty: how far a state is from those that a surrogate was trained on.

Shapes: B cells, N reference states, L latents, P physical parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# least spread that a coordinate is measured in
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class ReferenceStates:
    """Some states of the training split, as points in the space of latents and scaled physical parameters.

    Attributes
    ----------
    places
        `(N, L + P)`, in units of the spread.
    centre, spread
        Mean and standard deviation of each coordinate over the training split, `(L + P,)`.
    """

    places: Tensor
    centre: Tensor
    spread: Tensor

    @classmethod
    def of(cls, latent_NL: Tensor, physical_NP: Tensor) -> ReferenceStates:
        """Return the reference states of these latents and scaled physical parameters."""
        coordinates = torch.cat([latent_NL, physical_NP], dim=1).float()
        centre = coordinates.mean(dim=0)
        spread = coordinates.std(dim=0, correction=0).clamp_min(_LEAST_SPREAD)
        return cls((coordinates - centre) / spread, centre, spread)

    def novelty(self, latent_BL: Tensor, physical_BP: Tensor) -> Tensor:
        """Return the root mean square distance to the nearest reference state, in spreads, `(B,)`."""
        coordinates = torch.cat([latent_BL, physical_BP], dim=1).float()
        place = (coordinates - self.centre) / self.spread
        return torch.cdist(place, self.places).amin(dim=1) / place.shape[1] ** 0.5

    def to(self, device: torch.device) -> ReferenceStates:
        """Return the same states on a device."""
        return ReferenceStates(self.places.to(device), self.centre.to(device), self.spread.to(device))

    def tensors(self) -> dict[str, Tensor]:
        """Return what is saved; the places in half precision, which is finer than they are apart."""
        return {"places": self.places.half(), "centre": self.centre, "spread": self.spread}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> ReferenceStates:
        """Rebuild from `tensors`."""
        return cls(**{name: values.float() for name, values in tensors.items()})
