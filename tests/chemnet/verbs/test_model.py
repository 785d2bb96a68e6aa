from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chemnet.errors import ConfigError, ResultsError
from chemnet.verbs.model import Model
from chemnet.verbs.train import Train


def test_a_configured_model_is_summarised_on_the_newest_data(tiny: Any) -> None:
    answer = Model(tiny()).run()
    assert answer.content["n_parameters"] == 12 * 16 + 16 * 12 + 12 * 3 + 4 * 28 + 12
    assert answer.content["outputs"] == {"latent": [2, 3]}
    assert answer.content["layers"][0]["output"] == [2, 16]
    assert "544 parameters" in str(answer)
    assert "LatentEmulator" in str(answer)


def test_a_trained_emulator_is_summarised_by_its_name(tiny: Any) -> None:
    Train(tiny()).run()
    Train(tiny({"model.name": "LatentEmulator", "train.component": "emulator"})).run()
    answer = Model(tiny()).run(model_dir="emulator")
    assert answer.content["role"] == "emulator"
    assert answer.content["inputs"]["abundance"] == [2, 8, 12]
    assert answer.content["outputs"] == {"latent": [2, 8, 3]}


def test_without_data_there_is_no_shape(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="chemnet preprocess"):
        Model(tiny({"general.results_dir": str(tmp_path)})).run()


def test_an_unknown_model_names_the_nearest(tiny: Any) -> None:
    with pytest.raises(ConfigError, match="Autoencoder"):
        Model(tiny({"model.name": "Autoencodr"})).run()
