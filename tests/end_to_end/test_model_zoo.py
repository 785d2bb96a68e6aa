"""Every model goes the whole way: its example trains, infers, is scored, saved and loaded again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from workspace import Workspace, make_workspace

import chemnet
from chemnet.data.preprocessed import PreprocessedData
from chemnet.models.model_file import read_model_file
from chemnet.results import list_results

COMPONENTS = Path(__file__).resolve().parents[2] / "example_configs" / "components"
EMULATORS = (
    "latent_emulator",
    "latent_relaxation",
    "latent_ensemble",
    "fine_tuned_emulator",
    "astrochemnet_emulator",
    "latent_rnn",
    "latent_neural_operator",
    "latent_ode",
    "direct_emulator",
    "direct_relaxation",
    "direct_ensemble",
)
# the made tracers have twelve species
SMALL = (
    "train.epochs=1",
    *(f"model.{name}.latent_dim=3" for name in ("PCAAutoencoder", "Autoencoder", "ResidualAutoencoder")),
)


def trained(workspace: Workspace, name: str, *words: str) -> Path:
    """Train the component of an example and return its result."""
    return workspace.result("train", "-c", COMPONENTS / f"{name}.toml", *SMALL, *words)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Made tracers and three autoencoders: AstroChemNet's, PCA, and the newest, which corrects PCA."""
    made = make_workspace(tmp_path_factory.mktemp("zoo"))
    made.result("preprocess")
    trained(made, "astrochemnet_autoencoder")
    trained(made, "pca_autoencoder")
    trained(made, "residual_autoencoder")
    return made


def test_principal_components_take_one_pass_and_no_gradient(workspace: Workspace) -> None:
    words = (*SMALL, "train.epochs=50", "train.ema_decay=0.9")
    outcome = workspace.run("train", "-c", COMPONENTS / "pca_autoencoder.toml", *words)
    assert outcome.code == 0, outcome.err
    summary = outcome.answer["summary"]
    assert (summary["epochs"], summary["parameters"]) == (1, 12 + 3 * 12)
    # rank 3 of made tracers: far below the spread of the abundances, and the same on unseen tracers
    assert summary["validate_mlae"] < 0.5


def test_astrochemnets_recipe_is_what_was_published(workspace: Workspace) -> None:
    results = {result.component: result for result in list_results(workspace.results)}
    table = read_model_file(results["astrochemnet_autoencoder"])["table"]
    assert (table["latent_activation"], table["output"]) == ("gelu", "sigmoid")
    assert (table["hidden"], table["dropout"], table["latent_noise"]) == ([160, 80], 0.3, 0.1)


def test_emulators_work_on_principal_components(workspace: Workspace, tmp_path: Path) -> None:
    words = ("train.autoencoder_dir=pca_autoencoder", "train.component=on_pca")
    for example in ("latent_emulator", "fine_tuned_emulator"):
        surrogate = chemnet.Surrogate.load(trained(workspace, example, *words))
        assert surrogate.latent_dim == 3
        loaded = chemnet.Surrogate.load(surrogate.save(tmp_path / example))
        assert loaded.parts.named.keys() == {"emulator", "encoder"}


def test_an_emulator_with_an_autoencoder_of_its_own_takes_no_other(workspace: Workspace) -> None:
    trained(workspace, "fine_tuned_emulator", "train.component=along")
    outcome = workspace.run("benchmark", "surrogate.emulator=along", "surrogate.encoder=pca_autoencoder")
    assert outcome.code == 2
    assert "its own autoencoder, trained along with it" in outcome.err


@pytest.mark.parametrize("name", ["fine_tuned_emulator", "latent_rnn", "direct_emulator"])
def test_each_kind_of_state_is_scored(workspace: Workspace, name: str) -> None:
    trained(workspace, name, "train.component=to_score")
    scored = workspace.result("benchmark", "benchmark.surrogate=to_score", "benchmark.solver_tracers=0")
    assert (scored / "report.html").is_file()


@pytest.mark.parametrize("name", EMULATORS)
def test_an_emulator_trains_infers_and_is_saved_and_loaded(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    result = trained(workspace, name, f"train.component={name}")
    inferred = workspace.result("infer", f"infer.model_dir={name}", "infer.split=test")

    surrogate = chemnet.Surrogate.load(result)
    test = PreprocessedData(next(workspace.results.glob("*-preprocess-*"))).split("test")
    rows = np.arange(30)
    physical, start = test.raw_physical(rows)[None], test.raw_abundance(rows[:1])
    predicted = surrogate.emulate(physical, start, test.dt[None, :29])
    loaded = chemnet.Surrogate.load(surrogate.save(tmp_path / name))
    np.testing.assert_array_equal(loaded.emulate(physical, start, test.dt[None, :29]), predicted)
    assert np.isfinite(predicted).all()

    # inference writes the very rollout
    states = chemnet.InferenceDataset(inferred)
    last = states.get_by_id(f"{test.tracer_ids[0]}-29")
    latents = surrogate.latent_emulate(physical, surrogate.encode(start), test.dt[None, :29])[:, -1]
    # an ensemble carries the latents of every member, and inference stores their mean
    mean = latents[0].reshape(-1, len(last.vector)).mean(axis=0)
    np.testing.assert_allclose(last.vector, mean, rtol=1e-3, atol=1e-3)
    decoded = states.take("abundance", [last.index])[0]
    np.testing.assert_allclose(np.log10(decoded), np.log10(predicted[0, -1]), atol=0.02)
