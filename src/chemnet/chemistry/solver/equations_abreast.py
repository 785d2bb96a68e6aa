"""Right-hand side and Jacobian of eight cells side by side, each in a lane of the vector registers.

Number i of cell c stands at `LANES * i + c` in every array here. The formulae are those of
`right_hand_side`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.equations.right_hand_side import (
    ELECTRON_LIMIT,
    SURFACE_FLOOR,
    three_phase_factors,
    two_phase_factors,
)
from chemnet.chemistry.equations.structure import THIRD_REACTANT, Equations, SignedSum
from chemnet.chemistry.rates.table import N_FACTORS, Factor
from chemnet.chemistry.solver.vectors import (
    LANES,
    aligned_zeros,
    everywhere,
    load,
    minus,
    plus,
    store,
    times,
    zeros,
)
from chemnet.compiling import UNCOUNTED, inner

_BULK_EXPOSED = Factor.BULK_EXPOSED.value
_SWAP = Factor.SWAP.value
_SIGNS = 6

Array = NDArray[np.float64]


class Abreast(NamedTuple):
    """Eight states and what follows from them.

    Parameters
    ----------
    k
        Coefficients, n_reactions each.
    x, slope
        Species, 1 and the electron limiter; derivatives of each by the species that it depends on.
    factor
        The factors, then their derivatives by S, B and T.
    terms
        Fluxes; later derivatives of fluxes, in the order of `Equations.assembly`.
    rate
        Right-hand side, n + 4.
    values
        Jacobian, n_entries.
    shift
        What the shift of layers is proportional to: rate by #i and by @i; their slopes by Y; by S and by B.
    factor_of_one
        Work space for the factors of one cell, shape (4, n_factors).
    """

    k: Array
    x: Array
    slope: Array
    factor: Array
    terms: Array
    rate: Array
    values: Array
    shift: Array
    factor_of_one: Array


def allocate_abreast(equations: Equations) -> Abreast:
    """Return space for eight states; a thread needs its own."""
    n_reactions = equations.reactants.shape[1]
    return Abreast(
        k=aligned_zeros(LANES * n_reactions),
        x=_ones(LANES * (equations.n + 2)),
        slope=_ones(LANES * (equations.n + 2)),
        factor=aligned_zeros(LANES * 4 * N_FACTORS),
        terms=aligned_zeros(LANES * (2 * n_reactions + len(equations.further))),
        rate=aligned_zeros(LANES * (equations.n + 4)),
        values=aligned_zeros(LANES * equations.n_entries),
        shift=aligned_zeros(LANES * _SIGNS),
        factor_of_one=np.zeros((4, N_FACTORS)),
    )


def _ones(size: int) -> Array:
    """Return ones that begin where a cache line does."""
    room = aligned_zeros(size)
    room[:] = 1.0
    return room


@inner(**UNCOUNTED)
def derivatives_abreast(equations: Equations, abreast: Abreast) -> None:
    """Fill the right-hand sides [s^-1] of the states `x`; the Jacobian needs them."""
    for cell in range(LANES):
        _fill_state(equations, abreast, cell)
    _fill_fluxes(equations, abreast)
    _sum_terms(equations.flow, abreast.terms, abreast.rate)
    if equations.n_border == 4:
        for cell in range(LANES):
            _fill_shift(equations, abreast, cell)
        _shift_layers(equations, abreast)


@inner(**UNCOUNTED)
def jacobian_abreast(equations: Equations, abreast: Abreast) -> None:
    """Fill the values of the Jacobians where the right-hand sides have been evaluated."""
    _fill_flux_derivatives(equations, abreast)
    _sum_terms(equations.assembly, abreast.terms, abreast.values)
    for place in equations.ones:
        store(abreast.values, LANES * np.int64(place), everywhere(1.0))
    if equations.n_border == 4:
        _add_layer_shift(equations, abreast)


@inner(**UNCOUNTED)
def _total(x: Array, members: NDArray[np.int32], cell: int) -> float:
    """Return the sum over the members, at least the floor."""
    total = 0.0
    for i in members:
        total += x[LANES * i + cell]
    return max(total, SURFACE_FLOOR)


@inner(**UNCOUNTED)
def _fill_state(equations: Equations, abreast: Abreast, cell: int) -> None:
    """Fill what one cell's abundances decide: electron limiter and factors, with their derivatives."""
    n, x, f = equations.n, abreast.x, abreast.factor_of_one
    abreast.slope[LANES * n + cell] = 0.0
    if equations.electron >= 0:
        electrons, limiter = x[LANES * equations.electron + cell], LANES * (n + 1) + cell
        x[limiter], abreast.slope[limiter] = electrons / ELECTRON_LIMIT, 1.0 / ELECTRON_LIMIT
        if electrons > 0.0:
            x[limiter] = electrons / (electrons + ELECTRON_LIMIT)
            abreast.slope[limiter] = ELECTRON_LIMIT / (electrons + ELECTRON_LIMIT) ** 2
    for row in range(4):
        for column in range(N_FACTORS):
            f[row, column] = 0.0
    f[0, 0] = 1.0
    surface = _total(x, equations.surface, cell)
    if equations.n_border == 4:
        three_phase_factors(surface, _total(x, equations.bulk, cell), equations.monolayer, f)
        swap = 0.0
        for r in range(equations.n_swap):
            swap += abreast.k[LANES * r + cell] * x[LANES * np.int64(equations.reactants[0, r]) + cell]
        swap *= f[0, _BULK_EXPOSED]
        f[0, _SWAP], f[1, _SWAP], f[3, _SWAP] = swap / surface, -swap / surface**2, 1.0 / surface
    else:
        two_phase_factors(surface, equations.monolayer, f)
    for row in range(4):
        for column in range(N_FACTORS):
            abreast.factor[LANES * (row * N_FACTORS + column) + cell] = f[row, column]


@inner(**UNCOUNTED)
def _reactant(equations: Equations, slot: int, r: int) -> int:
    """Return where a reactant's numbers begin."""
    place: int = LANES * np.int64(equations.reactants[slot, r])  # type: ignore[assignment]
    return place


@inner(**UNCOUNTED)
def _fill_fluxes(equations: Equations, abreast: Abreast) -> None:
    """Fill the flux of each reaction [s^-1]."""
    x, flux = abreast.x, abreast.terms
    for r in range(equations.reactants.shape[1]):
        one, other = load(x, _reactant(equations, 0, r)), load(x, _reactant(equations, 1, r))
        store(flux, LANES * r, times(times(load(abreast.k, LANES * r), one), other))
    for scaled in equations.scaled:
        place = LANES * np.int64(scaled)
        factor = load(abreast.factor, _reactant(equations, 3, np.int64(scaled)))
        store(flux, place, times(load(flux, place), factor))
    for ternary in equations.ternary:
        place = LANES * np.int64(ternary)
        third = load(x, _reactant(equations, 2, np.int64(ternary)))
        store(flux, place, times(load(flux, place), third))


@inner(**UNCOUNTED)
def _fill_flux_derivatives(equations: Equations, abreast: Abreast) -> None:
    """Fill the derivatives of the fluxes by first and second reactant, then the further ones."""
    x, slope, terms, m = abreast.x, abreast.slope, abreast.terms, equations.reactants.shape[1]
    for r in range(m):
        a, b = _reactant(equations, 0, r), _reactant(equations, 1, r)
        k = load(abreast.k, LANES * r)
        store(terms, LANES * r, times(times(k, load(slope, a)), load(x, b)))
        store(terms, LANES * (m + r), times(times(k, load(x, a)), load(slope, b)))
    for part in (0, m):
        for scarce in equations.scaled:
            place = LANES * (part + np.int64(scarce))
            factor = load(abreast.factor, _reactant(equations, 3, np.int64(scarce)))
            store(terms, place, times(load(terms, place), factor))
        for scarce in equations.ternary:
            place = LANES * (part + np.int64(scarce))
            third = load(x, _reactant(equations, 2, np.int64(scarce)))
            store(terms, place, times(load(terms, place), third))
    for position in range(equations.further.shape[0]):
        reaction, slot = np.int64(equations.further[position, 0]), equations.further[position, 1]
        one, other = load(x, _reactant(equations, 0, reaction)), load(x, _reactant(equations, 1, reaction))
        bare = times(times(load(abreast.k, LANES * reaction), one), other)
        factor = _reactant(equations, 3, reaction)
        if slot == THIRD_REACTANT:
            bare = times(bare, load(abreast.factor, factor))
        else:
            bare = times(bare, load(x, _reactant(equations, 2, reaction)))
            bare = times(bare, load(abreast.factor, LANES * N_FACTORS * (1 + slot) + factor))
        store(terms, LANES * (2 * m + position), bare)


@inner(**UNCOUNTED)
def _sum_terms(sums: SignedSum, terms: Array, output: Array) -> None:
    for e in range(sums.n_copied):
        store(output, LANES * e, load(terms, LANES * np.int64(sums.terms[e])))
    simple = sums.n_copied + sums.n_negated
    for e in range(sums.n_copied, simple):
        store(output, LANES * e, minus(zeros(), load(terms, LANES * np.int64(sums.terms[e]))))
    for e in range(simple, sums.turn.size):
        total = zeros()
        for p in range(sums.start[e], sums.turn[e]):
            total = plus(total, load(terms, LANES * np.int64(sums.terms[p])))
        for p in range(sums.turn[e], sums.start[e + 1]):
            total = minus(total, load(terms, LANES * np.int64(sums.terms[p])))
        store(output, LANES * e, total)


@inner(**UNCOUNTED)
def _fill_shift(equations: Equations, abreast: Abreast, cell: int) -> None:
    """Fill what the shift of one cell's layers is proportional to (Garrod & Pauly 2011)."""
    gain, shift = abreast.rate[LANES * (equations.n + 3) + cell], abreast.shift
    surface, bulk = _total(abreast.x, equations.surface, cell), _total(abreast.x, equations.bulk, cell)
    larger, layer_gain = max(surface, bulk), 0.5 / equations.monolayer
    for sign in range(_SIGNS):
        shift[LANES * sign + cell] = 0.0
    if gain >= 0.0:
        shift[cell], shift[2 * LANES + cell] = gain * layer_gain, layer_gain
    else:
        shift[LANES + cell], shift[3 * LANES + cell] = gain / larger, 1.0 / larger
        shift[(4 if surface > bulk else 5) * LANES + cell] = -gain / larger**2


@inner(**UNCOUNTED)
def _shift_layers(equations: Equations, abreast: Abreast) -> None:
    """Move ice between surface and bulk as the surface as a whole gains or loses."""
    x, rate, shift = abreast.x, abreast.rate, abreast.shift
    for s in range(equations.surface.size):
        top, low = LANES * np.int64(equations.surface[s]), LANES * np.int64(equations.under[s])
        buried = plus(times(load(shift, 0), load(x, top)), times(load(shift, LANES), load(x, low)))
        store(rate, top, minus(load(rate, top), buried))
        store(rate, low, plus(load(rate, low), buried))


@inner(**UNCOUNTED)
def _add_layer_shift(equations: Equations, abreast: Abreast) -> None:
    """Add the derivatives of the layer shift by #i, @i, Y, S and B."""
    x, shift, values = abreast.x, abreast.shift, abreast.values
    for s in range(equations.surface.size):
        top = load(x, LANES * np.int64(equations.surface[s]))
        low = load(x, LANES * np.int64(equations.under[s]))
        by_gain = plus(times(load(shift, 2 * LANES), top), times(load(shift, 3 * LANES), low))
        _add_slope(equations, s, 0, load(shift, 0), values)
        _add_slope(equations, s, 1, load(shift, LANES), values)
        _add_slope(equations, s, 2, by_gain, values)
        _add_slope(equations, s, 3, times(load(shift, 4 * LANES), low), values)
        _add_slope(equations, s, 4, times(load(shift, 5 * LANES), low), values)


@inner(**UNCOUNTED)
def _add_slope(equations: Equations, s: int, column: int, slope: float, values: Array) -> None:
    """Take a slope from row #i and add it to row @i."""
    place = LANES * np.int64(equations.shift[s, column])
    store(values, place, minus(load(values, place), slope))
    place = LANES * np.int64(equations.shift[s, column + 5])
    store(values, place, plus(load(values, place), slope))
