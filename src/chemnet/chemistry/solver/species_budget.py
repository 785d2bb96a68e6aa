"""What forms and destroys a species along a tracer: each reaction's flux, adding up to dx/dt."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.equations import derivatives, reaction_fluxes
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_sums import positions_of
from chemnet.chemistry.rates import compile_reactions
from chemnet.chemistry.rates.expression_values import ExpressionRates
from chemnet.chemistry.rates.table import EXTINCTION
from chemnet.chemistry.solver.problem import CompiledNetwork, Forcing, compile_network, set_coefficients
from chemnet.chemistry.solver.quirks import desorption_yield, is_bare, shielding_carbon, switch_off
from chemnet.chemistry.solver.solve import checked_tracer, with_dust
from chemnet.errors import DataError

Array = NDArray[np.float64]

LAYERS = "layers buried or uncovered as the ice grows or shrinks"
"""Stands among the reactions for the ice that moves between surface and bulk."""


@dataclass(frozen=True)
class SpeciesBudget:
    """The formation and destruction of a species along one tracer.

    Parameters
    ----------
    species
        What was asked for; ``$H2O`` is the ice on the surface and in the bulk together.
    time
        Shape (rows,) [yr].
    abundance
        Shape (rows,), relative to H nuclei.
    reactions
        The n reactions that change it, as text, those with the largest part of formation or destruction
        first; a three-phase network's ice adds `LAYERS`.
    fluxes
        Shape (n, rows): what each adds to dx/dt [s^-1], negative where it destroys.
    derivative
        Shape (rows,): dx/dt as the solver has it [s^-1].
    turnover
        Shape (rows,): sizes of all fluxes of its members together [s^-1]; of ``$H2O``, what its surface and
        bulk exchange is in it and not in `fluxes`. Rounding is a share of this.
    """

    species: str
    time: Array
    abundance: Array
    reactions: tuple[str, ...]
    fluxes: Array
    derivative: Array
    turnover: Array

    @property
    def formation(self) -> Array:
        """All that forms it, shape (rows,) [s^-1]."""
        return np.maximum(self.fluxes, 0.0).sum(axis=0)

    @property
    def destruction(self) -> Array:
        """All that destroys it, shape (rows,), positive [s^-1]."""
        return -np.minimum(self.fluxes, 0.0).sum(axis=0)

    @property
    def imbalance(self) -> Array:
        """log10 of formation over destruction, shape (rows,) [dex]; 0 in balance, NaN without either."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log10(self.formation) - np.log10(self.destruction)
        return np.where(np.isfinite(ratio), ratio, np.nan)

    @property
    def residual(self) -> float:
        """Largest difference of the fluxes' sum from dx/dt, as a share of `turnover`."""
        off = np.abs(self.fluxes.sum(axis=0) - self.derivative)
        return float(np.max(off / np.maximum(self.turnover, 1e-300), initial=0.0))

    def shares(self) -> tuple[Array, Array]:
        """Return each reaction's part of all formation and of all destruction over the rows, (n,) each."""
        made, lost = np.maximum(self.fluxes, 0.0).sum(axis=1), -np.minimum(self.fluxes, 0.0).sum(axis=1)
        return made / max(made.sum(), 1e-300), lost / max(lost.sum(), 1e-300)

    def at(self, row: int) -> SpeciesBudget:
        """Return the budget of one row alone, its reactions in order again."""
        rows = slice(row, row + 1) if row >= 0 else slice(row, row % len(self.time) + 1)
        return _ordered(
            self.species,
            self.time[rows],
            self.abundance[rows],
            self.reactions,
            self.fluxes[:, rows],
            self.derivative[rows],
            self.turnover[rows],
        )


def species_budget(
    network: Network,
    tracer: Mapping[str, ArrayLike],
    abundances: ArrayLike,
    species: str,
    *,
    uclchem_compatible: bool = False,
) -> SpeciesBudget:
    """Return the flux of every reaction that forms or destroys a species, at each row of a tracer.

    Parameters
    ----------
    network, tracer, uclchem_compatible
        As for `Network.solve`; row i has the conditions that drive the step from row i.
    abundances
        Shape (rows, n_species), relative to H nuclei: a solution, or what a surrogate predicts.
    species
        A name in any spelling, or ``$`` and a formula for the ice on the surface and in the bulk together.

    Raises
    ------
    DataError
        If the network has no such species, or tracer and abundances do not fit together.

    Examples
    --------
    >>> network = Network.read("collapse")
    >>> tracer = {"time": [0.0], "Density": [1e4], "Radfield": [1.0], "Av": [5.0], "gasTemp": [10.0]}
    >>> budget = species_budget(network, tracer, np.full((1, len(network.species)), 1e-9), "CO")
    >>> budget.residual < 1e-12
    True
    """
    members = list(positions_of(species, network.species_names))
    time, conditions = checked_tracer(tracer)
    states = np.ascontiguousarray(abundances, dtype=np.float64)
    if states.shape != (len(time), len(network.species)):
        raise DataError(
            f"abundances have shape {states.shape}; the tracer has {len(time)} rows and network "
            f"{network.name!r} {len(network.species)} species",
            hint="give one row per row of the tracer, species in the network's order",
        )
    conditions = with_dust(conditions, network.rate_options.grain.dust_to_gas)
    reactions = _compiled_reactions(network, uclchem_compatible)
    each = np.array([[change.get(one, 0) for one in members] for change in reactions.changes])
    counts, sizes = each.sum(axis=1), np.abs(each).sum(axis=1)
    taking_part = np.flatnonzero(counts)
    # rows that say the same, for two ranges of temperature for one, are one line of the budget
    told = [str(network.reactions[reactions.sources[r]]) for r in taking_part]
    labels, which = np.unique(np.array(told, dtype=str), return_inverse=True)
    fluxes = np.zeros((len(labels) + 1, len(time)))
    derivative, turnover = np.empty(len(time)), np.empty(len(time))
    compiled = compile_network(network, uclchem_compatible)
    for row, (flux, shift, rate) in enumerate(_at_each_row(network, compiled, conditions, states)):
        np.add.at(fluxes[:, row], which, counts[taking_part] * flux[taking_part])
        fluxes[-1, row] = shift[members].sum()
        derivative[row] = rate[members].sum()
        turnover[row] = sizes @ np.abs(flux) + np.abs(shift[members]).sum()
    names = (*map(str, labels), LAYERS)
    return _ordered(species, time, states[:, members].sum(axis=1), names, fluxes, derivative, turnover)


_compiled_reactions = functools.lru_cache(maxsize=2)(compile_reactions)


def _at_each_row(
    network: Network, compiled: CompiledNetwork, conditions: Array, states: Array
) -> Iterator[tuple[Array, Array, Array]]:
    """Yield fluxes, shift of layers and dx/dt row after row; the arrays are filled anew each time."""
    equations, switches = compiled.problem.equations, compiled.switches
    k = np.empty(compiled.problem.rates.integers.shape[1])
    flux, shift, rate = np.empty(k.size), np.empty(equations.n + 4), np.empty(equations.n + 4)
    expressions = ExpressionRates(network, conditions)
    before = np.full(conditions.shape[1], np.nan)
    for row, y in enumerate(states):
        expressions.at(row, y)
        here, rates = conditions[row], expressions.values[row]
        next_av = conditions[min(row + 1, len(states) - 1), EXTINCTION]
        carbon = shielding_carbon(switches, y, here[EXTINCTION], next_av)
        cr_yield = desorption_yield(switches, before, y)
        forcing = Forcing(here, here, rates, rates, 1.0, False, carbon, cr_yield)
        set_coefficients(compiled.problem.rates, forcing, 0.0, k)
        switch_off(switches, y, is_bare(switches, y), k)
        reaction_fluxes(equations, k, y, flux, shift)
        derivatives(equations, k, y, rate)
        yield flux, shift, rate
        before = here


def _ordered(
    species: str,
    time: Array,
    abundance: Array,
    names: tuple[str, ...],
    fluxes: Array,
    derivative: Array,
    turnover: Array,
) -> SpeciesBudget:
    """Return a budget without the reactions that do nothing, those of the largest part first."""
    budget = SpeciesBudget(species, time, abundance, names, fluxes, derivative, turnover)
    part = np.maximum(*budget.shares())
    order = [int(i) for i in np.argsort(-part, kind="stable") if part[i] > 0.0]
    return replace(budget, reactions=tuple(names[i] for i in order), fluxes=fluxes[order])
