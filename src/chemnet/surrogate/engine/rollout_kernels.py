"""Kernels of the CPU: rollouts of the emulators that are made of perceptrons.

Shapes: B cells, T rows of a history, R wanted rows, P physical parameters, D forcing features,
L latents, M units of memory.
"""

from __future__ import annotations

import numpy as np

from chemnet.compiling import inner_kernel, kernel
from chemnet.models.fast.training_kernels.activations import remaining_distance
from chemnet.models.fast.training_kernels.elementary import LOG2_10, LOG2_E, LOG10_2, F, exp2, log2, tanh
from chemnet.surrogate.engine.perceptron_kernels import memory_for, run_perceptron

RESIDUAL, RELAXING = 0, 1
# shortest relative time step that the logarithm tells apart; as in chemnet.models.emulators.time_step
SHORTEST_STEP = 1e-6


@inner_kernel
def _write_forcing(given, physical, dt, row, terms, limits, usual, logarithms):
    """Write the forcing of the step from a row into the first columns of what the network is given.

    A cell with a parameter or a time step that is not finite and positive becomes NaN, and stays so.
    """
    n_cells, n_physical = given.shape[0], limits.shape[0]
    for p in range(n_physical):
        low, high = limits[p, 0], limits[p, 1]
        for cell in range(n_cells):
            value = log2(physical[cell, row, p]) * LOG10_2
            logarithms[p, cell] = min(max(value, low), high)
    for d in range(terms.shape[0]):
        first, second = logarithms[int(terms[d, 0])], logarithms[int(terms[d, 2])]
        factor, weight, power = terms[d, 1], terms[d, 3], terms[d, 4] * LOG2_10
        least, centre = terms[d, 5], terms[d, 7]
        if weight == F(0.0):
            for cell in range(n_cells):
                given[cell, d] = factor * first[cell] - centre
        elif terms[d, 6] == F(0.0):
            for cell in range(n_cells):
                value = factor * first[cell] + weight * exp2(power * second[cell])
                given[cell, d] = max(value, least) - centre
        else:
            for cell in range(n_cells):
                value = factor * first[cell] + weight * exp2(power * second[cell])
                given[cell, d] = exp2(max(value, least) * LOG2_E) - centre
    if usual > 0.0:
        for cell in range(n_cells):
            relative = F(max(dt[cell, row] / usual, SHORTEST_STEP))
            given[cell, terms.shape[0]] = log2(relative) * LOG10_2
    # the logarithm above makes a number of anything, and its range a plausible one
    for cell in range(n_cells):
        sound = 0.0 < dt[cell, row] < np.inf
        for p in range(n_physical):
            sound = sound and 0.0 < physical[cell, row, p] < np.inf
        if not sound:
            given[cell, :] = F(np.nan)


@inner_kernel
def _keep(rates, relative, is_variable):
    """Replace rates k by what a relaxation keeps of the distance, ``exp(-relative softplus(k))``."""
    if is_variable:
        for j in range(rates.shape[0]):
            rates[j] = remaining_distance(rates[j], relative)[0]
    else:
        for j in range(rates.shape[0]):
            # with relative = 1 it is a logistic function
            rates[j] = F(0.5) - F(0.5) * tanh(F(0.5) * rates[j])


@inner_kernel
def _move(kind, given, answer, dt, row, usual, ranges):
    """Replace the latents, the last columns of what the network was given, by those after the step."""
    n_cells, n_latents = given.shape[0], ranges.shape[1]
    first = given.shape[1] - n_latents
    for cell in range(n_cells):
        relative = F(dt[cell, row] / usual) if usual > 0.0 else F(1.0)
        latents, change = given[cell, first:], answer[cell]
        if kind == RESIDUAL:
            gate = F(2.0) * relative / (F(1.0) + relative)
            for j in range(n_latents):
                latents[j] = min(max(latents[j] + gate * change[j], ranges[0, j]), ranges[1, j])
        else:
            # targets, then rates, each filled up to whole vectors
            half = change.shape[0] // 2
            rates = change[half:]
            _keep(rates, relative, usual > 0.0)
            for j in range(n_latents):
                after = change[j] + (latents[j] - change[j]) * rates[j]
                latents[j] = min(max(after, ranges[0, j]), ranges[1, j])


@kernel
def roll(kind, matrices, biases, layout, terms, limits, ranges, usual, start, physical, dt, rows, out):
    """Carry cells along their histories.

    Parameters
    ----------
    kind
        ``RESIDUAL`` or ``RELAXING``.
    matrices, biases, layout
        The perceptron.
    terms
        Features of the physical parameters less their centres, `(D, 8)`; see `chemnet.surrogate.engine.plan`.
    limits
        Range that log10 of each parameter is clamped to, `(P, 2)`.
    ranges
        Least and most of standardised latents, their centre and width, `(4, L)`.
    usual
        Time step that others are measured by [yr]; 0 where the network is not shown any.
    start
        Latents `(B, L)`.
    physical, dt
        `(B, T, P)` in their own units and `(B, T - 1)` [yr], float64.
    rows
        Wanted rows, ascending.
    out
        Latents of these rows `(B, R, L)`, written.
    """
    n_cells, n_latents = start.shape
    n_forcing = terms.shape[0] + (1 if usual > 0.0 else 0)
    given = np.empty((n_cells, n_forcing + n_latents), F)
    logarithms = np.empty((limits.shape[0], n_cells), F)
    memory = memory_for(n_cells, layout)
    latents = given[:, n_forcing:]
    for j in range(n_latents):
        latents[:, j] = (start[:, j] - ranges[2, j]) / ranges[3, j]
    wanted = 0
    if rows[0] == 0:
        out[:, 0] = start
        wanted = 1
    for row in range(rows[-1]):
        _write_forcing(given, physical, dt, row, terms, limits, usual, logarithms)
        answer = run_perceptron(given, matrices, biases, layout, memory)
        _move(kind, given, answer, dt, row, usual, ranges)
        if rows[wanted] == row + 1:
            for cell in range(n_cells):
                for j in range(n_latents):
                    out[cell, wanted, j] = ranges[2, j] + latents[cell, j] * ranges[3, j]
            wanted += 1


@inner_kernel
def _gates(seen, memory, new_products, old_products, dt, row, usual):
    """Renew the memory `(B, M)` by a gated recurrent unit, of its products `(B, 3 M)` with both matrices."""
    n_cells, width = memory.shape
    for cell in range(n_cells):
        relative = F(dt[cell, row] / usual) if usual > 0.0 else F(1.0)
        gate = min(F(2.0) * relative / (F(1.0) + relative), F(1.0))
        new, old = new_products[cell], old_products[cell]
        for j in range(width):
            reset = F(0.5) + F(0.5) * tanh(F(0.5) * (new[j] + old[j]))
            update = F(0.5) + F(0.5) * tanh(F(0.5) * (new[width + j] + old[width + j]))
            candidate = tanh(new[2 * width + j] + reset * old[2 * width + j])
            memory[cell, j] += gate * (F(1.0) - update) * (candidate - memory[cell, j])
        seen[cell, :width] = memory[cell]


@kernel
def roll_recurrent(
    look,
    new,
    old,
    head,
    terms,
    limits,
    ranges,
    usual,
    start,
    memory_start,
    physical,
    dt,
    rows,
    out,
    memory_out,
):
    """Carry cells with a memory along their histories; see `chemnet.models.emulators.steps.recurrent`.

    Parameters
    ----------
    look, new, old, head
        Perceptrons (matrices, biases, layout): what looks at the inputs, the two products of the gated
        recurrent unit, and what changes the latents.
    terms, limits, ranges, usual, start, physical, dt, rows, out
        As for `roll`.
    memory_start, memory_out
        Memory `(B, M)` at the start, and `(B, R, M)` in the wanted rows, written.
    """
    n_cells, n_latents = start.shape
    n_forcing = terms.shape[0] + (1 if usual > 0.0 else 0)
    width = memory_start.shape[1]
    given = np.empty((n_cells, n_forcing + n_latents), F)
    logarithms = np.empty((limits.shape[0], n_cells), F)
    seen = np.empty((n_cells, width + n_latents), F)
    memory = memory_start.copy()
    spaces = (
        memory_for(n_cells, look[2]),
        memory_for(n_cells, new[2]),
        memory_for(n_cells, old[2]),
        memory_for(n_cells, head[2]),
    )
    latents = given[:, n_forcing:]
    for j in range(n_latents):
        latents[:, j] = (start[:, j] - ranges[2, j]) / ranges[3, j]
    wanted = 0
    if rows[0] == 0:
        out[:, 0], memory_out[:, 0] = start, memory_start
        wanted = 1
    for row in range(rows[-1]):
        _write_forcing(given, physical, dt, row, terms, limits, usual, logarithms)
        looked = run_perceptron(given, look[0], look[1], look[2], spaces[0])
        by_new = run_perceptron(looked, new[0], new[1], new[2], spaces[1])
        by_old = run_perceptron(memory, old[0], old[1], old[2], spaces[2])
        seen[:, width:] = latents
        _gates(seen, memory, by_new, by_old, dt, row, usual)
        answer = run_perceptron(seen, head[0], head[1], head[2], spaces[3])
        _move(RESIDUAL, given, answer, dt, row, usual, ranges)
        if rows[wanted] == row + 1:
            memory_out[:, wanted] = memory
            for cell in range(n_cells):
                for j in range(n_latents):
                    out[cell, wanted, j] = ranges[2, j] + latents[cell, j] * ranges[3, j]
            wanted += 1
