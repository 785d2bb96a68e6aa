"""What grains do: H2 formation, sticking, attempt frequencies and chemical desorption."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.rate_options import ATOMIC_MASS
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.rates.constants import (
    BARRIER_WIDTH,
    BOLTZMANN,
    CARBON_SECTION,
    EFFECTIVE_SURFACE_MASS,
    GAS_CONSTANT,
    ICE_DESORPTION_REDUCTION,
    JOULE_PER_KCAL,
    NITROGEN_DESORPTION_FRACTION,
    REDUCED_PLANCK,
    SILICATE_SECTION,
    SITE_DENSITY,
)
from chemnet.compiling import compiled, inner

_H_FLUX = 1e-10  # H atoms [monolayers s^-1]
_H2_REMAINING = 0.005  # share of new H2 that stays on the surface
_H2_FREQUENCY = 3e12  # s^-1
_H_FREQUENCY = 1.3e13  # s^-1
_CHEMISORBED = 3e4  # K


@inner
def _formation_efficiency(saddle: float, physisorbed: float, h2_binding: float, t_dust: float) -> float:
    """Return the share of H atoms that leave one grain material as H2."""
    q = (1.0 + math.sqrt((_CHEMISORBED - saddle) / (physisorbed - saddle))) ** 2
    held = _H2_REMAINING * _H_FLUX / (2.0 * _H2_FREQUENCY * math.exp(-h2_binding / t_dust))
    lost = q / 4.0 * math.exp(-saddle / t_dust)
    evaporated = _H_FREQUENCY / (2.0 * _H_FLUX) * math.exp(-1.5 * _CHEMISORBED / t_dust) * q
    return 1.0 / (1.0 + held + lost) / (1.0 + evaporated)


@compiled
def h2_formation(t_gas: float, t_dust: float) -> float:
    """Return the H2 formation coefficient [cm^3 s^-1]: Cazaux & Tielens 2002, ApJ 575, L29."""
    speed = 1.45e5 * math.sqrt(t_gas / 100.0)
    sticking = 1.0 / (
        1.0 + 0.04 * math.sqrt(t_gas + t_dust) + 0.2 * t_gas / 100.0 + 0.08 * (t_gas / 100.0) ** 2
    )
    silicate = SILICATE_SECTION * _formation_efficiency(110.0, 450.0, 320.0, t_dust)
    carbon = CARBON_SECTION * _formation_efficiency(260.0, 800.0, 520.0, t_dust)
    return 0.5 * speed * sticking * (silicate + carbon)


@compiled
def sticking_coefficient(at_zero: float, t_critical: float, t_gas: float) -> float:
    """Return the share of colliding H or H2 that sticks: Chaabouni et al. 2012, A&A 538, A128."""
    x = t_gas / t_critical
    return at_zero * (1.0 + 2.5 * x) / (1.0 + x) ** 2.5


def attempt_frequency(species: NetworkSpecies, site_density: float = SITE_DENSITY) -> float:
    """Return the vibration frequency in a binding site [s^-1]: Hasegawa et al. 1992."""
    energy = 2.0 * BOLTZMANN * site_density * max(species.binding_energy, 0.0)
    return math.sqrt(energy / (math.pi**2 * species.mass * ATOMIC_MASS))


def tunnelling_exponent(reduced_mass: float, barrier: float) -> float:
    """Return the exponent for tunnelling through `barrier` [K] with `reduced_mass` [amu]."""
    momentum = math.sqrt(2.0 * reduced_mass * ATOMIC_MASS * BOLTZMANN * barrier)
    return 2.0 * BARRIER_WIDTH / REDUCED_PLANCK * momentum


def desorption_fraction(network: Network, reaction: Reaction) -> float:
    """Return the share of a surface reaction whose products leave the ice (Minissale et al. 2016).

    Parameters
    ----------
    network
        Holds the binding energies and enthalpies.
    reaction
        An LH, LHDES, ER or ERDES row.
    """
    names = [f"#{product.lstrip('#@')}" for product in reaction.products]
    products = [network.species[network.index(name)] for name in names if name in network.species_names]
    return _fraction(network, reaction, products, products) if products else 0.0


def uclchem_desorption_fraction(network: Network, reaction: Reaction) -> float:
    """Return the same share as UCLCHEM computes it, with masses and binding energies of the wrong species.

    UCLCHEM finds the ice of a product as the last one that evaporates to it, which is the bulk's, and uses
    its position in the list of ices to look up masses and atom counts in the list of all species.
    """
    ices = [one for one in network.species if one.phase != "gas"]
    evaporates_to = {one.reactants[0]: one.products[0] for one in network.reactions if one.kind == "THERM"}
    bound, mistaken = [], []
    for product in reaction.products:
        found = [i for i, ice in enumerate(ices) if product in (ice.name, evaporates_to.get(ice.name))]
        if found:
            bound.append(ices[found[-1]])
            mistaken.append(network.species[found[-1]])
    return _fraction(network, reaction, bound, mistaken)


def _fraction(
    network: Network,
    reaction: Reaction,
    bound: Sequence[NetworkSpecies],
    moving: Sequence[NetworkSpecies],
) -> float:
    """Evaluate the formula: `bound` gives energies, `moving` masses and atom counts of the products."""
    if {name.lstrip("#@") for name in reaction.reactants} == {"N"}:
        return NITROGEN_DESORPTION_FRACTION
    before = sum(
        network.species[network.index(name)].enthalpy for name in _as_ice(network, reaction.reactants)
    )
    released = (before - sum(one.enthalpy for one in bound)) * JOULE_PER_KCAL / GAS_CONSTANT + reaction.gamma
    if released <= 0.0:
        return 0.0
    mass = sum(one.mass for one in moving)
    kept = ((mass - EFFECTIVE_SURFACE_MASS) / (mass + EFFECTIVE_SURFACE_MASS)) ** 2
    freedom = 3 * max((sum(one.elements.values()) for one in moving), default=0)
    binding = max((one.binding_energy for one in bound), default=0.0)
    return math.exp(-binding * freedom / (kept * released)) / ICE_DESORPTION_REDUCTION


def _as_ice(network: Network, names: Sequence[str]) -> list[str]:
    """Replace gas-phase names by their ice, which holds the enthalpy, where there is one."""
    return [
        name if name[0] in "#@" or f"#{name}" not in network.species_names else f"#{name}" for name in names
    ]
