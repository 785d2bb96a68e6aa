"""Emulators trained one by one predict together as the mean of what each predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from workspace import make_workspace

import chemnet
from chemnet.config import ConfigDict, load_config
from chemnet.errors import ConfigError, ModelError, ResultsError
from chemnet.evaluation.scored_data import surrogate_to_score
from chemnet.surrogate.loading import configured_surrogate


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two direct emulators, two emulators of latents, and one of either on other data."""
    workspace = make_workspace(tmp_path_factory.mktemp("members"))
    short, direct = "train.epochs=1", "model.name=DirectRelaxation"
    workspace.result("preprocess")
    workspace.result("train", short, "train.component=autoencoder")
    for seed in (1, 2):
        words = (short, f"general.seed={seed}")
        workspace.result("train", *words, direct, f"train.component=direct_{seed}")
        workspace.result("train", *words, "model.name=LatentEmulator", f"train.component=latent_{seed}")
    workspace.result("train", short, direct, "model.DirectRelaxation.hidden=[5]", "train.component=narrow")
    workspace.result(
        "train", short, direct, "model.DirectRelaxation.range_margin=0.5", "train.component=wide_range"
    )
    floor = "preprocess.abundance_floor=1e-18"
    workspace.result("preprocess", floor)
    workspace.result("train", short, direct, floor, "train.component=other_data")
    return workspace.folder


@pytest.fixture
def config(members: Path) -> ConfigDict:
    return load_config([members / "tiny.toml"])


def unconserved(surrogate: Any, physical: Any, initial: Any, dt: Any) -> Any:
    """Return abundances as the networks predict them, before the element totals are restored."""
    latents = surrogate.latent_emulate(physical, surrogate.encode(initial), dt)
    return surrogate.decode(latents.reshape(-1, latents.shape[-1])).reshape(*latents.shape[:2], -1)


@pytest.mark.parametrize("kind", ["direct", "latent"])
def test_they_predict_the_mean_of_their_logarithms(
    config: ConfigDict, histories: Any, tmp_path: Path, kind: str
) -> None:
    names = [f"{kind}_1", f"{kind}_2"]
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    alone = [unconserved(chemnet.Surrogate.load(name, config), *inputs) for name in names]
    together = chemnet.Surrogate.load(names, config)
    assert together.name == f"{kind}_1"
    logs = np.log10(alone)
    np.testing.assert_allclose(np.log10(unconserved(together, *inputs)), logs.mean(axis=0), atol=1e-3)
    again = chemnet.Surrogate.load(together.save(tmp_path / "saved"))
    np.testing.assert_allclose(again.emulate(*inputs), together.emulate(*inputs), rtol=1e-5)
    assert set(again.provenance["components"]) == {"emulator", "emulator_2"}


def test_the_configuration_puts_them_together(config: ConfigDict) -> None:
    together = configured_surrogate(config.replace({"surrogate.members": ["direct_1", "direct_2"]}))
    assert together.components.size == 2
    assert together.is_calibrated
    scored = {"surrogate.members": ["direct_1", "direct_2"], "benchmark.surrogate": "direct_1"}
    with pytest.raises(ConfigError, match=r"benchmark\.surrogate and surrogate\.members are both set"):
        surrogate_to_score(config.replace(scored))
    both = {"surrogate.members": ["direct_1", "direct_2"], "surrogate.emulator": "direct_1"}
    with pytest.raises(ConfigError, match=r"surrogate\.members and surrogate\.emulator are both set"):
        configured_surrogate(config.replace(both))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["direct_1", "latent_1"], r"is a LatentEmulator, .* a DirectRelaxation"),
        (["direct_1", "autoencoder"], "has the role 'autoencoder'"),
        (["direct_1", "narrow"], r"has model\.DirectRelaxation\.hidden = \[5\], "),
        (["direct_1", "wide_range"], r"DirectRelaxation\.range_margin = 0\.5, .* 0\.3"),
        (["direct_1", "direct_1"], "is a member twice"),
        (["direct_1", "collapse"], "'collapse' is a finished surrogate"),
        (["direct_1", 2], "named by a text or a path, not by 2"),
        ([""], "named by a text or a path, not by ''"),
        ([], "at least one member"),
        (["direct_1", "other_data"], "were trained on different results of preprocess"),
    ],
)
def test_what_cannot_predict_together_is_refused(config: ConfigDict, names: list[str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        chemnet.Surrogate.load(names, config)


def test_a_member_that_is_not_there_is_named(config: ConfigDict) -> None:
    with pytest.raises((ModelError, ResultsError), match="direct_3"):
        chemnet.Surrogate.load(["direct_1", "direct_3"], config)
