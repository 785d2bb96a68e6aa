"""Exact nearest neighbours in a memory-mapped table of vectors.

Measuring the distance to each of 200,000 vectors of length 14 takes 4 ms and needs no index. A graph index
answers in
1 ms, once its library has been imported and its graph loaded, which takes more than a second; so for a
handful of queries among up to about a million states the exact answer is also the quick one.
"""

from __future__ import annotations

import numpy as np

_BLOCK = 8192  # rows measured at a time, so that intermediate values stay in the processor's cache
_SPARE = 8  # further candidates that are measured again in float64


def nearest_rows(vectors: np.ndarray, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the `k` nearest vectors, nearest first, and their distances.

    Parameters
    ----------
    vectors
        ``(n, L)`` float32, contiguous; may be a memory map.
    query
        ``(L,)``.
    k
        Number of neighbours; at most n are returned.

    Returns
    -------
    rows, distances
        ``(k,)`` int64 and ``(k,)`` float64. Equal distances are ordered by row.
    """
    k = min(k, len(vectors))
    squares = squared_distances(vectors, query)
    wanted = min(len(vectors), k + _SPARE)
    rows = np.argpartition(squares, wanted - 1)[:wanted]
    differences = vectors[rows].astype(np.float64) - np.asarray(query, dtype=np.float64)
    distances = np.linalg.norm(differences, axis=1)
    order = np.lexsort((rows, distances))[:k]
    return rows[order], distances[order]


def squared_distances(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Return ``|v - q|^2`` of every vector, ``(n,)`` float32.

    The differences are squared as they are, not expanded into ``|v|^2 - 2 v.q + |q|^2``: that would be one
    matrix product, but blurs near twins, and the states of a quiet tracer are near twins.
    """
    n, length = vectors.shape
    flat = vectors.reshape(-1)
    # the query, repeated: subtracting flat arrays is twice as fast as broadcasting over rows this short
    repeated = np.tile(np.asarray(query, dtype=np.float32), _BLOCK)
    work, ones = np.empty(_BLOCK * length, dtype=np.float32), np.ones(length, dtype=np.float32)
    squares = np.empty(n, dtype=np.float32)
    for start in range(0, n, _BLOCK):
        rows = min(_BLOCK, n - start)
        size = rows * length
        difference = np.subtract(flat[start * length :][:size], repeated[:size], out=work[:size])
        np.multiply(difference, difference, out=difference)
        np.matmul(difference.reshape(rows, length), ones, out=squares[start : start + rows])
    return squares
