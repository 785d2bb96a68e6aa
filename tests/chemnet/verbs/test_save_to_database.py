"""`save_to_database` stores every state of an infer result, with what is known of it beside the vectors."""

from __future__ import annotations

import numpy as np
import pytest
from known_states import LATENT_DIM, write_infer_result

from chemnet.data.infer_result.inference_dataset import InferenceDataset
from chemnet.errors import ConfigError, ResultsError
from chemnet.results import VerbResult
from chemnet.search.known_states import KnownStates
from chemnet.verbs.save_to_database import DatabaseResult, SaveToDatabase


@pytest.fixture
def infer(tiny):
    """An infer result of the tiny tracers."""
    return write_infer_result(tiny())


def test_every_state_is_stored_with_its_row(tiny, infer):
    result = SaveToDatabase(tiny()).run()
    states, data = KnownStates(result.path), InferenceDataset(infer.path)
    assert result.summary["states"] == len(data) == 360
    np.testing.assert_array_equal(states.vectors, data.latents)
    np.testing.assert_array_equal(states.rows, data.rows)
    with result.connect() as connection:
        assert len(connection.database) == 360
        np.testing.assert_array_equal(connection.database.get_by_id(str(data.ids()[17])), data.latents[17])


def test_wide_outputs_stay_with_the_infer_result(tiny, infer):
    states = KnownStates(SaveToDatabase(tiny()).run().path)
    assert states.fields == ("tensor",)
    assert states.latent_dim == LATENT_DIM


def test_the_database_knows_its_lineage(tiny, infer):
    result = SaveToDatabase(tiny()).run()
    assert result.directory.parents["infer"].path == infer.path
    assert set(result.directory.parents) == {"infer"}
    np.testing.assert_array_equal(
        KnownStates(result.path).truth([5, 300]), InferenceDataset(infer.path).truth([5, 300])
    )


def test_searching_does_not_count_as_a_change_of_the_result(tiny, infer):
    result = SaveToDatabase(tiny()).run()
    with result.connect() as connection:
        assert len(connection.database.search_by_vector(np.zeros(LATENT_DIM), 3).ids) == 3
    again = VerbResult.load(result.path).directory
    again.verify()
    assert again.digest == result.directory.digest


def test_the_result_reloads_prints_and_plots(tiny, infer):
    path = SaveToDatabase(tiny()).run(infer_dir=infer.path).path
    result = VerbResult.load(path)
    assert isinstance(result, DatabaseResult)
    assert "360" in str(result)
    assert [axis.get_xlabel() for axis in result.plot().axes][:2] == [
        "Density [cm$^{-3}$]",
        "Radfield [Habing]",
    ]


def test_without_an_infer_result_the_verb_to_run_first_is_named(tiny, results_dir):
    before = sorted(results_dir.iterdir())
    with pytest.raises(ResultsError) as caught:
        SaveToDatabase(tiny()).run()
    assert "chemnet infer" in caught.value.hint
    assert sorted(results_dir.iterdir()) == before


def test_a_database_that_cannot_be_reached_leaves_no_result(tiny, infer, results_dir):
    before = sorted(results_dir.iterdir())
    config = tiny({"vector_db.chromadb.host": "localhost", "vector_db.chromadb.port": 9})
    with pytest.raises(ResultsError, match="no Chroma server answers"):
        SaveToDatabase(config).run()
    assert sorted(results_dir.iterdir()) == before


def test_an_unknown_database_lists_the_known_ones(tiny, infer):
    with pytest.raises(ConfigError, match="no vector database is called 'cromadb'") as caught:
        SaveToDatabase(tiny({"vector_db.name": "cromadb"})).run()
    assert "chromadb" in caught.value.hint
