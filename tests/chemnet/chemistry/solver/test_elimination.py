"""The static sparse LU solves what a dense solver solves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.chemistry.solver.elimination import (
    allocate_factors,
    factorise,
    plan_elimination,
    solve_factorised,
)


def solve(
    rows: np.ndarray, columns: np.ndarray, values: np.ndarray, c: float, n: int, b: np.ndarray
) -> np.ndarray:
    """Solve (I - C J) x = b by the sparse factors."""
    plan = plan_elimination(rows.astype(np.int32), columns.astype(np.int32), len(b), len(b) - n)
    factors = allocate_factors(plan)
    factorise(plan, values, c, n, factors)
    x = b.copy()
    solve_factorised(plan, factors, x)
    return x


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, 40),
    density=st.floats(0.0, 0.4),
    n_border=st.integers(0, 4),
)
def test_any_pattern_is_solved_like_a_dense_matrix(
    seed: int, size: int, density: float, n_border: int
) -> None:
    rng = np.random.default_rng(seed)
    n = max(size - n_border, 1)
    rows, columns = np.nonzero(rng.random((size, size)) < density)
    values = rng.uniform(-1.0, 1.0, len(rows)) / (2.0 * size)
    matrix = np.zeros((size, size))
    matrix[rows, columns] = values
    scale = np.where(np.arange(size) < n, 1.5, 1.0)
    b = rng.normal(size=size)
    expected = np.linalg.solve(np.eye(size) - scale[:, None] * matrix, b)
    np.testing.assert_allclose(solve(rows, columns, values, 1.5, n, b), expected, rtol=1e-10, atol=1e-12)


def test_the_border_is_eliminated_last() -> None:
    plan = plan_elimination(np.array([0, 4], np.int32), np.array([4, 0], np.int32), 5, n_border=2)
    assert set(plan.order[-2:].tolist()) == {3, 4}


def test_factors_can_be_reused_for_another_matrix() -> None:
    rows, columns = np.array([0, 1, 1], np.int32), np.array([1, 0, 1], np.int32)
    plan = plan_elimination(rows, columns, 2)
    factors = allocate_factors(plan)
    for values in (np.array([0.5, 0.25, -3.0]), np.array([0.0, 0.1, 2.5])):
        factorise(plan, values, 1.0, 2, factors)
        x = np.array([1.0, 2.0])
        solve_factorised(plan, factors, x)
        matrix = np.array([[1.0, -values[0]], [-values[1], 1.0 - values[2]]])
        assert matrix @ x == pytest.approx([1.0, 2.0])
