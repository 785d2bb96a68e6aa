"""The chemistry itself: species, networks, rates, a stiff solver and tracers; NumPy and Numba, no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chemnet.chemistry.network.network import Network
    from chemnet.chemistry.network.species import Species, parse_species
    from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
    from chemnet.chemistry.network.species_sums import summed_abundances
    from chemnet.chemistry.network.stoichiometry import stoichiometric_matrix
    from chemnet.chemistry.solver.implicit_step import ImplicitStep
    from chemnet.chemistry.solver.step_conditions import StepConditions

__all__ = [
    "ImplicitStep",
    "Network",
    "NetworkSpecies",
    "Reaction",
    "Species",
    "StepConditions",
    "parse_species",
    "stoichiometric_matrix",
    "summed_abundances",
]

# imported when first asked for: readers of species names need no network, and nothing here needs Numba yet
_LAZY = {
    "ImplicitStep": "chemnet.chemistry.solver.implicit_step",
    "Network": "chemnet.chemistry.network.network",
    "NetworkSpecies": "chemnet.chemistry.network.species_and_reactions",
    "Reaction": "chemnet.chemistry.network.species_and_reactions",
    "Species": "chemnet.chemistry.network.species",
    "StepConditions": "chemnet.chemistry.solver.step_conditions",
    "parse_species": "chemnet.chemistry.network.species",
    "stoichiometric_matrix": "chemnet.chemistry.network.stoichiometry",
    "summed_abundances": "chemnet.chemistry.network.species_sums",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'chemnet.chemistry' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
