"""LU factors of a dense matrix without pivoting, in blocks of 8 x 8 that stay in vector registers.

Block (I, J) of the matrix is 64 numbers in a row, at `block_at`: row by row on and above the diagonal. Below
it the multipliers of L stand column by column, so that the rows of a block are lanes of a vector. The matrix
is filled up to whole blocks with ones on the diagonal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.solver.vectors import (
    LANES,
    less,
    less_product,
    load,
    scaled,
    store,
    total,
    transpose,
    zeros,
)
from chemnet.compiling import UNCOUNTED, inner

Array = NDArray[np.float64]
BLOCK = LANES * LANES


def block_count(size: int) -> int:
    """Return how many blocks the side of a matrix takes."""
    return -(-size // LANES)


@inner(**UNCOUNTED)
def block_at(blocks: int, i: int, j: int) -> int:
    """Return where block (i, j) begins, of a matrix whose side takes `blocks`."""
    return (i * blocks + j) * BLOCK


@inner(**UNCOUNTED)
def store_row(a: Array, blocks: int, row: int, values: Array, first: int) -> None:
    """Move one row, `values` from `first` on, into the matrix, and leave zeros."""
    place = block_at(blocks, row // LANES, 0) + row % LANES * LANES
    for j in range(blocks):
        store(a, place + j * BLOCK, load(values, first + j * LANES))
        store(values, first + j * LANES, zeros())


@inner(**UNCOUNTED)
def fill_up(a: Array, blocks: int, size: int) -> None:
    """Write the rows beyond `size`."""
    for row in range(size, blocks * LANES):
        place = block_at(blocks, row // LANES, 0) + row % LANES * LANES
        for j in range(blocks):
            store(a, place + j * BLOCK, zeros())
        a[place + row // LANES * BLOCK + row % LANES] = 1.0


@inner(**UNCOUNTED)
def factorise_blocks(a: Array, blocks: int, inverse_pivot: Array) -> None:
    """Factorise in place; the inverse pivots have whole blocks, too."""
    for k in range(blocks):
        corner = block_at(blocks, k, k)
        _factorise_corner(a, corner, inverse_pivot, k * LANES)
        for j in range(k + 1, blocks):
            _solve_lower(a, corner, block_at(blocks, k, j))
        for i in range(k + 1, blocks):
            multipliers = block_at(blocks, i, k)
            transpose(a, multipliers)
            _divide_by_upper(a, corner, multipliers, inverse_pivot, k * LANES)
            for j in range(k + 1, blocks):
                _subtract_product(a, block_at(blocks, i, j), multipliers, block_at(blocks, k, j))


@inner(**UNCOUNTED)
def _factorise_corner(a: Array, corner: int, inverse_pivot: Array, first: int) -> None:
    for i in range(LANES):
        for k in range(i):
            multiplier = a[corner + i * LANES + k] * inverse_pivot[first + k]
            a[corner + i * LANES + k] = multiplier
            for j in range(k + 1, LANES):
                a[corner + i * LANES + j] -= multiplier * a[corner + k * LANES + j]
        inverse_pivot[first + i] = 1.0 / a[corner + i * LANES + i]


@inner(**UNCOUNTED)
def _solve_lower(a: Array, corner: int, block: int) -> None:
    """Multiply a block by the inverse of the corner's L from the left."""
    for i in range(LANES):
        row = load(a, block + i * LANES)
        for k in range(i):
            row = less(row, a[corner + i * LANES + k], load(a, block + k * LANES))
        store(a, block + i * LANES, row)


@inner(**UNCOUNTED)
def _divide_by_upper(a: Array, corner: int, block: int, inverse_pivot: Array, first: int) -> None:
    """Multiply a block, which stands column by column, by the inverse of the corner's U from the right."""
    for k in range(LANES):
        column = load(a, block + k * LANES)
        for other in range(k):
            column = less(column, a[corner + other * LANES + k], load(a, block + other * LANES))
        store(a, block + k * LANES, scaled(column, inverse_pivot[first + k]))


@inner(**UNCOUNTED)
def _subtract_product(a: Array, c: int, m: int, r: int) -> None:
    """Subtract from block `c` the product of `m`, which stands column by column, and `r`."""
    c0, c1, c2, c3 = load(a, c), load(a, c + 8), load(a, c + 16), load(a, c + 24)
    c4, c5, c6, c7 = load(a, c + 32), load(a, c + 40), load(a, c + 48), load(a, c + 56)
    for k in range(0, BLOCK, LANES):
        row = load(a, r + k)
        c0, c1 = less(c0, a[m + k], row), less(c1, a[m + k + 1], row)
        c2, c3 = less(c2, a[m + k + 2], row), less(c3, a[m + k + 3], row)
        c4, c5 = less(c4, a[m + k + 4], row), less(c5, a[m + k + 5], row)
        c6, c7 = less(c6, a[m + k + 6], row), less(c7, a[m + k + 7], row)
    store(a, c, c0), store(a, c + 8, c1), store(a, c + 16, c2), store(a, c + 24, c3)
    store(a, c + 32, c4), store(a, c + 40, c5), store(a, c + 48, c6), store(a, c + 56, c7)


@inner(**UNCOUNTED)
def solve_blocks(a: Array, blocks: int, inverse_pivot: Array, x: Array, first: int) -> None:
    """Solve in place for the unknowns of `x` from `first` on; as many as whole blocks have."""
    for i in range(blocks):
        place = first + i * LANES
        part = load(x, place)
        for k in range(i):
            block = block_at(blocks, i, k)
            for column in range(LANES):
                part = less(part, x[first + k * LANES + column], load(a, block + column * LANES))
        store(x, place, part)
        corner = block_at(blocks, i, i)
        for row in range(1, LANES):
            for column in range(row):
                x[place + row] -= a[corner + row * LANES + column] * x[place + column]
    for i in range(blocks - 1, -1, -1):
        place, corner = first + i * LANES, block_at(blocks, i, i)
        for row in range(LANES - 1, -1, -1):
            known = zeros()
            for j in range(i + 1, blocks):
                u = load(a, block_at(blocks, i, j) + row * LANES)
                known = less_product(known, u, load(x, first + j * LANES))
            value = x[place + row] + total(known)
            for column in range(row + 1, LANES):
                value -= a[corner + row * LANES + column] * x[place + column]
            x[place + row] = value * inverse_pivot[i * LANES + row]


@inner(**UNCOUNTED)
def solve_transposed_blocks(a: Array, blocks: int, inverse_pivot: Array, x: Array, first: int) -> None:
    """Solve with the transposed matrix, as `solve_blocks` does with the matrix."""
    for i in range(blocks):
        place, corner = first + i * LANES, block_at(blocks, i, i)
        for row in range(LANES):
            value = x[place + row] * inverse_pivot[i * LANES + row]
            x[place + row] = value
            for column in range(row + 1, LANES):
                x[place + column] -= a[corner + row * LANES + column] * value
            for j in range(i + 1, blocks):
                later = first + j * LANES
                u = load(a, block_at(blocks, i, j) + row * LANES)
                store(x, later, less(load(x, later), value, u))
    for i in range(blocks - 1, -1, -1):
        place, corner = first + i * LANES, block_at(blocks, i, i)
        for row in range(LANES - 1, 0, -1):
            for column in range(row):
                x[place + column] -= a[corner + row * LANES + column] * x[place + row]
        part = load(x, place)
        for k in range(i):
            block = block_at(blocks, i, k)
            for column in range(LANES):
                product = less_product(zeros(), load(a, block + column * LANES), part)
                x[first + k * LANES + column] += total(product)
