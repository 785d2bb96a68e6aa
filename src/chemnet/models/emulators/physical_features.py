"""What an emulator sees of the physical parameters: their logarithms, and what rates depend on.

Shapes: any leading axes, P physical parameters, F features.

    log10 p                         of every parameter: two-body and freeze-out rates are powers of them
    1 / T                           thermal desorption and barriers: exp(-E / T)
    log10 G - gamma Av / ln 10      photoreactions: G exp(-gamma Av), for several gamma
    exp(-Av / 3)                    where shielding sets in

The combinations are there where their parameters are; each feature is standardised over the training split.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from chemnet.models.contract import TrainingRows
from chemnet.models.layers import thinned

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

# extinction coefficients of photoreactions lie between these (UCLCHEM's network: 0.8 to 3.9)
EXTINCTIONS = (1.0, 2.0, 3.5)
# a field below 10^this [Habing] does less than cosmic rays, whatever its exact value
_WEAKEST_FIELD = -8.0
# extinction over which shielding sets in [mag]
_SHIELDING = 3.0
# training rows that centre and spread of the features are learnt from, at most about
_STATISTICS_ROWS = 200_000


class Term(NamedTuple):
    """One feature of the logarithms l = log10 p, in numbers, so that compiled code can compute it too.

    ``max(factor l[first] + weight 10^(power l[second]), least)``, or e to this power if `is_exponent`.
    """

    first: int = 0
    factor: float = 1.0
    second: int = 0
    weight: float = 0.0
    power: float = 0.0
    least: float = -math.inf
    is_exponent: bool = False

    def of(self, logarithms: Sequence[Tensor]) -> Tensor:
        """Return the feature `(...)` of the logarithms of the parameters, each `(...)`."""
        value = self.factor * logarithms[self.first]
        if self.weight:
            value = value + self.weight * torch.pow(10.0, self.power * logarithms[self.second])
        if math.isfinite(self.least):
            value = value.clamp_min(self.least)
        return value.exp() if self.is_exponent else value


class PhysicalFeatures(nn.Module):
    """Standardised features `(..., F)` of scaled physical parameters `(..., P)`.

    Parameters
    ----------
    data
        Names and scaling of the physical parameters.

    Attributes
    ----------
    names, terms
        The features, in order.
    """

    log_minimum: Tensor
    log_range: Tensor
    centre: Tensor
    width: Tensor

    def __init__(self, data: DataDescription) -> None:
        super().__init__()
        self.physical_names = data.physical_names
        low = torch.tensor(data.physical_scaling.minimum, dtype=torch.float64).log10()
        high = torch.tensor(data.physical_scaling.maximum, dtype=torch.float64).log10()
        width = torch.where(high > low, high - low, torch.ones_like(low))
        # part of the data's description, which is kept with the model
        self.register_buffer("log_minimum", low.float(), persistent=False)
        self.register_buffer("log_range", width.float(), persistent=False)
        named = _features(data.physical_names)
        self.names, self.terms = tuple(named), tuple(named.values())
        self.register_buffer("centre", torch.zeros(len(named)))
        self.register_buffer("width", torch.ones(len(named)))

    def forward(self, physical: Tensor) -> Tensor:
        """Return the features `(..., F)` of scaled parameters `(..., P)`."""
        return (self._raw(physical) - self.centre) / self.width

    def learn(self, training: TrainingRows) -> None:
        """Take centre and spread of each feature from the training split."""
        physical = thinned(rows["physical"] for rows in training.row_batches())
        raw = self._raw(physical[:: max(1, len(physical) // _STATISTICS_ROWS)]).double()
        self.centre.copy_(raw.mean(0))
        self.width.copy_(raw.std(0, correction=0).clamp_min(1e-3))

    def _raw(self, physical: Tensor) -> Tensor:
        logarithms = (self.log_minimum + physical * self.log_range).unbind(-1)
        return torch.stack([term.of(logarithms) for term in self.terms], dim=-1)


def _features(physical_names: Sequence[str]) -> dict[str, Term]:
    """Return the features that parameters of these names allow, by name."""
    place = {name: number for number, name in enumerate(physical_names)}
    named = {f"log {name}": Term(number) for name, number in place.items()}
    if "gasTemp" in place:
        # in units of 1 / (20 K)
        named["1 / gasTemp"] = Term(factor=0.0, second=place["gasTemp"], weight=20.0, power=-1.0)
    if "Av" in place:
        named["shielding"] = Term(
            factor=0.0, second=place["Av"], weight=-1.0 / _SHIELDING, power=1.0, is_exponent=True
        )
    if {"Av", "Radfield"} <= set(place):
        named |= {
            f"field behind {gamma:g} Av": Term(
                place["Radfield"],
                second=place["Av"],
                weight=-gamma / math.log(10.0),
                power=1.0,
                least=_WEAKEST_FIELD,
            )
            for gamma in EXTINCTIONS
        }
    return named
