"""A network compiled for integration, and the coefficients along one step of a tracer."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from chemnet.chemistry.equations import Equations, compile_equations
from chemnet.chemistry.network import Network
from chemnet.chemistry.rates import RateTable, compile_rates, rate_coefficients
from chemnet.chemistry.sparse_lu import Elimination, plan_elimination

Array = NDArray[np.float64]


class Problem(NamedTuple):
    """Everything about a network that integration needs.

    `carbon` and `electron` are positions or -1. `invariants` (n_species, n_invariants) are the conserved totals:
    elements, and charge where every reaction conserves it; `watched` the element totals that UCLCHEM's rows break
    slightly."""

    table: RateTable
    equations: Equations
    plan: Elimination
    carbon: int
    electron: int
    invariants: Array
    watched: Array
    compatible: bool
    partner: NDArray[np.int32]


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


@functools.lru_cache(maxsize=8)
def compile_problem(network: Network, uclchem_compatible: bool) -> Problem:
    """Compile `network` for integration; the result is kept for the next call."""
    table = compile_rates(network, uclchem_compatible)
    equations = compile_equations(network, table)
    size = equations.n + equations.n_border
    invariants, watched = _conserved_totals(network, table)
    names = network.species_names
    return Problem(
        table=table,
        equations=equations,
        plan=plan_elimination(equations.pattern_row, equations.pattern_column, size, equations.n_border),
        carbon=names.index("C") if "C" in names else -1,
        electron=equations.electron,
        invariants=invariants,
        watched=watched,
        compatible=uclchem_compatible,
        partner=_evaporation_partners(network, table),
    )


def _conserved_totals(network: Network, table: RateTable) -> tuple[Array, Array]:
    """Return the totals that all rows conserve, and the element totals that some row breaks."""
    totals = np.column_stack([network.stoichiometry, network.charges])
    change = np.zeros((table.formula.size, len(network.species)))
    row_of = np.repeat(np.arange(table.formula.size), np.diff(table.stoich_start))
    change[row_of, table.stoich_row] = table.stoich_change
    kept = np.abs(change @ totals).max(axis=0, initial=0.0) == 0.0
    broken = ~kept[:-1]
    return np.ascontiguousarray(totals[:, kept]), np.ascontiguousarray(network.stoichiometry[:, broken])


def _evaporation_partners(network: Network, table: RateTable) -> NDArray[np.int32]:
    """Return, for the rows that freeze a neutral molecule, the row that evaporates it again."""
    kinds = [network.reactions[source] for source in table.source]
    leaving = {
        one.products: r for r, one in enumerate(kinds) if one.kind == "THERM" and one.reactants[0][0] == "#"
    }
    return np.array(
        [leaving.get(one.reactants, -1) if one.kind == "FREEZE" else -1 for one in kinds], np.int32
    )


@njit(cache=True, nogil=True)
def set_coefficients(problem: Problem, forcing: Forcing, elapsed: float, k: Array) -> None:
    """Fill `k` for the moment `elapsed` seconds into the step."""
    share = elapsed / forcing.duration if forcing.varies else 0.0
    conditions = forcing.start + share * (forcing.end - forcing.start)
    expressions = forcing.expressions_start + share * (forcing.expressions_end - forcing.expressions_start)
    rate_coefficients(problem.table, conditions, forcing.c_abundance, forcing.cr_yield, expressions, k)
