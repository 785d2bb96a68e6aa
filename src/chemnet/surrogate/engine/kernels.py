"""Compiled kernels of the CPU: a perceptron, and rollouts of the emulators that are made of one.

Shapes: B cells, T rows of a history, R wanted rows, P physical parameters, D of what drives a step, L latents.

All of it is one file, since Numba keeps compiled functions until their own file changes. Matrix products are
those of BLAS; everything between them is done in one pass by elementary functions that the compiler turns into
vector instructions, which libm's are not. They are good to a few units in the last place of float32.

A perceptron is three arrays, see `chemnet.surrogate.engine.packing`: its matrices `(n_in, n_out)` one after another,
its biases, each repeated for `BIAS_ROWS` rows (so that rows of any width make whole vectors), and a layout: the
number of layers, their widths, the codes of their activations, and whether a matrix from the inputs to the outputs
follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

# how often each bias is repeated, and the fewest rows that are worth a call of BLAS, which packs the matrix first
BIAS_ROWS, FEWEST_FOR_BLAS = 8, 4
# rows that are encoded or decoded together: their hidden layers stay in the cache
ROWS_AT_ONCE = 256
ACTIVATION_CODES = {"none": 0, "gelu": 1, "silu": 2, "relu": 3, "tanh": 4}
RESIDUAL, RELAXING = 0, 1
# shortest relative time step that the logarithm tells apart; as in chemnet.models.time_step
SHORTEST_STEP = 1e-6
_LOG2_10 = np.float32(np.log2(10.0))
_LOG10_2 = np.float32(np.log10(2.0))
_LOG2_E = np.float32(np.log2(np.e))
F, _I = np.float32, np.int32


def _kernel(**options: Any) -> Callable[..., Any]:
    """Return a decorator that compiles to vector code, and keeps it on disk."""
    return njit(cache=True, nogil=True, fastmath=True, error_model="numpy", **options)


def _part(function: Callable[..., Any]) -> Any:
    """Compile what only kernels call."""
    return _kernel(no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


@_part
def _exp2(x):
    """2^x for |x| <= 126: a Taylor polynomial on [-1/2, 1/2] times a power of two made of its bits."""
    x = min(max(x, F(-126.0)), F(126.0))
    whole = np.floor(x + F(0.5))
    f = x - whole
    f2 = f * f
    low = (F(1.0) + F(0.6931471805599453) * f) + (F(0.2402265069591007) + F(0.0555041086648216) * f) * f2
    high = (F(0.009618129107628477) + F(0.0013333558146428443) * f) + F(0.00015403530393381608) * f2
    return (low + high * (f2 * f2)) * _I((_I(whole) + _I(127)) << _I(23)).view(F)


@_part
def _log2(x):
    """log2 of a positive number: its exponent, and an artanh series in its mantissa in [1/sqrt 2, sqrt 2)."""
    bits = F(x).view(_I)
    exponent = _I(_I(bits - _I(0x3F3504F3)) >> _I(23))
    mantissa = _I(bits - _I(exponent << _I(23))).view(F)
    s = (mantissa - F(1.0)) / (mantissa + F(1.0))
    q = s * s
    series = F(1.0) + q * (F(1.0 / 3.0) + q * (F(0.2) + q * (F(1.0 / 7.0) + q * F(1.0 / 9.0))))
    return F(exponent) + F(2.8853900817779268) * s * series


@_part
def _erf_half(x):
    """erf(x / sqrt 2) / 2, by the rational minimax approximation of Eigen's erf, with the factors drawn in."""
    x = min(max(x, F(-5.656854249492381)), F(5.656854249492381))
    q = x * x
    q2 = q * q
    low = (F(0.398942254539802) + F(0.03661506797952034) * q) + (
        F(0.004554209307118366) + F(0.00017636187818949488) * q
    ) * q2
    high = (F(3.254634397810506e-06) + F(-2.1459904745651184e-08) * q) + F(1.0557466595229366e-10) * q2
    below = (F(1.0) + F(0.2584459884133409) * q) + (
        F(0.029492775302725233) + F(0.001869768301664804) * q
    ) * q2
    return x * ((low + high * (q2 * q2)) / (below + F(6.38202694858039e-05) * (q2 * q2)))


@_part
def _tanh(x):
    """tanh(x), by the rational minimax approximation of Eigen."""
    x = min(max(x, F(-7.90531110763549805)), F(7.90531110763549805))
    q = x * x
    q2 = q * q
    low = (F(4.89352455891786e-03) + F(6.37261928875436e-04) * q) + (
        F(1.48572235717979e-05) + F(5.12229709037114e-08) * q
    ) * q2
    high = (F(-8.60467152213735e-11) + F(2.00018790482477e-13) * q) + F(-2.76076847742355e-16) * q2
    below = (F(4.89352518554385e-03) + F(2.26843463243900e-03) * q) + (
        F(1.18534705686654e-04) + F(1.19825839466702e-06) * q
    ) * q2
    return x * ((low + high * (q2 * q2)) / below)


@_part
def _activate(values, biases, code):
    """Add biases to values, rows of any number one after another, and replace them by their activation."""
    size = biases.shape[0]
    for first in range(0, values.shape[0], size):
        part = values[first : first + size]
        n = part.shape[0]
        if code == 1:
            for j in range(n):
                x = part[j] + biases[j]
                part[j] = x * (F(0.5) + _erf_half(x))
        elif code == 2:
            for j in range(n):
                x = F(0.5) * (part[j] + biases[j])
                part[j] = x + x * _tanh(x)
        elif code == 3:
            for j in range(n):
                part[j] = max(part[j] + biases[j], F(0.0))
        elif code == 4:
            for j in range(n):
                part[j] = _tanh(part[j] + biases[j])
        else:
            for j in range(n):
                part[j] += biases[j]


@_part
def _product(inputs, matrix, out):
    """Write ``inputs @ matrix``."""
    if inputs.shape[0] >= FEWEST_FOR_BLAS:
        np.dot(inputs, matrix, out)
        return
    for cell in range(inputs.shape[0]):
        row = out[cell]
        row[:] = F(0.0)
        for i in range(matrix.shape[0]):
            x, weights = inputs[cell, i], matrix[i]
            for j in range(matrix.shape[1]):
                row[j] += x * weights[j]


@_part
def _memory(n_rows, layout):
    """Return the memory that a perceptron needs for so many rows."""
    n_layers = layout[0]
    size = 0
    for k in range(n_layers):
        size += layout[2 + k]
    return np.empty(n_rows * (size + layout[1 + n_layers]), F)


@_part
def _perceptron(inputs, matrices, biases, layout, memory):
    """Return the outputs `(rows, n_out)` of inputs `(rows, n_in)`, in a part of the memory."""
    n_rows, n_layers = inputs.shape[0], layout[0]
    current = inputs
    at_matrix, at_bias, at_memory = 0, 0, 0
    for k in range(n_layers):
        n_in, n_out = layout[1 + k], layout[2 + k]
        matrix = matrices[at_matrix : at_matrix + n_in * n_out].reshape(n_in, n_out)
        flat = memory[at_memory : at_memory + n_rows * n_out]
        outputs = flat.reshape(n_rows, n_out)
        _product(current, matrix, outputs)
        _activate(flat, biases[at_bias : at_bias + BIAS_ROWS * n_out], layout[2 + n_layers + k])
        current = outputs
        at_matrix, at_bias = at_matrix + n_in * n_out, at_bias + BIAS_ROWS * n_out
        at_memory += n_rows * n_out
    if layout[2 + 2 * n_layers]:
        n_in, n_out = layout[1], layout[1 + n_layers]
        matrix = matrices[at_matrix : at_matrix + n_in * n_out].reshape(n_in, n_out)
        flat = memory[at_memory : at_memory + n_rows * n_out]
        _product(inputs, matrix, flat.reshape(n_rows, n_out))
        current.reshape(-1)[:] += flat
    return current


@_part
def _write_drive(given, physical, dt, row, terms, limits, usual, logarithms):
    """Write what drives the step from a row into the first columns of what the network is given."""
    n_cells, n_physical = given.shape[0], limits.shape[0]
    for p in range(n_physical):
        low, high = limits[p, 0], limits[p, 1]
        for cell in range(n_cells):
            value = _log2(physical[cell, row, p]) * _LOG10_2
            logarithms[p, cell] = min(max(value, low), high)
    for d in range(terms.shape[0]):
        first, second = logarithms[int(terms[d, 0])], logarithms[int(terms[d, 2])]
        factor, weight, power = terms[d, 1], terms[d, 3], terms[d, 4] * _LOG2_10
        least, centre = terms[d, 5], terms[d, 7]
        if weight == F(0.0):
            for cell in range(n_cells):
                given[cell, d] = factor * first[cell] - centre
        elif terms[d, 6] == F(0.0):
            for cell in range(n_cells):
                value = factor * first[cell] + weight * _exp2(power * second[cell])
                given[cell, d] = max(value, least) - centre
        else:
            for cell in range(n_cells):
                value = factor * first[cell] + weight * _exp2(power * second[cell])
                given[cell, d] = _exp2(max(value, least) * _LOG2_E) - centre
    if usual > 0.0:
        for cell in range(n_cells):
            relative = F(max(dt[cell, row] / usual, SHORTEST_STEP))
            given[cell, terms.shape[0]] = _log2(relative) * _LOG10_2


@_part
def _keep(rates, relative, is_variable):
    """Replace rates k by what a relaxation keeps of the distance, ``exp(-relative softplus(k))``."""
    if is_variable:
        for j in range(rates.shape[0]):
            grown = F(1.0) + _exp2(rates[j] * _LOG2_E)
            rates[j] = _exp2(-relative * _log2(grown))
    else:
        for j in range(rates.shape[0]):
            # with relative = 1 it is a logistic function
            rates[j] = F(0.5) - F(0.5) * _tanh(F(0.5) * rates[j])


@_part
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


@_kernel()
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
        Range that log10 of each parameter is held in, `(P, 2)`.
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
    n_drive = terms.shape[0] + (1 if usual > 0.0 else 0)
    given = np.empty((n_cells, n_drive + n_latents), F)
    logarithms = np.empty((limits.shape[0], n_cells), F)
    memory = _memory(n_cells, layout)
    latents = given[:, n_drive:]
    for j in range(n_latents):
        latents[:, j] = (start[:, j] - ranges[2, j]) / ranges[3, j]
    wanted = 0
    if rows[0] == 0:
        out[:, 0] = start
        wanted = 1
    for row in range(rows[-1]):
        _write_drive(given, physical, dt, row, terms, limits, usual, logarithms)
        answer = _perceptron(given, matrices, biases, layout, memory)
        _move(kind, given, answer, dt, row, usual, ranges)
        if rows[wanted] == row + 1:
            for cell in range(n_cells):
                for j in range(n_latents):
                    out[cell, wanted, j] = ranges[2, j] + latents[cell, j] * ranges[3, j]
            wanted += 1


@_part
def _gates(seen, memory, new_products, old_products, dt, row, usual):
    """Renew the memory `(B, M)` by a gated recurrent unit, of its products `(B, 3 M)` with both matrices."""
    n_cells, width = memory.shape
    for cell in range(n_cells):
        relative = F(dt[cell, row] / usual) if usual > 0.0 else F(1.0)
        gate = min(F(2.0) * relative / (F(1.0) + relative), F(1.0))
        new, old = new_products[cell], old_products[cell]
        for j in range(width):
            reset = F(0.5) + F(0.5) * _tanh(F(0.5) * (new[j] + old[j]))
            update = F(0.5) + F(0.5) * _tanh(F(0.5) * (new[width + j] + old[width + j]))
            candidate = _tanh(new[2 * width + j] + reset * old[2 * width + j])
            memory[cell, j] += gate * (F(1.0) - update) * (candidate - memory[cell, j])
        seen[cell, :width] = memory[cell]


@_kernel()
def roll_recurrent(
    look, new, old, head, terms, limits, ranges, usual, start, memory_start, physical, dt, rows, out, memory_out
):
    """Carry cells with a memory along their histories; see `chemnet.models.latent_rnn`.

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
    n_drive = terms.shape[0] + (1 if usual > 0.0 else 0)
    width = memory_start.shape[1]
    given = np.empty((n_cells, n_drive + n_latents), F)
    logarithms = np.empty((limits.shape[0], n_cells), F)
    seen = np.empty((n_cells, width + n_latents), F)
    memory = memory_start.copy()
    spaces = (
        _memory(n_cells, look[2]),
        _memory(n_cells, new[2]),
        _memory(n_cells, old[2]),
        _memory(n_cells, head[2]),
    )
    latents = given[:, n_drive:]
    for j in range(n_latents):
        latents[:, j] = (start[:, j] - ranges[2, j]) / ranges[3, j]
    wanted = 0
    if rows[0] == 0:
        out[:, 0], memory_out[:, 0] = start, memory_start
        wanted = 1
    for row in range(rows[-1]):
        _write_drive(given, physical, dt, row, terms, limits, usual, logarithms)
        looked = _perceptron(given, look[0], look[1], look[2], spaces[0])
        by_new = _perceptron(looked, new[0], new[1], new[2], spaces[1])
        by_old = _perceptron(memory, old[0], old[1], old[2], spaces[2])
        seen[:, width:] = latents
        _gates(seen, memory, by_new, by_old, dt, row, usual)
        answer = _perceptron(seen, head[0], head[1], head[2], spaces[3])
        _move(RESIDUAL, given, answer, dt, row, usual, ranges)
        if rows[wanted] == row + 1:
            memory_out[:, wanted] = memory
            for cell in range(n_cells):
                for j in range(n_latents):
                    out[cell, wanted, j] = ranges[2, j] + latents[cell, j] * ranges[3, j]
            wanted += 1


@_kernel()
def unscale(scaled, decades, out):
    """Write abundances of scaled ones, both of one axis and held between the floor and 1."""
    for j in range(out.shape[0]):
        out[j] = _exp2((min(max(scaled[j], F(0.0)), F(1.0)) - F(1.0)) * F(decades) * _LOG2_10)


@_kernel()
def decode(latents, matrices, biases, layout, decades, out):
    """Write abundances `(rows, S)` of latents `(rows, L)`; the perceptron gives log2 of them.

    Abundances are held between the floor, so many `decades` below 1, and 1.
    """
    floor = -F(decades) * _LOG2_10
    memory = _memory(min(ROWS_AT_ONCE, len(latents)), layout)
    for first in range(0, len(latents), ROWS_AT_ONCE):
        given, found = latents[first : first + ROWS_AT_ONCE], out[first : first + ROWS_AT_ONCE]
        answer = _perceptron(given, matrices, biases, layout, memory)
        for row in range(found.shape[0]):
            for j in range(found.shape[1]):
                found[row, j] = _exp2(min(max(answer[row, j], floor), F(0.0)))


@_kernel()
def encode(abundances, matrices, biases, layout, decades, out):
    """Write latents `(rows, L)` of abundances `(rows, S)`; the perceptron is given their log2 above the floor's."""
    floor = -F(decades) * _LOG2_10
    n_rows = min(ROWS_AT_ONCE, len(abundances))
    memory, space = _memory(n_rows, layout), np.empty((n_rows, abundances.shape[1]), F)
    for first in range(0, len(abundances), ROWS_AT_ONCE):
        part, found = abundances[first : first + ROWS_AT_ONCE], out[first : first + ROWS_AT_ONCE]
        given = space[: len(part)]
        for row in range(given.shape[0]):
            for j in range(given.shape[1]):
                given[row, j] = min(max(_log2(part[row, j]), floor), F(0.0)) - floor
        answer = _perceptron(given, matrices, biases, layout, memory)
        for row in range(found.shape[0]):
            for j in range(found.shape[1]):
                found[row, j] = answer[row, j]
