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
    solve_transposed,
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


@settings(max_examples=30)
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


@pytest.mark.parametrize("size", [1, 7, 8, 9, 33, 100])
def test_the_transposed_matrix_is_solved_with_the_same_factors(size: int) -> None:
    rng = np.random.default_rng(size)
    rows, columns = np.nonzero(rng.random((size, size)) < 0.15)
    values = rng.uniform(-1.0, 1.0, len(rows)) / size
    plan = plan_elimination(rows.astype(np.int32), columns.astype(np.int32), size)
    factors = allocate_factors(plan)
    factorise(plan, values, 2.0, size, factors)
    matrix = np.eye(size)
    matrix[rows, columns] -= 2.0 * values
    b = rng.normal(size=size)
    straight, transposed = b.copy(), b.copy()
    solve_factorised(plan, factors, straight)
    solve_transposed(plan, factors, transposed)
    np.testing.assert_allclose(matrix @ straight, b, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(matrix.T @ transposed, b, rtol=1e-11, atol=1e-12)


def test_a_matrix_without_a_solution_leaves_nothing_behind() -> None:
    rng = np.random.default_rng(5)
    rows, columns = (part.astype(np.int32) for part in np.nonzero(rng.random((30, 30)) < 0.3))
    values = rng.uniform(-1.0, 1.0, len(rows)) / 60.0
    plan = plan_elimination(rows, columns, 30)
    used, fresh = allocate_factors(plan), allocate_factors(plan)
    factorise(plan, np.full(len(rows), np.nan), 1.0, 30, used)
    solve_factorised(plan, used, np.ones(30))
    answers = []
    for factors in (used, fresh):
        factorise(plan, values, 1.0, 30, factors)
        x = np.ones(30)
        solve_factorised(plan, factors, x)
        answers.append(x)
    np.testing.assert_array_equal(*answers)
