"""Rivals do what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.data.histories import HistorySource
from chemnet.errors import DataError
from chemnet.evaluation.baselines import (
    NearestNeighbour,
    PrincipalComponents,
    one_step_persistence,
    persistence,
)


@pytest.fixture
def source(tiny_data, surrogate):
    return HistorySource(tiny_data, "test", surrogate.data)


def dex(predicted, truth):
    return np.abs(np.log10(np.clip(predicted, 1e-20, 1)) - np.log10(np.clip(truth, 1e-20, 1))).mean()


def test_pca_with_all_components_loses_nothing_and_more_components_lose_less(tiny_data, source, histories):
    errors = [
        dex(
            PrincipalComponents.fit(tiny_data, source.species, n).reconstruct(histories.abundance),
            histories.abundance,
        )
        for n in (1, 3, len(source.species))
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-5


def test_persistence_repeats_row_zero_and_its_one_step_form_the_row_before(histories):
    truth = histories.abundance
    assert (persistence(histories) == truth[:, :1]).all()
    np.testing.assert_array_equal(one_step_persistence(histories)[:, 1:], truth[:, :-1])


def test_the_nearest_neighbour_of_a_training_tracer_is_that_tracer(tiny_data, surrogate, source):
    train = HistorySource(tiny_data, "train", surrogate.data)
    known = train.read(np.arange(2))
    components = PrincipalComponents.fit(tiny_data, source.species, 3)
    neighbour = NearestNeighbour(tiny_data, source, components, rows=10**6, seed=0)
    assert dex(neighbour(known), known.abundance) < 1e-3


def test_it_answers_with_states_that_it_knows(tiny_data, source, histories):
    components = PrincipalComponents.fit(tiny_data, source.species, 3)
    answers = NearestNeighbour(tiny_data, source, components, 5, 0)(histories)[:, 1:]
    known = tiny_data.split("train").raw_abundance()
    different = np.unique(answers.reshape(-1, answers.shape[-1]), axis=0)
    assert len(different) <= 5
    assert all((known == answer).all(axis=1).any() for answer in different)


def test_data_without_a_species_of_the_surrogate_are_refused(tiny_data, surrogate, monkeypatch):
    monkeypatch.setattr(tiny_data, "species", (*tiny_data.species[:-1], "E"))
    with pytest.raises(DataError, match="lacks 1 of the model's 12 species, first 'E-'"):
        HistorySource(tiny_data, "test", surrogate.data)
