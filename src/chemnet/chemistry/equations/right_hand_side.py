"""Right-hand side and Jacobian, compiled once for all networks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.equations.structure import THIRD_REACTANT, Equations, SignedSum
from chemnet.chemistry.rates.constants import LAYER_TRANSMISSION
from chemnet.chemistry.rates.table import N_FACTORS, Factor
from chemnet.compiling import UNCOUNTED, compiled, inner

SURFACE_FLOOR = 1e-30
"""Least abundance of ice that a flux is divided by."""
ELECTRON_LIMIT = 1e-14
"""Below this abundance of electrons ions stop freezing out: no electron is left to neutralise them."""
_LOG_TRANSMISSION = math.log(LAYER_TRANSMISSION)

_PER_SURFACE = Factor.PER_SURFACE.value
_BULK_EXPOSED = Factor.BULK_EXPOSED.value
_SWAP = Factor.SWAP.value
_BULK_PHOTON = Factor.BULK_PHOTON.value
_TOP_LAYERS = Factor.TOP_LAYERS.value
_TOP_LAYERS_SQUARED = Factor.TOP_LAYERS_SQUARED.value

Array = NDArray[np.float64]


@compiled
def derivatives(equations: Equations, k: Array, y: Array, rate: Array) -> None:
    """Fill `rate` with dy/dt [s^-1].

    Parameters
    ----------
    equations
        The compiled network.
    k
        Coefficients from `rate_coefficients`, shape (n_reactions,).
    y
        Abundances, shape (n,).
    rate
        Output, shape (n + 4,); what follows the species is T and Y.
    """
    x, _, f = _state(equations, k, y)
    flux = np.empty(k.size)
    _fill_fluxes(equations, k, x, f, flux)
    _sum_terms(equations.flow, flux, rate)
    if equations.n_border == 4:
        _shift_layers(equations, y, rate)


@compiled
def reaction_fluxes(equations: Equations, k: Array, y: Array, flux: Array, shift: Array) -> None:
    """Fill the flux of each reaction and the ice that moves between surface and bulk [s^-1].

    Parameters
    ----------
    equations, k, y
        As for `derivatives`, whose result the two add up to.
    flux
        Output, shape (n_reactions,).
    shift
        Output, shape (n + 4,): what each species gains as layers are buried or uncovered.
    """
    x, _, f = _state(equations, k, y)
    _fill_fluxes(equations, k, x, f, flux)
    shift[:] = 0.0
    if equations.n_border == 4:
        shift[equations.n + 3] = _surface_gain(equations, flux)
        _shift_layers(equations, y, shift)


@compiled
def production_and_loss(
    equations: Equations, k: Array, y: Array, below: float, production: Array, loss: Array
) -> None:
    """Fill production and loss of each scarce species by reactions [s^-1], without the shift of layers.

    Parameters
    ----------
    equations, k, y
        As for `derivatives`.
    below
        Only species that are no more abundant are looked at.
    production, loss
        Output, shape (n,).
    """
    x, _, f = _state(equations, k, y)
    flux = np.empty(k.size)
    _fill_fluxes(equations, k, x, f, flux)
    _sum_scarce(equations.flow, flux, y, below, production, loss)


@inner(**UNCOUNTED)
def _sum_scarce(sums: SignedSum, flux: Array, y: Array, below: float, production: Array, loss: Array) -> None:
    """Evaluate both parts of the sums of scarce species."""
    for i in range(y.size):
        if y[i] <= below:
            made, lost = 0.0, 0.0
            for p in range(sums.start[i], sums.turn[i]):
                made += flux[sums.terms[p]]
            for p in range(sums.turn[i], sums.start[i + 1]):
                lost += flux[sums.terms[p]]
            production[i], loss[i] = made, lost


@compiled
def jacobian(equations: Equations, k: Array, y: Array, values: Array) -> None:
    """Fill the values of the bordered Jacobian.

    Rows below n hold the derivatives of dy/dt by abundances and border unknowns; row n + b those of the
    expression that defines border unknown b.

    Parameters
    ----------
    equations, k, y
        As for `derivatives`.
    values
        Output, one per entry of the pattern.
    """
    x, dx, f = _state(equations, k, y)
    derivative = np.empty(2 * k.size + equations.further.shape[0])
    _fill_flux_derivatives(equations, k, x, dx, f, derivative)
    _sum_terms(equations.assembly, derivative, values)
    for place in equations.ones:
        values[place] = 1.0
    if equations.n_border == 4:
        flux = derivative[: k.size]
        _fill_fluxes(equations, k, x, f, flux)
        _add_layer_shift(equations, y, _surface_gain(equations, flux), values)


@inner(**UNCOUNTED, fastmath={"reassoc", "contract"})
def _sum_terms(sums: SignedSum, terms: Array, output: Array) -> None:
    for e in range(sums.n_copied):
        output[e] = terms[sums.terms[e]]
    simple = sums.n_copied + sums.n_negated
    for e in range(sums.n_copied, simple):
        output[e] = -terms[sums.terms[e]]
    for e in range(simple, sums.turn.size):
        total = 0.0
        for p in range(sums.start[e], sums.turn[e]):
            total += terms[sums.terms[p]]
        for p in range(sums.turn[e], sums.start[e + 1]):
            total -= terms[sums.terms[p]]
        output[e] = total


@inner(**UNCOUNTED)
def _total(y: Array, members: NDArray[np.int32]) -> float:
    """Return the sum over the members, at least the floor."""
    total = 0.0
    for i in members:
        total += y[i]
    return max(total, SURFACE_FLOOR)


@inner
def _state(equations: Equations, k: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return the extended state (species, 1, electron limiter), its derivatives by species, and the factors.

    The factors come with their derivatives by S, B and T, shape (4, n_factors).
    """
    n = equations.n
    x, dx, f = np.ones(n + 2), np.ones(n + 2), np.zeros((4, N_FACTORS))
    for i in range(n):
        x[i] = y[i]
    dx[n] = 0.0
    if equations.electron >= 0:
        electrons = y[equations.electron]
        if electrons > 0.0:
            x[n + 1] = electrons / (electrons + ELECTRON_LIMIT)
            dx[n + 1] = ELECTRON_LIMIT / (electrons + ELECTRON_LIMIT) ** 2
        else:
            x[n + 1], dx[n + 1] = electrons / ELECTRON_LIMIT, 1.0 / ELECTRON_LIMIT
    f[0, 0] = 1.0
    surface = _total(y, equations.surface)
    if equations.n_border == 4:
        three_phase_factors(surface, _total(y, equations.bulk), equations.monolayer, f)
        swap = 0.0
        for r in range(equations.n_swap):
            swap += k[r] * x[equations.reactants[0, r]]
        swap *= f[0, _BULK_EXPOSED]
        f[0, _SWAP], f[1, _SWAP], f[3, _SWAP] = swap / surface, -swap / surface**2, 1.0 / surface
    else:
        two_phase_factors(surface, equations.monolayer, f)
    return x, dx, f


@inner(**UNCOUNTED)
def three_phase_factors(surface: float, bulk: float, monolayer: float, f: Array) -> None:
    """Fill the factors of a network with bulk ice."""
    f[0, _PER_SURFACE] = 1.0 / surface
    f[1, _PER_SURFACE] = -1.0 / surface**2
    layers = max(bulk / monolayer, 1.0)
    f[0, _BULK_EXPOSED] = 1.0 / layers
    f[0, _BULK_PHOTON] = LAYER_TRANSMISSION ** (1.0 + 0.5 * layers)
    if layers > 1.0:
        f[2, _BULK_EXPOSED] = -monolayer / bulk**2
        f[2, _BULK_PHOTON] = f[0, _BULK_PHOTON] * _LOG_TRANSMISSION * 0.5 / monolayer


@inner(**UNCOUNTED)
def two_phase_factors(surface: float, monolayer: float, f: Array) -> None:
    """Fill the smooth factors of a network whose ice is one phase: only its two top layers take part."""
    top = 2.0 * monolayer
    f[0, _PER_SURFACE] = 1.0 / (surface + top)
    f[1, _PER_SURFACE] = -1.0 / (surface + top) ** 2
    f[0, _TOP_LAYERS] = top / (surface + top)
    f[1, _TOP_LAYERS] = -top / (surface + top) ** 2
    f[0, _TOP_LAYERS_SQUARED] = f[0, _TOP_LAYERS] ** 2
    f[1, _TOP_LAYERS_SQUARED] = 2.0 * f[0, _TOP_LAYERS] * f[1, _TOP_LAYERS]


@inner(**UNCOUNTED)
def _fill_fluxes(equations: Equations, k: Array, x: Array, f: Array, flux: Array) -> None:
    """Fill the flux of each reaction [s^-1]."""
    for r in range(k.size):
        flux[r] = k[r] * x[equations.reactants[0, r]] * x[equations.reactants[1, r]]
    for r in equations.scaled:
        flux[r] *= f[0, equations.reactants[3, r]]
    for r in equations.ternary:
        flux[r] *= x[equations.reactants[2, r]]


@inner(**UNCOUNTED)
def _fill_flux_derivatives(
    equations: Equations, k: Array, x: Array, dx: Array, f: Array, derivative: Array
) -> None:
    """Fill the derivatives of the fluxes by first and second reactant, then the further ones."""
    m = k.size
    for r in range(m):
        a, b = equations.reactants[0, r], equations.reactants[1, r]
        derivative[r] = k[r] * dx[a] * x[b]
        derivative[m + r] = k[r] * x[a] * dx[b]
    for r in equations.scaled:
        derivative[r] *= f[0, equations.reactants[3, r]]
        derivative[m + r] *= f[0, equations.reactants[3, r]]
    for r in equations.ternary:
        derivative[r] *= x[equations.reactants[2, r]]
        derivative[m + r] *= x[equations.reactants[2, r]]
    for position in range(equations.further.shape[0]):
        r, slot = equations.further[position]
        bare = k[r] * x[equations.reactants[0, r]] * x[equations.reactants[1, r]]
        if slot == THIRD_REACTANT:
            derivative[2 * m + position] = bare * f[0, equations.reactants[3, r]]
        else:
            derivative[2 * m + position] = (
                bare * x[equations.reactants[2, r]] * f[1 + slot, equations.reactants[3, r]]
            )


@inner(**UNCOUNTED)
def _surface_gain(equations: Equations, flux: Array) -> float:
    """Return the net gain Y of the surface before layers shift [s^-1]."""
    sums, row = equations.flow, equations.n + 3
    gain = 0.0
    for p in range(sums.start[row], sums.turn[row]):
        gain += flux[sums.terms[p]]
    for p in range(sums.turn[row], sums.start[row + 1]):
        gain -= flux[sums.terms[p]]
    return gain


@inner(**UNCOUNTED)
def _shift_layers(equations: Equations, y: Array, rate: Array) -> None:
    """Move ice between surface and bulk as the surface as a whole gains or loses (Garrod & Pauly 2011)."""
    gain = rate[equations.n + 3]
    larger = max(_total(y, equations.surface), _total(y, equations.bulk))
    layer_gain = 0.5 / equations.monolayer
    for s in range(equations.surface.size):
        top, low = equations.surface[s], equations.under[s]
        buried = gain * layer_gain * y[top] if gain >= 0.0 else gain * y[low] / larger
        rate[top] -= buried
        rate[low] += buried


@inner
def _add_layer_shift(equations: Equations, y: Array, gain: float, values: Array) -> None:
    """Add the derivatives of the layer shift by #i, @i, Y, S and B."""
    surface, bulk = _total(y, equations.surface), _total(y, equations.bulk)
    larger = max(surface, bulk)
    by = np.zeros(5)
    layer_gain = 0.5 / equations.monolayer
    for s in range(equations.surface.size):
        top, low = equations.surface[s], equations.under[s]
        if gain >= 0.0:
            by[0], by[2] = gain * layer_gain, layer_gain * y[top]
        else:
            by[1], by[2] = gain / larger, y[low] / larger
            by[3 if surface > bulk else 4] = -gain * y[low] / larger**2
        for column in range(5):
            values[equations.shift[s, column]] -= by[column]
            values[equations.shift[s, column + 5]] += by[column]
