"""Species that set two states apart are named, largest difference first."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.search.differences import largest_differences

SPECIES = ("H2", "CO", "H2O")


def test_the_largest_difference_comes_first_with_its_sign():
    (found,) = largest_differences(np.array([0.5, 1e-4, 1e-8]), np.array([[0.4, 1e-6, 1e-7]]), SPECIES, 2)
    assert [str(difference) for difference in found] == ["CO -2.00", "H2O +1.00"]
    assert (found[0].query, found[0].other) == (1e-4, 1e-6)


def test_abundances_below_the_floor_do_not_differ():
    assert largest_differences(np.array([0.5, 1e-30, 0.0]), np.array([[0.5, 1e-22, 1e-20]]), SPECIES, 3) == [
        []
    ]


def test_a_state_does_not_differ_from_itself():
    state = np.array([0.5, 1e-4, 1e-8])
    own, other = largest_differences(state, np.stack([state, state * 10]), SPECIES, 1)
    assert own == []
    assert other[0].dex == pytest.approx(1.0)


def test_species_that_the_query_does_not_know_are_not_compared():
    (found,) = largest_differences(np.array([0.5, np.nan, 1e-8]), np.array([[0.5, 1e-4, 1e-7]]), SPECIES, 3)
    assert [difference.species for difference in found] == ["H2O"]
