"""The loneliest states: those whose nearest neighbours are far away."""

from __future__ import annotations

import numpy as np


def loneliest_rows(vectors: np.ndarray, count: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the `count` loneliest vectors, loneliest first, and their loneliness.

    Loneliness is the distance to the k-th nearest other vector (Ramaswamy, Rastogi & Shim 2000, SIGMOD): a
    state with k near companions is not lonely, however odd they all are together.

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
    rows, loneliness
        ``(count,)`` int64 and float64.
    """
    from scipy.spatial import KDTree

    k = min(k, len(vectors) - 1)
    if k < 1:
        return np.arange(min(count, len(vectors))), np.zeros(min(count, len(vectors)))
    tree = KDTree(np.asarray(vectors, dtype=np.float64))
    # each vector is its own nearest neighbour, hence k + 1
    loneliness = tree.query(tree.data, k=[k + 1], workers=-1)[0][:, 0]
    order = np.argsort(-loneliness, kind="stable")[:count]
    return order, loneliness[order]
