"""`visualize` writes one self-contained page of an embedding."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import chemnet
from known_states import write_infer_result
from workspace import make_workspace

from chemnet.config import ConfigDict, load_config
from chemnet.data.infer_result.inference_dataset import InferenceDataset
from chemnet.errors import ConfigError, ResultsError
from chemnet.plots.embedding_page import PageData, centidex
from chemnet.results import ResultDirectory, VerbResult
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


def shown(umap: UmapResult, config: ConfigDict, **further: ResultDirectory) -> PageData:
    """What the page shows of a map, and of further results by role."""
    return page_data(config, {"umap": umap.directory, **further})


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
    data = shown(umap, config)
    states = InferenceDataset(umap.directory.parent("infer").path)
    np.testing.assert_array_equal(data.embedding, umap.embedding)
    np.testing.assert_array_equal(data.abundance, centidex(states.truth(np.arange(360))))
    assert tuple(data.species) == states.species
    assert [data.tracer_names[t] for t in data.tracer] == states.tracers.tolist()


def test_paths_follow_each_tracer_step_by_step(config, umap):
    data = shown(umap, config)
    for number in range(12):
        path = data.path[data.offsets[number] : data.offsets[number + 1]]
        own = data.tracer == number
        np.testing.assert_array_equal(path, data.embedding[own][np.argsort(data.step[own])])


def test_a_large_set_is_sampled_and_its_paths_are_thinned(config, umap):
    data = shown(umap, config.replace({"visualize.max_points": 10}))
    assert len(data.embedding) == 10
    assert "10 of 360 states" in data.subtitle
    assert (np.diff(data.offsets) <= 30).all()
    assert (np.diff(data.offsets) >= 8).all()
    again = shown(umap, config.replace({"visualize.max_points": 10}))
    np.testing.assert_array_equal(data.embedding, again.embedding)


def test_only_the_wanted_species_are_on_the_page(config, umap):
    data = shown(umap, config.replace({"visualize.species": ["CO", "H2"]}))
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


def test_new_states_are_placed_on_the_map_as_its_reducer_places_them(config, umap):
    new = write_infer_result(config)
    data = shown(umap, config, infer_0=new)
    assert list(data.layer_names) == [umap.directory.parent("infer").name, new.name]
    assert np.bincount(data.layer).tolist() == [360, 360]
    # they are the same states here
    np.testing.assert_allclose(data.embedding[360:], umap.embedding, atol=1e-4)
    np.testing.assert_array_equal(data.abundance[360:], data.abundance[:360])
    assert data.tracer.max() + 1 == len(data.tracer_names) == 24
    assert len(data.offsets) == 25
    assert data.offsets[-1] == len(data.path)


def test_few_new_states_are_all_shown_beside_a_sample_of_many(config, umap):
    data = shown(umap, config.replace({"visualize.max_points": 100}), infer_0=write_infer_result(config))
    assert np.bincount(data.layer).tolist() == [50, 50]
    assert "50 of 360 states" in data.subtitle


def test_results_are_named_as_words_whatever_their_verb(config, umap):
    new = write_infer_result(config)
    result = Visualize(config).run([umap.path, new.name])
    assert set(result.directory.parents) == {"umap", "infer_0"}
    assert new.name in result.page.read_text(encoding="utf-8")
    second = Umap(config).run(new.path)
    assert Visualize(config).run([umap.path, second.path]).directory.parents["infer_0"].digest == new.digest


def test_latents_of_another_model_are_refused(config, umap, monkeypatch):
    new = write_infer_result(config)
    monkeypatch.setattr("chemnet.verbs.visualize._codec", lambda infer: infer.name)
    with pytest.raises(ResultsError, match="are not of the model"):
        Visualize(config).run([umap.path, new.path])


def test_a_result_that_no_map_can_show_is_refused(config, umap):
    preprocess = next(Path(config["general"]["results_dir"]).glob("*-preprocess-*"))
    with pytest.raises(ResultsError, match="`preprocess` cannot be shown on a map"):
        Visualize(config).run([preprocess])


def test_the_states_of_a_database_are_those_among_which_the_nearest_are_sought(config, umap):
    pytest.importorskip("chromadb")
    from chemnet.verbs.save_to_database import SaveToDatabase

    database = SaveToDatabase(config).run(umap.directory.parent("infer").path).directory
    data = shown(umap, config.replace({"visualize.max_points": 40}), database=database)
    assert (len(data.known.latents), data.known.total) == (40, 360)
    assert data.known.latents.shape[1] == data.latents.shape[1]


def test_serving_prints_an_address_and_writes_nothing(config, umap, monkeypatch):
    def interrupted(server, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr("chemnet.plots.page_server.PageServer.serve_forever", interrupted)
    before = sorted(umap.path.parent.iterdir())
    words = (f"general.results_dir={umap.path.parent}", f"visualize.umap_dir={umap.path}")
    outcome = chemnet("visualize", "--serve", "--json", *words)
    assert (outcome.code, outcome.answer["points"]) == (0, 360)
    assert outcome.answer["url"] in outcome.err
    assert outcome.answer["url"].startswith("http://127.0.0.1:")
    assert sorted(umap.path.parent.iterdir()) == before
