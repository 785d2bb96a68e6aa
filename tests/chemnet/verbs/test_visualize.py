"""`visualize` writes one self-contained page of an embedding."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from known_states import write_infer_result
from workspace import make_workspace

from chemnet.config import ConfigDict, load_config
from chemnet.data.infer_result.inference_dataset import InferenceDataset
from chemnet.errors import ConfigError, ResultsError
from chemnet.plots.embedding_page import centidex
from chemnet.results import VerbResult
from chemnet.verbs.umap import Umap, UmapResult
from chemnet.verbs.visualize import Visualize, VisualizeResult, page_data


@pytest.fixture(scope="module")
def made(tiny_preprocessed, tmp_path_factory):
    """A configuration, and a reduced infer result of the tiny tracers; read it only."""
    workspace = make_workspace(tmp_path_factory.mktemp("visualize"))
    shutil.copytree(tiny_preprocessed.path, workspace.results / tiny_preprocessed.name)
    config = load_config([workspace.config]).replace({"umap.reducer": "pca"})
    write_infer_result(config)
    return config, Umap(config).run()


@pytest.fixture
def umap(made) -> UmapResult:
    """The reduced states."""
    return made[1]


@pytest.fixture
def config(made) -> ConfigDict:
    """The configuration that made them."""
    return made[0]


def test_the_page_is_written_and_reloads(config, umap):
    result = VerbResult.load(Visualize(config).run().path)
    assert isinstance(result, VisualizeResult)
    html = result.page.read_text(encoding="utf-8")
    assert "<title>" in html
    assert "360 states of 12 tracers" in html
    assert result.summary["points"] == 360
    assert result._repr_html_().startswith("<iframe srcdoc=")
    assert len(result.plot().axes) > 0


def test_a_small_set_is_shown_whole_with_true_abundances(config, umap):
    data = page_data(umap, config)
    states = InferenceDataset(umap.directory.parent("infer").path)
    np.testing.assert_array_equal(data.embedding, umap.embedding)
    np.testing.assert_array_equal(data.abundance, centidex(states.truth(np.arange(360))))
    assert tuple(data.species) == states.species
    assert [data.tracer_names[t] for t in data.tracer] == states.tracers.tolist()


def test_paths_follow_each_tracer_step_by_step(config, umap):
    data = page_data(umap, config)
    for number in range(12):
        path = data.path[data.offsets[number] : data.offsets[number + 1]]
        own = data.tracer == number
        np.testing.assert_array_equal(path, data.embedding[own][np.argsort(data.step[own])])


def test_a_large_set_is_sampled_and_its_paths_are_thinned(config, umap):
    data = page_data(umap, config.replace({"visualize.max_points": 10}))
    assert len(data.embedding) == 10
    assert "10 of 360 states" in data.subtitle
    assert (np.diff(data.offsets) <= 30).all()
    assert (np.diff(data.offsets) >= 8).all()
    again = page_data(umap, config.replace({"visualize.max_points": 10}))
    np.testing.assert_array_equal(data.embedding, again.embedding)


def test_only_the_wanted_species_are_on_the_page(config, umap):
    data = page_data(umap, config.replace({"visualize.species": ["CO", "H2"]}))
    assert list(data.species) == ["CO", "H2"]
    assert data.abundance.shape == (360, 2)


def test_an_unknown_species_is_refused_with_the_nearest(config, umap):
    before = sorted(umap.path.parent.iterdir())
    with pytest.raises(ConfigError, match="no species is called 'C0'") as caught:
        Visualize(config.replace({"visualize.species": ["C0"]})).run()
    assert "'CO'" in caught.value.hint
    assert sorted(umap.path.parent.iterdir()) == before


def test_without_an_embedding_the_verb_to_run_first_is_named(tiny):
    with pytest.raises(ResultsError) as caught:
        Visualize(tiny()).run()
    assert "chemnet umap" in caught.value.hint
