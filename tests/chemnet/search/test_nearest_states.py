"""Exact search finds what measuring every distance finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.search import nearest_states
from chemnet.search.nearest_states import nearest_rows, squared_distances


@settings(max_examples=60)
@given(
    n=st.integers(1, 60),
    dim=st.integers(1, 6),
    k=st.integers(1, 70),
    block=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_the_nearest_are_those_of_a_full_sort(n, dim, k, block, seed):
    rng = np.random.default_rng(seed)
    vectors, query = rng.random((n, dim), dtype=np.float32), rng.random(dim)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_states, "_BLOCK", block)
        rows, distances = nearest_rows(vectors, query, k)
    full = np.linalg.norm(vectors.astype(float) - query, axis=1)
    assert rows.tolist() == np.argsort(full, kind="stable")[:k].tolist()
    np.testing.assert_allclose(distances, np.sort(full)[:k])


def test_near_twins_are_told_apart():
    base = np.full(14, 0.7, dtype=np.float32)
    twins = base + np.arange(30)[::-1, None].astype(np.float32) * np.float32(1e-6)
    rows, distances = nearest_rows(twins, base, 3)
    assert rows.tolist() == [29, 28, 27]
    assert distances[0] == 0.0


def test_squared_distances_of_a_memory_map(tmp_path):
    vectors = np.random.default_rng(0).random((50, 4), dtype=np.float32)
    np.save(tmp_path / "v.npy", vectors)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    np.testing.assert_allclose(
        squared_distances(mapped, vectors[3]), ((vectors - vectors[3]) ** 2).sum(axis=1), rtol=1e-5
    )
