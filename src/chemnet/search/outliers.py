"""Outliers: states whose nearest neighbours are far away."""

from __future__ import annotations

import numpy as np


def outlier_rows(vectors: np.ndarray, count: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the `count` farthest outliers, farthest first, and their distances.

    The distance is that to the k-th nearest other vector (Ramaswamy, Rastogi & Shim 2000, SIGMOD): a state
    with k near neighbours is no outlier, however odd they all are together.

    Parameters
    ----------
    vectors
        ``(n, L)``.
    count
        How many to return; at most n.
    k
        Which neighbour counts; at most n - 1.

    Returns
    -------
    rows, distances
        ``(count,)`` int64 and float64.
    """
    from scipy.spatial import KDTree

    k = min(k, len(vectors) - 1)
    if k < 1:
        return np.arange(min(count, len(vectors))), np.zeros(min(count, len(vectors)))
    tree = KDTree(np.asarray(vectors, dtype=np.float64))
    # each vector is its own nearest neighbour, hence k + 1
    distances = tree.query(tree.data, k=[k + 1], workers=-1)[0][:, 0]
    order = np.argsort(-distances, kind="stable")[:count]
    return order, distances[order]
