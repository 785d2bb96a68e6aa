"""A surrogate of made tracers: untrained networks that move, which is enough to test what surrounds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from workspace import make_workspace

from chemnet.config import load_config


@pytest.fixture(scope="session")
def make_parts(tiny_data: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that builds networks from a seed; the autoencoder may be trained along."""
    from chemnet.models.autoencoder import Autoencoder
    from chemnet.models.latent_emulator import LatentEmulator
    from chemnet.surrogate.predictor import Parts

    config_file = make_workspace(tmp_path_factory.mktemp("networks")).config

    def make(seed: int = 0, train_autoencoder: bool = False) -> Any:
        torch.manual_seed(seed)
        config = load_config([config_file], ['model.name="Autoencoder"'])
        autoencoder = Autoencoder(config, tiny_data.describe("rows"))
        for parameter in autoencoder.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        config = config.replace(
            {"model.name": "LatentEmulator", "model.LatentEmulator.train_autoencoder": train_autoencoder}
        )
        emulator = LatentEmulator(config, tiny_data.describe("windows"), autoencoder.eval())
        # it starts as persistence
        torch.nn.init.normal_(emulator.change[-1].weight, std=0.05)
        if not train_autoencoder:
            return Parts(emulator, autoencoder, autoencoder, emulator.data)
        own = emulator.trained_autoencoder
        torch.nn.init.normal_(own.output_bias)  # as if trained: no longer what it was copied from
        return Parts(emulator, own, own, emulator.data)

    return make


@pytest.fixture(scope="session")
def surrogate(make_parts: Any, tiny_data: Any) -> Any:
    """A surrogate of twelve species and three latents."""
    from chemnet.surrogate.calibration import judgement_of
    from chemnet.surrogate.domain import Domain
    from chemnet.surrogate.surrogate import Surrogate

    provenance = {"data": {"preprocess": tiny_data.directory.name, "digest": tiny_data.digest}}
    domain = Domain.of_training(tiny_data)
    return Surrogate(make_parts(), domain, "made", provenance, lambda made: judgement_of(made, tiny_data))


@pytest.fixture(scope="session")
def histories(tiny_data: Any, surrogate: Any) -> Any:
    """The made tracers of the test split."""
    from chemnet.surrogate.evaluation.histories import HistorySource

    source = HistorySource(tiny_data, "test", surrogate)
    return next(source.batches(len(source)))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration and results of preprocess and of both trainings, one epoch each."""
    workspace = make_workspace(tmp_path_factory.mktemp("trained"))
    workspace.result("preprocess")
    workspace.result("train", "train.epochs=1", 'train.component="made_autoencoder"')
    workspace.result(
        "train", "train.epochs=1", 'model.name="LatentEmulator"', 'train.component="made_emulator"'
    )
    return workspace.folder
