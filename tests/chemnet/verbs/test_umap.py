"""`umap` places every state of an infer result in one seeded embedding."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from known_states import write_infer_result
from workspace import make_workspace

from chemnet.config import load_config
from chemnet.data.infer_result.inference_dataset import InferenceDataset
from chemnet.errors import ConfigError, ResultsError
from chemnet.results import VerbResult
from chemnet.search.reducers import sample_rows
from chemnet.verbs.umap import Umap, UmapResult


@pytest.fixture
def infer(tiny):
    """An infer result of the tiny tracers."""
    return write_infer_result(tiny())


@pytest.fixture(scope="module")
def known(tiny_preprocessed, tmp_path_factory):
    """An infer result, and its reduction by principal components fitted on 100 states; read them only."""
    workspace = make_workspace(tmp_path_factory.mktemp("umap"))
    shutil.copytree(tiny_preprocessed.path, workspace.results / tiny_preprocessed.name)
    config = load_config([workspace.config]).replace({"umap.reducer": "pca", "umap.fit_sample_size": 100})
    return write_infer_result(config), Umap(config).run(), config


def reduced(tiny, **changes) -> UmapResult:
    """Reduce by principal components, with changes to ``[umap]``."""
    return Umap(
        tiny({"umap.reducer": "pca", **{f"umap.{key}": value for key, value in changes.items()}})
    ).run()


def test_every_state_has_a_place_under_its_id(known):
    infer, result, _ = known
    assert result.embedding.shape == (360, 2)
    assert result.embedding.dtype == np.float32
    np.testing.assert_array_equal(result.ids, InferenceDataset(infer.path).ids())
    assert result.directory.parents["infer"].path == infer.path


def test_the_same_seed_gives_the_same_embedding_at_any_batch_size(known):
    _, first, config = known
    second = Umap(config.replace({"umap.batch_size": 7})).run()
    np.testing.assert_allclose(first.embedding, second.embedding, atol=1e-6)


def test_the_seed_chooses_the_sample():
    first, again, other = (
        sample_rows(360, 20, seed=1),
        sample_rows(360, 20, seed=1),
        sample_rows(360, 20, seed=2),
    )
    assert len(np.unique(first)) == 20
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(sample_rows(5, 20, seed=1), np.arange(5))


def test_three_components_are_drawn_in_perspective(tiny, infer):
    result = reduced(tiny, n_components=3)
    assert result.embedding.shape == (360, 3)
    assert result.plot().axes[0].name == "3d"


def test_the_figure_shows_each_physical_parameter_and_the_time(known):
    _, result, _ = known
    assert (result.path / "embedding.png").read_bytes().startswith(b"\x89PNG")
    titles = [axis.get_title() for axis in result.plot().axes if axis.get_title()]
    assert titles == ["Density", "Radfield", "Av", "gasTemp", "time"]


def test_principal_components_tell_the_variance_that_each_explains(known):
    _, result, _ = known
    shares = result.summary["explained_variance"]
    assert 1.0 >= shares[0] >= shares[1] >= 0.0
    told = f"pca of 360 states; {shares[0]:.0%}, {shares[1]:.0%} of the variance"
    assert result.plot().get_suptitle() == told


def test_the_reloaded_result_places_further_states_as_before(known):
    infer, made, _ = known
    result = VerbResult.load(made.path)
    assert isinstance(result, UmapResult)
    assert "pca" in str(result)
    placed = result.reducer().transform(InferenceDataset(infer.path).latents[200:210])
    np.testing.assert_allclose(placed, result.embedding[200:210], atol=1e-6)


def test_no_fit_is_kept_unless_asked_for(tiny, infer):
    result = reduced(tiny, save_fit_model=False)
    assert not (result.path / "fit_sample.npy").exists()
    with pytest.raises(ResultsError, match=r"has no file 'fit_sample\.npy'"):
        result.reducer()


def test_without_an_infer_result_the_verb_to_run_first_is_named(tiny):
    with pytest.raises(ResultsError) as caught:
        reduced(tiny)
    assert "chemnet infer" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_components": 5}, "n_components = 5"),
        ({"reducer": "umop"}, "no reducer is called 'umop'"),
        ({"kwargs": {"whitten": True}}, "umap.kwargs"),
    ],
)
def test_wrong_settings_are_refused_and_leave_no_result(tiny, infer, results_dir, changes, message):
    before = sorted(results_dir.iterdir())
    with pytest.raises(ConfigError, match=message):
        reduced(tiny, **changes)
    assert sorted(results_dir.iterdir()) == before
