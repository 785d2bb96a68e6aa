"""Outliers are the states whose k-th neighbour is far away."""

from __future__ import annotations

import numpy as np

from chemnet.search.outliers import outlier_rows


def crowd_with_strangers() -> np.ndarray:
    """Return 40 vectors in a crowd, a pair of friends far from it (rows 40, 41) and a hermit (row 42)."""
    crowd = np.random.default_rng(1).random((40, 3)) * 0.1
    return np.concatenate([crowd, [[5.0, 0, 0], [5.01, 0, 0]], [[0, 3.0, 0]]])


def test_a_state_far_from_all_is_the_first_outlier_unless_it_has_a_neighbour():
    rows, distances = outlier_rows(crowd_with_strangers(), count=1, k=1)
    assert rows.tolist() == [42]
    assert 2.8 < distances[0] < 3.1


def test_a_pair_far_from_all_are_outliers_when_two_neighbours_count():
    rows, distances = outlier_rows(crowd_with_strangers(), count=3, k=2)
    assert set(rows[:2].tolist()) == {40, 41}
    assert rows[2] == 42
    assert (np.diff(distances) <= 0).all()


def test_more_outliers_than_states_are_all_states():
    rows, _ = outlier_rows(np.eye(3), count=10, k=10)
    assert sorted(rows.tolist()) == [0, 1, 2]


def test_a_single_state_has_no_neighbour():
    rows, distances = outlier_rows(np.zeros((1, 2)), count=1, k=5)
    assert (rows.tolist(), distances.tolist()) == ([0], [0.0])
