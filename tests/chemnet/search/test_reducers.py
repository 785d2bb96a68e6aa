"""Reducers are seeded, place states that they were not fitted on, and refuse what they cannot reduce."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chemnet.errors import ConfigError, DataError
from chemnet.registry import REDUCERS


def two_groups(n: int = 40) -> np.ndarray:
    """Return n latents in each of two far groups."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 0.1, (n, 5)), rng.normal(3, 0.1, (n, 5))]).astype(np.float32)


def reducer(name: str, **options):
    """Return a small reducer."""
    settings = {"n_components": 2, "seed": 7, "parallel": False, "options": options}
    return REDUCERS.get(name)(**settings)


def separation(embedding: np.ndarray, n: int) -> float:
    """Return the distance of the groups over their size."""
    one, other = embedding[:n], embedding[n:]
    return np.linalg.norm(one.mean(0) - other.mean(0)) / (one.std() + other.std())


NAMES = ["pca", "tsne", pytest.param("umap", marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", NAMES)
def test_groups_stay_apart_and_the_same_seed_gives_the_same_map(name):
    sample = two_groups()
    first, second = reducer(name), reducer(name)
    embedding = first.fit(sample)
    assert embedding.shape == (80, 2)
    assert separation(embedding, 40) > 1.0
    np.testing.assert_array_equal(embedding, second.fit(sample))


@pytest.mark.parametrize("name", NAMES)
def test_further_states_are_placed_with_their_like(name):
    sample = two_groups()
    fitted = reducer(name)
    embedding = fitted.fit(sample)
    placed = fitted.transform(np.stack([sample[:40].mean(0), sample[40:].mean(0)]))
    for place, own, other in (
        (placed[0], embedding[:40], embedding[40:]),
        (placed[1], embedding[40:], embedding[:40]),
    ):
        assert np.linalg.norm(place - own.mean(0)) < np.linalg.norm(place - other.mean(0))


@pytest.mark.parametrize("name", NAMES)
def test_fitted_states_stay_where_they_are_whatever_the_batch(name):
    sample = two_groups()
    fitted = reducer(name)
    embedding = fitted.fit(sample)
    pieces = np.concatenate([fitted.transform(sample[start : start + 7]) for start in range(0, 80, 7)])
    np.testing.assert_allclose(pieces, embedding, atol=1e-3 * np.abs(embedding).max())


def test_keyword_arguments_reach_the_method():
    assert not np.allclose(reducer("pca", whiten=True).fit(two_groups()), reducer("pca").fit(two_groups()))


def test_an_unknown_keyword_argument_is_refused():
    with pytest.raises(ConfigError, match=r"umap\.kwargs = {'whitten': True}"):
        reducer("pca", whitten=True).fit(two_groups())


def test_too_few_states_are_refused():
    with pytest.raises(DataError, match="2 states are too few for PCAReducer; it needs 3"):
        reducer("pca").fit(two_groups()[:2])


def test_latents_that_are_not_finite_are_named():
    sample = two_groups()
    sample[3, 2] = np.nan
    with pytest.raises(DataError, match="latent 2 of sampled state 3 is not finite"):
        reducer("pca").fit(sample)


def test_four_components_are_refused():
    with pytest.raises(ConfigError, match="n_components = 4; allowed: 2 or 3"):
        REDUCERS.get("pca")(n_components=4, seed=0, parallel=False, options={})


def test_a_fit_leaves_the_threads_of_torch_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        reducer("umap").fit(two_groups())
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_umap_sees_the_neighbours_that_it_finds_itself():
    sample = two_groups(100)
    settings = {"n_neighbors": 10, "random_state": 7, "n_jobs": 1, "n_epochs": 1}
    fitted = reducer("umap", **settings)
    fitted.fit(sample)
    known = fitted._fitted(sample, settings)
    own = fitted._fitted(sample, {**settings, "metric": "euclidean"})
    assert known.precomputed_knn[0] is not None
    assert own.precomputed_knn[0] is None
    np.testing.assert_allclose(known.graph_.toarray(), own.graph_.toarray(), atol=1e-4)
