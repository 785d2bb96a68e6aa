"""Kernels of the CPU: perceptrons, alone and between abundances and latents.

Shapes: S species, L latents.

Matrix products are those of BLAS; what is between them is done in one pass. A perceptron is three
arrays (`chemnet.surrogate.engine.perceptron_arrays`): its matrices `(n_in, n_out)` one after another;
its biases, each repeated for `BIAS_ROWS` rows, so that rows of any width make whole vectors; and a
layout: the number of layers, their widths, the codes of their activations, and whether a matrix from
the inputs to the outputs follows.
"""

from __future__ import annotations

import numpy as np

from chemnet.compiling import inner_kernel, kernel
from chemnet.models.fast.training_kernels.blocks import FEWEST_FOR_BLAS
from chemnet.models.fast.training_kernels.elementary import LOG2_10, F, erf_half, exp2, log2, tanh

BIAS_ROWS = 8
# rows that are encoded or decoded together: their hidden layers stay in the cache
ROWS_AT_ONCE = 256


@inner_kernel
def _activate(values, biases, code):
    """Add biases to values, rows of any number one after another, and replace them by their activation."""
    size = biases.shape[0]
    for first in range(0, values.shape[0], size):
        part = values[first : first + size]
        n = part.shape[0]
        if code == 1:
            for j in range(n):
                x = part[j] + biases[j]
                part[j] = x * (F(0.5) + erf_half(x))
        elif code == 2:
            for j in range(n):
                x = F(0.5) * (part[j] + biases[j])
                part[j] = x + x * tanh(x)
        elif code == 3:
            for j in range(n):
                part[j] = max(part[j] + biases[j], F(0.0))
        elif code == 4:
            for j in range(n):
                part[j] = tanh(part[j] + biases[j])
        else:
            for j in range(n):
                part[j] += biases[j]


@inner_kernel
def _product(inputs, matrix, out):
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


@inner_kernel
def memory_for(n_rows, layout):
    """Return the memory that a perceptron needs for a number of rows."""
    n_layers = layout[0]
    size = 0
    for k in range(n_layers):
        size += layout[2 + k]
    return np.empty(n_rows * (size + layout[1 + n_layers]), F)


@inner_kernel
def run_perceptron(inputs, matrices, biases, layout, memory):
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


@kernel
def unscale(scaled, decades, out):
    """Write abundances of scaled ones, both of one axis and held between the floor and 1."""
    for j in range(out.shape[0]):
        out[j] = exp2((min(max(scaled[j], F(0.0)), F(1.0)) - F(1.0)) * F(decades) * LOG2_10)


@kernel
def decode(latents, matrices, biases, layout, decades, out):
    """Write abundances `(rows, S)` of latents `(rows, L)`; the perceptron gives log2 of them.

    Abundances are clipped to the range between the floor, `decades` below 1, and 1.
    """
    floor = -F(decades) * LOG2_10
    memory = memory_for(min(ROWS_AT_ONCE, len(latents)), layout)
    for first in range(0, len(latents), ROWS_AT_ONCE):
        given, found = latents[first : first + ROWS_AT_ONCE], out[first : first + ROWS_AT_ONCE]
        answer = run_perceptron(given, matrices, biases, layout, memory)
        for row in range(found.shape[0]):
            for j in range(found.shape[1]):
                found[row, j] = exp2(min(max(answer[row, j], floor), F(0.0)))


@kernel
def encode(abundances, matrices, biases, layout, decades, out):
    """Write latents `(rows, L)` of abundances `(rows, S)`; the perceptron sees log2 above the floor."""
    floor = -F(decades) * LOG2_10
    n_rows = min(ROWS_AT_ONCE, len(abundances))
    memory, space = memory_for(n_rows, layout), np.empty((n_rows, abundances.shape[1]), F)
    for first in range(0, len(abundances), ROWS_AT_ONCE):
        part, found = abundances[first : first + ROWS_AT_ONCE], out[first : first + ROWS_AT_ONCE]
        given = space[: len(part)]
        for row in range(given.shape[0]):
            for j in range(given.shape[1]):
                given[row, j] = min(max(log2(part[row, j]), floor), F(0.0)) - floor
        answer = run_perceptron(given, matrices, biases, layout, memory)
        for row in range(found.shape[0]):
            for j in range(found.shape[1]):
                found[row, j] = answer[row, j]
