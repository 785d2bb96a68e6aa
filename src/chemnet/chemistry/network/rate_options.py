"""What a network's rates depend on beside its rows: the grain model, and factors for single reactions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from chemnet.chemistry.network.species_and_reactions import REACTION_KINDS, Reaction
from chemnet.errors import DataError, suggest

ATOMIC_MASS = 1.66053907e-24
"""Atomic mass unit [g]."""

_EQUATION = re.compile(r"(?P<before>.+?)->(?P<after>.+?)(?:\((?P<kind>\w+)\))?\s*")


@dataclass(frozen=True)
class GrainModel:
    """One population of spheres that carries the dust mass (UCLCHEM: Holdship et al. 2017, AJ 154, 38).

    Attributes
    ----------
    radius
        Radius [cm].
    density
        Density of the material [g cm^-3].
    dust_to_gas
        Mass ratio of dust to gas. What happens on grains is in proportion to their surface per H nucleus; the
        column of gas behind one magnitude is in inverse proportion to this ratio.
    albedo
        Albedo for photons induced by cosmic rays.
    diffusion_ratio
        Barrier against diffusion over binding energy.
    site_density
        Binding sites [cm^-2] (Hasegawa et al. 1992, ApJS 82, 167).
    h2_yield
        Molecules desorbed per H2 formed (Roberts et al. 2007, MNRAS 382, 733).
    cr_yield
        Molecules desorbed per hit of a cosmic ray (Roberts et al. 2007).
    uv_yield
        Molecules desorbed per UV photon (Roberts et al. 2007).

    Raises
    ------
    DataError
        A value that is not positive, an albedo of 1 or more, or yields that are negative.
    """

    radius: float = 1e-5
    density: float = 3.0
    dust_to_gas: float = 0.01
    albedo: float = 0.5
    diffusion_ratio: float = 0.5
    site_density: float = 1.5e15
    h2_yield: float = 0.01
    cr_yield: float = 1e5
    uv_yield: float = 0.03

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            may_vanish = one.name in ("albedo", "h2_yield", "cr_yield", "uv_yield")
            least = 0.0 if may_vanish else math.ulp(0.0)
            if not least <= value < (1.0 if one.name == "albedo" else math.inf):
                limits = "0 or greater" if may_vanish else "greater than 0"
                limits += ", below 1" if one.name == "albedo" else ""
                raise DataError(f"grain model: {one.name} = {value!r}", hint=f"it must be {limits}")

    @property
    def hydrogen_per_grain(self) -> float:
        """Hydrogen nuclei per grain."""
        gas_to_dust = 1.0 / self.dust_to_gas
        return 4.0 * math.pi * self.radius**3 * self.density * gas_to_dust / (3.0 * ATOMIC_MASS)

    @property
    def sites_per_grain(self) -> float:
        """Binding sites on one grain."""
        return 4.0 * math.pi * self.radius**2 * self.site_density

    @property
    def monolayer(self) -> float:
        """Abundance of one monolayer of ice relative to hydrogen nuclei."""
        return self.sites_per_grain / self.hydrogen_per_grain

    @property
    def relative_section(self) -> float:
        """Cross section per hydrogen nucleus over that of the standard model."""
        standard = STANDARD_GRAIN
        thinner = self.radius * self.density / (standard.radius * standard.density)
        return self.dust_to_gas / standard.dust_to_gas / thinner


STANDARD_GRAIN = GrainModel()
"""The grain model of UCLCHEM."""


@dataclass(frozen=True)
class RateOptions:
    """The grain model, and the factor of each reaction by type or by row.

    Attributes
    ----------
    grain
        The grains.
    scale
        Factors by reaction type (``LH``) or by row (``H + CO -> HCO``, ``H + CO -> HCO (LH)`` for one type).
    """

    grain: GrainModel = STANDARD_GRAIN
    scale: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> RateOptions:
        """Return what a configuration table ``[simulate]`` says; those of older results say nothing."""
        grain = dict(options["grain"]) if "grain" in options else {}
        scale = dict(options["rates"]["scale"]) if "rates" in options else {}
        return cls(GrainModel(**grain), scale)


def scale_factors(reactions: Sequence[Reaction], scale: Mapping[str, float]) -> tuple[float, ...]:
    """Return the factor of each reaction.

    Raises
    ------
    DataError
        A factor is negative or not finite, or nothing has this type or is this row.
    """
    factors = [1.0] * len(reactions)
    for key, factor in scale.items():
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0.0 <= factor < math.inf:
            raise DataError(f"rate of {key!r} times {factor!r}", hint="give a number, 0 or greater")
        found = [i for i, reaction in enumerate(reactions) if _is_meant(reaction, key)]
        if not found:
            near = REACTION_KINDS if "->" not in key else [str(reaction) for reaction in reactions]
            raise DataError(f"no reaction of the network is {key!r}", hint=suggest(key, near))
        for i in found:
            factors[i] *= factor
    return tuple(factors)


def _is_meant(reaction: Reaction, key: str) -> bool:
    """Tell whether a key is the type of a reaction or the reaction, its species in any order."""
    match = _EQUATION.fullmatch(key)
    if match is None:
        return reaction.kind == key.strip().upper()
    sides = [sorted(re.split(r"\s+\+\s+", match[side].strip())) for side in ("before", "after")]
    same = sides == [sorted(reaction.reactants), sorted(reaction.products)]
    return same and match["kind"] in (None, reaction.kind)
