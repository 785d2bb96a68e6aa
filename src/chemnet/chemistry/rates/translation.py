"""Translation of typed reactions into rows of the rate table: what each reaction kind means."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.rate_options import ATOMIC_MASS, STANDARD_GRAIN, GrainModel, scale_factors
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.rates.constants import BOLTZMANN, ICE_PHOTO_RATIO
from chemnet.chemistry.rates.grain import (
    attempt_frequency,
    desorption_fraction,
    tunnelling_exponent,
    uclchem_desorption_fraction,
)
from chemnet.chemistry.rates.table import Factor, Formula
from chemnet.chemistry.rates.temperature_ranges import ActiveRange, network_ranges
from chemnet.errors import DataError

_FORMULAE = {
    "TWOBODY": Formula.ARRHENIUS,
    "IONPOL1": Formula.ION_POLAR_1,
    "IONPOL2": Formula.ION_POLAR_2,
    "EXPRESSION": Formula.EXPRESSION,
    "GAR": Formula.EXPRESSION,
    "ED": Formula.EXPRESSION,
    "CRP": Formula.CRP,
    "CRPHOT": Formula.CRPHOT,
    "PHOTON": Formula.PHOTON,
    "FREEZE": Formula.FREEZE,
    "THERM": Formula.EVAPORATION,
    "BULKSWAP": Formula.BULK_SWAP,
    "SURFSWAP": Formula.SURFACE_SWAP,
    "DESOH2": Formula.H2_DESORPTION,
    "DESCR": Formula.CR_DESORPTION,
    "DEUVCR": Formula.UV_DESORPTION,
    "H2FORM": Formula.H2_FORMATION,
    "LH": Formula.DIFFUSION,
    "LHDES": Formula.DIFFUSION,
    "ER": Formula.ELEY_RIDEAL,
    "ERDES": Formula.ELEY_RIDEAL,
}
_SELF_SHIELDED = {"H2": Formula.H2_PHOTON, "CO": Formula.CO_PHOTON, "C": Formula.C_PHOTON}
_STICKING = {"H": Formula.FREEZE_H, "H2": Formula.FREEZE_H2}
_DESORBING = {"LHDES": "LH", "ERDES": "ER"}
_PER_SURFACE = frozenset({"DESOH2", "DESCR", "DEUVCR", "ER", "ERDES"})
_GAS_KINDS = frozenset({"TWOBODY", "IONPOL1", "IONPOL2", "EXPRESSION"})


@dataclass
class Row:
    """One row of the rate table; fields as in `RateTable` and `CompiledReactions`."""

    formula: Formula
    source: int
    alpha: float
    beta: float
    gamma: float
    reactants: tuple[int, int, int]
    change: dict[int, int]
    factor: Factor = Factor.ONE
    density_power: int = 0
    frequency1: float = 0.0
    frequency2: float = 0.0
    energy1: float = 0.0
    energy2: float = 0.0
    tunnelling: float = 0.0
    share: float = 1.0
    speed: float = 0.0
    expression: int = field(default=-1)
    t_min: float = 0.0
    t_max: float = math.inf
    fit_min: float = 0.0
    fit_max: float = math.inf
    barrier1: float = 0.0
    barrier2: float = 0.0
    scale: float = 1.0

    @property
    def log_fit_min(self) -> float:
        """ln(T / 300 K) where the fit begins."""
        return math.log(self.fit_min / 300.0) if self.fit_min > 0.0 else -math.inf

    @property
    def log_fit_max(self) -> float:
        """ln(T / 300 K) where the fit ends."""
        return math.log(self.fit_max / 300.0)


class Translator:
    """Turns the reactions of one network into rows.

    Parameters
    ----------
    network
        The network.
    uclchem_compatible
        Whether UCLCHEM's quirks are reproduced.
    """

    def __init__(self, network: Network, uclchem_compatible: bool) -> None:
        self.network = network
        self.compatible = uclchem_compatible
        self.one = len(network.species)
        self.electron_limiter = self.one + 1
        self.desorbing = {_route(one): one for one in network.reactions if one.kind in _DESORBING}
        self.forms_h2 = any(reaction.kind == "H2FORM" for reaction in network.reactions)
        self.n_expressions = 0
        self.grain = network.rate_options.grain
        self.factors = scale_factors(network.reactions, network.rate_options.scale)

    def rows(self) -> list[Row]:
        """Return the rows of all reactions that can run, in the order of the network."""
        ranges = network_ranges(self.network).rows
        rows = []
        for position, one in enumerate(self.network.reactions):
            row = self._row(position, one)
            if row is not None and row.alpha * row.share * row.scale != 0.0:
                rows += [_within(row, active) for active in ranges[position]]
        return rows

    def _row(self, position: int, reaction: Reaction) -> Row | None:
        """Return one reaction's row, or None if it never runs."""
        if self._never_runs(reaction):
            return None
        if not self.compatible:
            reaction = self.network.mended.get(reaction, reaction)
        row = Row(
            formula=_FORMULAE[reaction.kind],
            source=position,
            alpha=reaction.alpha,
            beta=reaction.beta,
            gamma=reaction.gamma,
            reactants=self._positions(reaction),
            change=self._change(reaction),
        )
        if reaction.expression is not None:
            row.expression, row.alpha = self.n_expressions, 1.0
            self.n_expressions += 1
        if reaction.kind in _GAS_KINDS:
            self._complete_gas(row, reaction)
        elif reaction.kind == "FREEZE":
            self._complete_freeze(row, reaction)
        elif reaction.kind in ("CRPHOT", "PHOTON"):
            self._complete_photon(row, reaction)
        elif reaction.kind == "H2FORM":
            row.reactants, row.density_power = (self.network.index("H"), self.one, self.one), 1
        elif reaction.kind == "ED":
            row.factor = Factor.ONE if self.network.has_bulk else Factor.TOP_LAYERS_SQUARED
        elif reaction.kind not in ("CRP", "GAR"):
            self._complete_surface(row, reaction)
        self._scale(row, reaction.kind)
        return row

    def _scale(self, row: Row, kind: str) -> None:
        """Multiply by the factor that was asked for, and by what other grains change."""
        grain, standard = self.grain, STANDARD_GRAIN
        row.scale = self.factors[row.source] * _grain_factor(grain, kind)
        row.barrier1 = self._barrier(row.reactants[0], row.energy1)
        row.barrier2 = self._barrier(row.reactants[1], row.energy2)
        if kind in ("FREEZE", "ER", "ERDES"):
            row.beta *= standard.radius / grain.radius  # the pull of the charge, in proportion to 1 / radius

    def _barrier(self, species: int, energy: float) -> float:
        """Return the barrier against diffusion [K] of a reactant with this binding energy [K]."""
        own = self.network.species[species].diffusion_barrier if species < self.one else 0.0
        return own or self.grain.diffusion_ratio * energy

    def _never_runs(self, reaction: Reaction) -> bool:
        """Whether a row is double counted or meaningless here."""
        makes_h2 = {name.lstrip("#") for name in reaction.reactants} == {"H"}
        if reaction.kind in ("ER", "ERDES") and makes_h2:
            return self.forms_h2  # H2FORM stands for every way to form H2 on grains
        return reaction.kind == "FREEZE" and reaction.reactants == ("E-",) and not self.compatible

    def _positions(self, reaction: Reaction) -> tuple[int, int, int]:
        """Return the positions that the flux multiplies, padded with the one that holds 1."""
        if len(reaction.reactants) > 3:
            raise DataError(
                f"{reaction.source or reaction}: {len(reaction.reactants)} reactants; three at most",
                hint="split the row into steps",
            )
        found = [self.network.index(name) for name in reaction.reactants]
        a, b, c = found + [self.one] * (3 - len(found))
        return a, b, c

    def _change(self, reaction: Reaction) -> dict[int, int]:
        """Return the net change of each species; electrons make up for the charge of a grain's row."""
        change: Counter[int] = Counter()
        for name in reaction.reactants:
            change[self.network.index(name)] -= 1
        for name in reaction.products:
            change[self.network.index(name)] += 1
        if not self.compatible and "E-" in self.network.species_names:
            charge = sum(count * self.network.species[i].charge for i, count in change.items())
            change[self.network.index("E-")] += charge
        return {species: count for species, count in sorted(change.items()) if count}

    def _complete_gas(self, row: Row, reaction: Reaction) -> None:
        row.density_power = len(reaction.reactants) - 1

    def _complete_photon(self, row: Row, reaction: Reaction) -> None:
        """Choose self-shielding, and weaken light inside ice."""
        species = self.network.species[row.reactants[0]]
        if reaction.kind == "PHOTON" and species.name in _SELF_SHIELDED:
            row.formula = _SELF_SHIELDED[species.name]
        if species.phase != "gas":
            row.alpha *= ICE_PHOTO_RATIO
        if species.phase == "bulk":
            row.factor = Factor.BULK_PHOTON

    def _complete_freeze(self, row: Row, reaction: Reaction) -> None:
        """Add thermal speed, sticking, and what charge does."""
        species = self.network.species[row.reactants[0]]
        row.density_power = 1
        row.formula = _STICKING.get(species.name, Formula.FREEZE)
        if species.name == "E-":
            species, row.alpha = self.network.species[self.network.index("H")], 1.0
        row.speed = _thermal_speed(species)
        if species.charge > 0 and not self.compatible:
            row.beta = reaction.beta or 1.0
            if "E-" in self.network.species_names:
                row.reactants = (row.reactants[0], self.electron_limiter, self.one)

    def _complete_surface(self, row: Row, reaction: Reaction) -> None:
        """Add the surface properties of the reactants and the factor of the ice."""
        first, second = (self.network.species[i] if i < self.one else None for i in row.reactants[:2])
        assert first is not None
        row.frequency1 = attempt_frequency(first, self.grain.site_density)
        row.energy1 = first.binding_energy
        if second is not None:
            row.frequency2 = attempt_frequency(second, self.grain.site_density)
            row.energy2 = second.binding_energy
        if reaction.kind == "DESOH2":
            row.reactants, row.density_power = (row.reactants[0], self.network.index("H"), self.one), 1
        if reaction.kind in ("LH", "LHDES") and second is not None:
            mass = reaction.reduced_mass or first.mass * second.mass / (first.mass + second.mass)
            row.tunnelling = tunnelling_exponent(mass, reaction.gamma)
        if reaction.kind in ("ER", "ERDES"):
            row.density_power, row.speed = 1, _thermal_speed(first)
        if reaction.kind in ("LH", "LHDES", "ER", "ERDES"):
            row.share = self._share(reaction)
        row.factor = self._factor(reaction, first)

    def _share(self, reaction: Reaction) -> float:
        """Return the share of a surface reaction that takes this row: products stay, or desorb."""
        twin = self.desorbing.get(_route(reaction))
        if twin is None or reaction.reactants[-1].startswith("@"):
            leaves = 0.0
        elif self.compatible:
            leaves = uclchem_desorption_fraction(self.network, twin)
        else:
            leaves = desorption_fraction(self.network, twin)
        return leaves if reaction.kind in _DESORBING else 1.0 - leaves

    def _factor(self, reaction: Reaction, first: NetworkSpecies) -> Factor:
        """Return how the ice as a whole scales the flux."""
        if reaction.kind in _PER_SURFACE:
            return Factor.PER_SURFACE
        if reaction.kind == "SURFSWAP":
            return Factor.SWAP
        if reaction.kind == "BULKSWAP" or (reaction.kind in ("LH", "LHDES") and first.phase == "bulk"):
            return Factor.BULK_EXPOSED
        if self.network.has_bulk:
            return Factor.ONE
        return Factor.TOP_LAYERS if reaction.kind == "THERM" else Factor.TOP_LAYERS_SQUARED


def _grain_factor(grain: GrainModel, kind: str) -> float:
    """Return the rate of a type of reaction on some grains over that on the standard ones."""
    standard = STANDARD_GRAIN
    section = grain.relative_section
    factors = {
        "CRPHOT": (1.0 - standard.albedo) / (1.0 - grain.albedo),
        "DESOH2": section * grain.h2_yield / standard.h2_yield,
        "DESCR": section * grain.cr_yield / standard.cr_yield,
        "DEUVCR": section * grain.uv_yield / standard.uv_yield,
        "GAR": grain.dust_to_gas / standard.dust_to_gas,
        **dict.fromkeys(("FREEZE", "H2FORM", "ER", "ERDES"), section),
        **dict.fromkeys(("LH", "LHDES"), standard.monolayer / grain.monolayer),
    }
    return factors.get(kind, 1.0)


def _within(row: Row, active: ActiveRange) -> Row:
    """Return a row with the temperatures at which it counts."""
    start, end, lowest, highest = active
    return replace(row, t_min=start, t_max=end, fit_min=lowest, fit_max=highest)


def _thermal_speed(species: NetworkSpecies) -> float:
    """Return the mean thermal speed without the factor sqrt(T) [cm s^-1 K^-1/2]."""
    return math.sqrt(8.0 * BOLTZMANN / (math.pi * ATOMIC_MASS * species.mass))


def _route(reaction: Reaction) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return what an LH row and its LHDES twin have in common."""
    kind = _DESORBING.get(reaction.kind, reaction.kind)
    return kind, reaction.reactants, tuple(sorted(name.lstrip("#@") for name in reaction.products))
