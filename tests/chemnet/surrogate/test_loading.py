"""A surrogate is found by path or by name, and brings the autoencoder that its emulator was trained with."""

from __future__ import annotations

import numpy as np
import pytest

import chemnet
from chemnet.config import load_config
from chemnet.data.readers.initial_row import initial_row
from chemnet.errors import ModelError, ResultsError
from chemnet.results import list_results
from chemnet.surrogate.loading import SHIPPED, accuracies_of, compose, configured_surrogate, shipped_names


@pytest.fixture
def config(trained):
    return load_config([trained / "tiny.toml"])


@pytest.fixture
def results(trained):
    return {result.component: result for result in list_results(trained / "results") if result.component}


def test_component_name_result_name_and_path_give_the_same_surrogate(config, results, histories):
    emulator = results["made_emulator"]
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    predicted = [
        chemnet.Surrogate.load(source, config).emulate(*inputs)
        for source in ("made_emulator", emulator.name, emulator.path)
    ]
    for other in predicted[1:]:
        np.testing.assert_array_equal(other, predicted[0])


def test_it_says_where_it_comes_from(config, results):
    provenance = chemnet.Surrogate.load("made_emulator", config).provenance
    digests = {role: entry["digest"] for role, entry in provenance["components"].items()}
    assert digests["emulator"] == results["made_emulator"].digest
    assert digests["encoder"] == digests["decoder"] == results["made_autoencoder"].digest
    assert provenance["data"]["training_tracers"] == 7


def test_the_configuration_composes_one(config):
    assert configured_surrogate(config).name == "made_emulator"
    chosen = config.replace({"surrogate.encoder": "made_autoencoder", "surrogate.emulator": "made_emulator"})
    assert configured_surrogate(chosen).latent_dim == 3


def test_the_configuration_may_balance_charges(config):
    asked = config.replace({"surrogate.neutral": True, "surrogate.emulator": "made_emulator"})
    assert configured_surrogate(asked).is_neutral
    assert chemnet.Surrogate.load("made_emulator", asked).is_neutral
    assert not chemnet.Surrogate.load("made_emulator", config).is_neutral


def test_an_autoencoder_alone_is_no_surrogate(results):
    with pytest.raises(ModelError, match="has the role 'autoencoder'"):
        compose(results["made_autoencoder"])
    with pytest.raises(ModelError, match="is a result of `preprocess`"):
        chemnet.Surrogate.load(results["made_emulator"].parent("preprocess").path)


def test_an_emulator_is_no_encoder(config):
    with pytest.raises(ResultsError, match="is not a trained autoencoder"):
        configured_surrogate(config.replace({"surrogate.encoder": "made_emulator"}))


def test_an_unknown_name_lists_what_there_is(config):
    with pytest.raises(ModelError, match="no surrogate is called 'made_emulater'") as error:
        chemnet.Surrogate.load("made_emulater", config)
    assert "made_emulator" in str(error.value)


def test_shipped_surrogates_load_by_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert {"collapse", "uclchem"} <= set(shipped_names())
    for name in shipped_names():
        surrogate = chemnet.Surrogate.load(name)
        assert (surrogate.name, surrogate.elements[0]) == (name, "H")
        sizes = [path.stat().st_size for path in (SHIPPED / name).rglob("*") if path.is_file()]
        assert max(sizes) < 5e6
        assert sum(sizes) < 12e6


def test_shipped_surrogates_have_their_dials() -> None:
    assert {name: accuracies_of(name) for name in shipped_names()} == {
        "collapse": ["fast", "balanced"],
        "uclchem": ["fast", "balanced", "exact"],
    }
    fast, balanced = (chemnet.Surrogate.load("collapse", accuracy=name) for name in (None, "balanced"))
    assert not fast.is_neutral
    assert balanced.is_neutral
    with pytest.raises(ModelError, match="no accuracy 'exact'") as caught:
        chemnet.Surrogate.load("collapse", accuracy="exact")
    assert "fast" in str(caught.value.hint)
    assert "balanced" in str(caught.value.hint)


def test_the_shipped_uclchem_emulates_its_standard_start_and_conserves() -> None:
    surrogate = chemnet.Surrogate.load("uclchem")
    start = initial_row(True, surrogate.species)[None]
    physical = np.tile([[1e5, 0.1, 3.0, 15.0]], (1, 40, 1)).reshape(1, 40, 4)
    abundance = surrogate.emulate(physical, start).astype(float)
    drift = abundance @ surrogate.data.stoichiometry / (start @ surrogate.data.stoichiometry) - 1.0
    assert np.abs(drift).max() < 1e-6
    late = dict(zip(surrogate.species, abundance[0, -1], strict=True))
    # what every dark cloud of this density has after 1e5 yr: CO in the gas, water on the grains
    assert late["CO"] > 1e-6 > late["C+"]
    assert late["#H2O"] + late["@H2O"] > 1e-5


def test_shipped_surrogates_lie_inside_the_package_and_no_rule_keeps_them_out():
    import subprocess
    from pathlib import Path

    import chemnet
    from chemnet.surrogate.loading import SHIPPED

    package = Path(chemnet.__file__).parent
    assert package / "shipped_surrogates" == SHIPPED
    for name in ("surrogate.toml", "weights.safetensors"):
        # 1: not ignored, so the wheel takes it along; 128: no repository here, or no git
        ignored = subprocess.run(
            ["git", "check-ignore", "-q", SHIPPED / "any" / name], cwd=package, check=False
        )
        assert ignored.returncode != 0
