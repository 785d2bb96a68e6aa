"""The expected error of a state is shared out among its species."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.surrogate.trust.species_errors import SpeciesErrors

FLOOR = 1e-20


def made(seed: int = 0, n: int = 20000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States whose second species is three times as hard as the first, and traces ten times as hard."""
    rng = np.random.default_rng(seed)
    expected = 10.0 ** rng.uniform(-2, -1, n)
    abundance = 10.0 ** rng.uniform(-19, -3, (n, 2))
    harder = np.where(abundance < 1e-14, 10.0, 1.0) * np.array([1.0, 3.0])
    return expected, expected[:, None] * harder * rng.uniform(0.5, 1.5, (n, 2)), abundance


def test_expected_errors_of_species_are_the_true_ones_in_the_mean() -> None:
    fitted = SpeciesErrors.fitted(*made(), FLOOR)
    expected, dex, abundance = made(seed=1)
    by_species = fitted.expected(expected, abundance)
    for species in range(2):
        for part in (abundance[:, species] < 1e-14, abundance[:, species] > 1e-14):
            found = by_species[part, species].mean()
            assert found == pytest.approx(dex[part, species].mean(), rel=0.05)


def test_what_was_never_seen_counts_like_its_species_and_its_range() -> None:
    expected, dex, abundance = made()
    abundance[:, 1] = np.maximum(abundance[:, 1], 1e-13)  # no traces of the second species
    dex[:, 1] = 3.0 * expected
    fitted = SpeciesErrors.fitted(expected, dex, abundance, FLOOR)
    common, unseen = fitted.expected(np.array([0.1, 0.1]), np.array([[1e-5, 1e-5], [1e-17, 1e-17]]))
    assert unseen[1] > 2.5 * common[1]
    assert np.isfinite(fitted.expected(np.full(1, np.inf), np.full((1, 2), 1e-5)) > 0).all()


def test_a_few_states_give_factors_that_are_finite_and_survive_being_written() -> None:
    fitted = SpeciesErrors.fitted(*(values[:1] for values in made()), FLOOR)
    assert np.isfinite(fitted.factors).all()
    assert SpeciesErrors.from_dict(fitted.to_dict()) == fitted
    with pytest.raises(ValueError, match="rows of factors"):
        SpeciesErrors.from_dict({**fitted.to_dict(), "edges": []})


def test_a_high_floor_has_fewer_ranges() -> None:
    assert len(SpeciesErrors.fitted(*made(), 1e-13).edges) < len(SpeciesErrors.fitted(*made(), FLOOR).edges)
