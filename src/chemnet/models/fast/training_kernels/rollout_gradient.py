"""Kernels of training on a CPU: a rollout over all its steps, and its gradient through time.

Shapes: B cells (a multiple of a vector's length), T steps, F of a step's forcing, L latents, K layers.

    z' = z + r f([forcing, z])                                            residual: r is a gate
    (c, k) = f([forcing, z]),  z' = c + (z - c) exp(-r softplus(k))       relaxing: r is a relative time step

Cells are the last axis of everything: BLAS is fastest so, and every loop between its products is one over
whole vectors. Each layer is given a row of ones below its inputs, so that biases are a column of the
matrices, in products and in gradients. What enters the layers is kept for some steps side by side (a chunk):
the weights' gradients are one product per layer and chunk.

All of a perceptron is in flat memory. Its layout `(K, 5)` holds for each layer: the number of its inputs,
ones included, and of its outputs, and where its matrix, what enters it, and its activations' slopes begin.
"""

from __future__ import annotations

import numpy as np

from chemnet.compiling import inner_kernel, kernel
from chemnet.models.fast.training_kernels.activations import activate_with_slope, remaining_distance
from chemnet.models.fast.training_kernels.elementary import F

# rows of cells that loops with a factor per cell go over at a time: long enough for vectors
_ROWS = 8


@inner_kernel
def _matrix(flat, first, n_rows, n_columns):
    """Return a part of flat memory as a matrix."""
    return flat[first : first + n_rows * n_columns].reshape(n_rows, n_columns)


@inner_kernel
def _keep(rows, chunk, place):
    """Copy rows `(n, B)` to the columns of a step in a chunk `(n, columns)`."""
    for r in range(rows.shape[0]):
        kept, row = chunk[r, place : place + rows.shape[1]], rows[r]
        for cell in range(row.shape[0]):
            kept[cell] = row[cell]


@inner_kernel
def _clear_end(entering, layout, n_steps, chunk, columns):
    """Fill the last chunk with zeros, where it has more columns than there are steps."""
    if n_steps % chunk == 0:
        return
    for k in range(layout.shape[0]):
        size = layout[k, 0] * columns
        at = layout[k, 3] + (n_steps // chunk) * size
        entering[at : at + size] = F(0.0)


@inner_kernel
def _repeated(values, out):
    """Repeat values of cells for `_ROWS` rows."""
    n = values.shape[0]
    for r in range(_ROWS):
        out[r * n : (r + 1) * n] = values


@inner_kernel
def _relax(latents, answer, relative, kept, by_rate):
    """Move latents towards targets, and write what the gradient needs; of one axis, targets before rates."""
    # few arrays in each loop, or the compiler makes no vector instructions
    n, size = latents.shape[0], relative.shape[0]
    targets, rates = answer[:n], answer[n:]
    for first in range(0, n, size):
        rate, remains, slope = (
            rates[first : first + size],
            kept[first : first + size],
            by_rate[first : first + size],
        )
        for j in range(rate.shape[0]):
            left, logistic = remaining_distance(rate[j], relative[j])
            remains[j] = left
            slope[j] = left * relative[j] * logistic
    for j in range(n):
        apart = targets[j] - latents[j]
        latents[j] = targets[j] - apart * kept[j]
        by_rate[j] *= apart


@inner_kernel
def _add_scaled(latents, answer, gates):
    """Add a change times the gates to latents, of one axis."""
    size = gates.shape[0]
    for first in range(0, latents.shape[0], size):
        after, change = latents[first : first + size], answer[first : first + size]
        for j in range(after.shape[0]):
            after[j] += gates[j] * change[j]


@inner_kernel
def _run_layers(code, matrices, layout, chunk, step, work, entering, slopes, answer):
    """Compute the answer `(n_out, B)` to a step's inputs, which `work` begins with; keep what layers take."""
    n_layers, n_cells = layout.shape[0], answer.shape[1]
    columns, at_work = chunk * n_cells, 0
    for k in range(n_layers):
        n_in, n_out, at_matrix, at_entering, at_slopes = layout[k]
        values = _matrix(work, at_work, n_in, n_cells)
        at_work += n_in * n_cells
        kept = _matrix(entering, at_entering + step // chunk * n_in * columns, n_in, columns)
        _keep(values, kept, step % chunk * n_cells)
        matrix = _matrix(matrices, at_matrix, n_out, n_in)
        if k + 1 == n_layers:
            np.dot(matrix, values, answer)
        else:
            size, at = n_out * n_cells, at_slopes + step * n_out * n_cells
            np.dot(matrix, values, _matrix(work, at_work, n_out, n_cells))
            activate_with_slope(work[at_work : at_work + size], slopes[at : at + size], code)


@inner_kernel
def _clamp(latents, limits):
    """Clamp latents `(L, B)` to least and most `(2, L)`."""
    for j in range(latents.shape[0]):
        row, least, most = latents[j], limits[0, j], limits[1, j]
        for cell in range(row.shape[0]):
            row[cell] = min(max(row[cell], least), most)


@kernel
def roll_with_slopes(
    relaxes, code, matrices, layout, limits, start, forcing, steps, chunk, entering, slopes, moves, out
):
    """Roll out cells, keeping what the gradient needs.

    Parameters
    ----------
    relaxes, code
        Whether the step is a relaxation, and the activation of the hidden layers.
    matrices, layout
        The perceptron; matrices `(n_out, n_in)`.
    limits
        Least and most that latents are clamped to, `(2, L)`.
    start, forcing, steps
        `(L, B)`, `(T, F, B)`, and r `(T, B)`.
    chunk
        Steps that are kept side by side.
    entering
        What enters each layer, `(chunks, n_in, chunk B)`, written; 0 beyond the last step.
    slopes
        Those of each hidden layer `(T, n_out, B)`, written.
    moves
        For relaxations what remains of a distance, and dz'/dk: `(T, 2, L B)`, written.
    out
        Latents after each step `(cells, T, L)`, written for as many cells as it has.
    """
    n_steps, n_forcing, n_cells = forcing.shape
    n_latents, n_layers = start.shape[0], layout.shape[0]
    # the rows below each layer's inputs stay ones
    work = np.ones(np.sum(layout[:, 0]) * n_cells, F)
    answer = np.empty((layout[n_layers - 1, 1], n_cells), F)
    repeated = np.empty(_ROWS * n_cells, F)
    first = _matrix(work, 0, layout[0, 0], n_cells)
    latents = first[n_forcing : n_forcing + n_latents]
    latents[:] = start
    _clear_end(entering, layout, n_steps, chunk, chunk * n_cells)
    for i in range(n_steps):
        first[:n_forcing] = forcing[i]
        _run_layers(code, matrices, layout, chunk, i, work, entering, slopes, answer)
        _repeated(steps[i], repeated)
        if relaxes:
            _relax(latents.reshape(-1), answer.reshape(-1), repeated, moves[i, 0], moves[i, 1])
        else:
            _add_scaled(latents.reshape(-1), answer.reshape(-1), repeated)
        _clamp(latents, limits)
        for cell in range(out.shape[0]):
            after = out[cell, i]
            for j in range(n_latents):
                after[j] = latents[j, cell]


@inner_kernel
def _through_move(relaxes, flow, gates, moves, above):
    """Write the gradient of the last layer from that of latents, which becomes what passes the layers by."""
    n, size = flow.shape[0], gates.shape[0]
    if relaxes:
        by_target, above_rate, kept, by_rate = above[:n], above[n:], moves[0], moves[1]
        for j in range(n):
            above_rate[j] = flow[j] * by_rate[j]
        for j in range(n):
            passed = flow[j] * kept[j]
            by_target[j] = flow[j] - passed
            flow[j] = passed
        return
    for first in range(0, n, size):
        change, given = above[first : first + size], flow[first : first + size]
        for j in range(given.shape[0]):
            change[j] = gates[j] * given[j]


@inner_kernel
def _add(total, values):
    """Add values to a total, of one axis."""
    for j in range(total.shape[0]):
        total[j] += values[j]


@inner_kernel
def _back_through_layers(matrices, layout, chunk, step, above, other, leaving, slopes, by_latents):
    """Compute the gradient of a step's latents `(L, B)` from that of its answer, which `above` begins with.

    The gradients of the layers' outputs are kept in `leaving`; `above` and `other` are used up.
    """
    n_layers, n_cells = layout.shape[0], by_latents.shape[1]
    columns, at_leaving = chunk * n_cells, leaving.shape[0]
    for k in range(n_layers - 1, -1, -1):
        n_out, at_matrix = layout[k, 1], layout[k, 2]
        given = _matrix(above, 0, n_out, n_cells)
        at_leaving -= n_out * columns
        _keep(given, _matrix(leaving, at_leaving, n_out, columns), step % chunk * n_cells)
        if k == 0:
            np.dot(_matrix(matrices, at_matrix, by_latents.shape[0], n_out), given, by_latents)
        else:
            width = layout[k - 1, 1]
            size, at = width * n_cells, layout[k - 1, 4] + step * width * n_cells
            np.dot(_matrix(matrices, at_matrix, width, n_out), given, _matrix(other, 0, width, n_cells))
            below, slope = other[:size], slopes[at : at + size]
            for j in range(size):
                below[j] *= slope[j]
            above, other = other, above


@inner_kernel
def _add_products(layout, at_chunk, columns, leaving, entering, product, by_matrices):
    """Add a chunk's gradients of the matrices."""
    at_leaving = 0
    for k in range(layout.shape[0]):
        n_in, n_out, at_matrix, at_entering, _ = layout[k]
        above = _matrix(leaving, at_leaving, n_out, columns)
        below = _matrix(entering, at_entering + at_chunk * n_in * columns, n_in, columns)
        np.dot(above, below.T, _matrix(product, at_matrix, n_out, n_in))
        at_leaving += n_out * columns
    _add(by_matrices, product)


@kernel
def roll_back(
    relaxes, matrices, layout, steps, chunk, entering, slopes, moves, gradient, by_matrices, by_start
):
    """Go back through the steps of `roll_with_slopes`.

    Parameters
    ----------
    relaxes, layout, steps, chunk, entering, slopes, moves
        As there.
    matrices
        `(n_in, n_out)`, where the layout says, without the rows of biases and forcing.
    gradient
        Of the latents after each step `(cells, T, L)`.
    by_matrices, by_start
        Gradients of the matrices `(n_out, n_in)` and of the start `(L, B)`, written.
    """
    n_steps, n_cells = steps.shape
    columns, n_latents, widest = chunk * n_cells, by_start.shape[0], np.max(layout[:, 1])
    # gradients of the layers' outputs for the steps of a chunk; 0 beyond the last step
    leaving = np.zeros(np.sum(layout[:, 1]) * columns, F)
    above, other = np.empty(widest * n_cells, F), np.empty(widest * n_cells, F)
    by_latents = np.empty((n_latents, n_cells), F)
    product, repeated = np.empty_like(by_matrices), np.empty(_ROWS * n_cells, F)
    by_matrices[:] = F(0.0)
    by_start[:] = F(0.0)
    for i in range(n_steps - 1, -1, -1):
        for cell in range(gradient.shape[0]):
            given = gradient[cell, i]
            for j in range(n_latents):
                by_start[j, cell] += given[j]
        _repeated(steps[i], repeated)
        _through_move(relaxes, by_start.reshape(-1), repeated, moves[i], above)
        _back_through_layers(matrices, layout, chunk, i, above, other, leaving, slopes, by_latents)
        _add(by_start.reshape(-1), by_latents.reshape(-1))
        if i % chunk == 0:
            _add_products(layout, i // chunk, columns, leaving, entering, product, by_matrices)
