"""What a network is made of: species with their surface properties, and typed reactions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.species import parse_species

REACTION_KINDS = (
    "TWOBODY", "CRP", "CRPHOT", "PHOTON", "FREEZE", "THERM", "DESOH2", "DESCR", "DEUVCR", "H2FORM", "ER",
    "ERDES", "LH", "LHDES", "BULKSWAP", "SURFSWAP", "IONPOL1", "IONPOL2", "EXPRESSION", "GAR", "ED",
)  # fmt: skip
"""UCLCHEM's keywords, KIDA's ion-polar formulae 4 and 5, and KROME's rate expressions.

GAR is the recombination of ions on grains, ED the desorption of H2 that encounters H2; their rates are
expressions.
"""


OUTSIDE = ("zero", "clamp", "extrapolate")
"""What a reaction does beyond the last limit of its rows."""


@dataclass(frozen=True)
class NetworkSpecies:
    """One species and the surface properties that reactions look up.

    Parameters
    ----------
    name
        Formula in UCLCHEM's spelling: `H2O`, `HCO+`, `E-`, `#H2O` on the surface, `@H2O` in the bulk of the
        ice.
    mass
        Mass [amu].
    binding_energy
        Energy that binds it to the ice [K]; 0 for gas that never sticks.
    enthalpy
        Enthalpy of formation [kcal/mol].
    solid_fraction, mono_fraction, volcano_fraction
        UCLCHEM's fractions of episodic desorption; 0 when unknown.
    reference
        Where the figures come from.
    diffusion_barrier
        Barrier against diffusion on the ice [K]; 0: the grain model's share of the binding energy.
    """

    name: str
    mass: float
    binding_energy: float = 0.0
    enthalpy: float = 0.0
    solid_fraction: float = 0.0
    mono_fraction: float = 0.0
    volcano_fraction: float = 0.0
    reference: str = ""
    diffusion_barrier: float = 0.0

    @cached_property
    def elements(self) -> dict[str, int]:
        """Atoms by element, in UCLCHEM's capitals."""
        return parse_species(self.name).elements

    @cached_property
    def charge(self) -> int:
        """Charge in units of the elementary charge."""
        return parse_species(self.name).charge

    @cached_property
    def phase(self) -> str:
        """Where it is: `gas`, `surface` or `bulk`."""
        return parse_species(self.name).phase


@dataclass(frozen=True)
class Reaction:
    """One typed reaction with its rate parameters.

    Parameters
    ----------
    reactants, products
        Species names; keywords such as `CRP` are no reactants.
    kind
        One of `REACTION_KINDS`: which formula the rate follows.
    alpha, beta, gamma
        The three parameters of that formula.
    t_min, t_max
        Range [K] within which a gas-phase row is valid.
    extrapolate
        Whether the row is used outside that range too.
    outside
        What else happens beyond the last limit of all rows of one reaction: `zero` or `clamp`, the rate at
        that limit (`extrapolate` is the same as the field of that name).
    partner
        What else the reaction counts as, where one kind stands for several processes: KIDA's CRP rows are
        photons made by cosmic rays (`CRPHOT`) with the formula of direct ionisation.
    reduced_mass
        Reduced mass for tunnelling [amu]; 0 where the formula needs none.
    reference, source
        The publication, and `file:line` of the row for messages.
    expression
        For `EXPRESSION`: a callable of arrays (Tgas, Av, zeta, radfield, density) that returns the rate
        coefficient.
    """

    reactants: tuple[str, ...]
    products: tuple[str, ...]
    kind: str
    alpha: float
    beta: float = 0.0
    gamma: float = 0.0
    t_min: float = 0.0
    t_max: float = math.inf
    extrapolate: bool = False
    reduced_mass: float = 0.0
    reference: str = ""
    source: str = ""
    expression: Callable[..., NDArray[np.float64]] | None = None
    outside: str = "zero"
    partner: str = ""

    def __str__(self) -> str:
        return f"{' + '.join(self.reactants)} -> {' + '.join(self.products) or 'nothing'} ({self.kind})"
