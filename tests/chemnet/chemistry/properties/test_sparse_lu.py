"""The static sparse elimination solves what a dense solver solves, whatever the pattern."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chemnet.chemistry.solver.elimination import (
    allocate_factors,
    factorise,
    plan_elimination,
    solve_factorised,
)

Array = NDArray[np.float64]


def sparse_matrix(
    rng: np.random.Generator, size: int, density: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], Array, Array]:
    """Return rows, columns and values of J, with every row's sum of magnitudes below 1, and J itself."""
    rows, columns = (part.astype(np.int32) for part in np.nonzero(rng.random((size, size)) < density))
    dense = np.zeros((size, size))
    dense[rows, columns] = rng.uniform(-1.0, 1.0, len(rows))
    dense *= 0.9 / np.maximum(np.abs(dense).sum(axis=1, keepdims=True), 0.9)
    return rows, columns, dense[rows, columns], dense


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 40),
    density=st.floats(0.0, 1.0),
    border=st.integers(0, 4),
    c=st.floats(1e-6, 1.0),
)
def test_it_solves_like_a_dense_solver(seed: int, size: int, density: float, border: int, c: float) -> None:
    rng = np.random.default_rng(seed)
    border = min(border, size - 1)
    rows, columns, values, dense = sparse_matrix(rng, size, density)
    plan = plan_elimination(rows, columns, size, border)
    factors = allocate_factors(plan)
    factorise(plan, values, c, size - border, factors)
    right = rng.standard_normal(size)
    x = right.copy()
    solve_factorised(plan, factors, x)
    scale = np.where(np.arange(size) < size - border, c, 1.0)
    expected = np.linalg.solve(np.eye(size) - scale[:, None] * dense, right)
    np.testing.assert_allclose(x, expected, rtol=1e-11, atol=1e-11)


def test_storage_can_be_used_again_for_another_matrix() -> None:
    rng = np.random.default_rng(1)
    rows, columns, values, _ = sparse_matrix(rng, 25, 0.2)
    plan = plan_elimination(rows, columns, 25)
    used, fresh = allocate_factors(plan), allocate_factors(plan)
    factorise(plan, rng.uniform(-1.0, 1.0, len(values)), 0.01, 25, used)
    right = rng.standard_normal(25)
    answers = []
    for factors in (used, fresh):
        factorise(plan, values, 0.5, 25, factors)
        x = right.copy()
        solve_factorised(plan, factors, x)
        answers.append(x)
    np.testing.assert_array_equal(*answers)


def test_order_is_a_permutation_that_leaves_the_border_to_the_end() -> None:
    rows, columns, _, _ = sparse_matrix(np.random.default_rng(2), 30, 0.1)
    plan = plan_elimination(rows, columns, 30, n_border=4)
    assert sorted(plan.order) == list(range(30))
    assert sorted(plan.order[-4:]) == [26, 27, 28, 29]


@pytest.mark.parametrize("size", [20, 60])
def test_an_arrow_costs_no_fill(size: int) -> None:
    # everything couples to the first unknown alone: eliminated first it would fill the matrix
    spokes = np.arange(1, size, dtype=np.int32)
    hub = np.zeros(size - 1, np.int32)
    plan = plan_elimination(np.concatenate([spokes, hub]), np.concatenate([hub, spokes]), size)
    assert len(plan.lower_column) + len(plan.upper_column) + (size - plan.n_sparse) ** 2 <= 2 * size
