"""A network compiled for integration, and the conditions over one step of a tracer."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.equations import Equations, compile_equations
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates import CompiledReactions, RateTable, compile_reactions, rate_coefficients
from chemnet.chemistry.rates.table import Formula
from chemnet.chemistry.solver.elimination import Elimination, plan_elimination
from chemnet.chemistry.solver.quirks import Switches
from chemnet.compiling import compiled, inner

Array = NDArray[np.float64]


class Problem(NamedTuple):
    """What compiled code needs of a network: rates, equations and the plan for the linear algebra."""

    rates: RateTable
    equations: Equations
    plan: Elimination


class Forcing(NamedTuple):
    """Physical conditions over one step of a tracer: at its start, at its end, and its length [s]."""

    start: Array
    end: Array
    expressions_start: Array
    expressions_end: Array
    duration: float
    varies: bool
    c_abundance: float
    cr_yield: float


@dataclass(frozen=True)
class CompiledNetwork:
    """A network ready for integration.

    Parameters
    ----------
    problem
        The part that compiled code sees.
    switches
        What UCLCHEM switches, if its quirks are on.
    invariants
        Weights of the totals that every reaction conserves, elements and charge, shape (n_species,
        n_invariants).
    watched
        Weights of the element totals that some row of the network breaks, shape (n_species, n_watched).
    """

    problem: Problem
    switches: Switches
    invariants: Array
    watched: Array


@functools.lru_cache(maxsize=8)
def compile_network(network: Network, uclchem_compatible: bool) -> CompiledNetwork:
    """Compile `network` for integration; the result is kept for the next call."""
    reactions = compile_reactions(network, uclchem_compatible)
    equations, rows, columns = compile_equations(network, reactions)
    plan = plan_elimination(rows, columns, equations.n + equations.n_border, equations.n_border)
    invariants, watched = _conserved_totals(network, reactions)
    freezing, partners = _freezing_rows(network, reactions)
    names = network.species_names
    switches = Switches(
        compatible=uclchem_compatible,
        carbon=names.index("C") if "C" in names else -1,
        electron=equations.electron,
        surface=equations.surface,
        evaporating=np.flatnonzero(reactions.formulae == Formula.EVAPORATION),
        freezing=freezing,
        partners=partners,
        freezes=reactions.reactants[freezing, 0].astype(np.int64),
    )
    return CompiledNetwork(Problem(reactions.rates, equations, plan), switches, invariants, watched)


def _conserved_totals(network: Network, reactions: CompiledReactions) -> tuple[Array, Array]:
    """Return the totals that all rows conserve, and the element totals that some row breaks."""
    totals = np.column_stack([network.stoichiometry, network.charges])
    change = np.zeros((len(reactions.changes), len(network.species)))
    for r, counts in enumerate(reactions.changes):
        change[r, list(counts)] = list(counts.values())
    kept = np.abs(change @ totals).max(axis=0, initial=0.0) == 0.0
    present = np.abs(totals).max(axis=0, initial=0.0) > 0.0
    return totals[:, kept & present].copy(), network.stoichiometry[:, ~kept[:-1]].copy()


def _freezing_rows(
    network: Network, reactions: CompiledReactions
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows = [network.reactions[source] for source in reactions.sources]
    leaving = {
        one.products: r for r, one in enumerate(rows) if one.kind == "THERM" and one.reactants[0][0] == "#"
    }
    pairs = [
        (r, leaving[one.reactants])
        for r, one in enumerate(rows)
        if one.kind == "FREEZE" and one.reactants in leaving
    ]
    freezing, partners = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    return freezing, partners


@compiled
def set_coefficients(rates: RateTable, forcing: Forcing, elapsed: float, k: Array) -> None:
    """Fill `k` for the moment `elapsed` seconds into the step."""
    share = elapsed / forcing.duration if forcing.varies else 0.0
    conditions = _between(forcing.start, forcing.end, share)
    expressions = _between(forcing.expressions_start, forcing.expressions_end, share)
    rate_coefficients(rates, conditions, forcing.c_abundance, forcing.cr_yield, expressions, k)


@inner
def _between(start: Array, end: Array, share: float) -> Array:
    values = np.empty(start.size)
    for i in range(start.size):
        values[i] = start[i] + share * (end[i] - start[i])
    return values
