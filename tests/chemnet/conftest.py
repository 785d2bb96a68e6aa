"""Tiny made data for the tests of models, training and their verbs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workspace import make_workspace

from chemnet.config import ConfigDict, load_config
from chemnet.results import ResultDirectory

Configure = Callable[..., ConfigDict]


@pytest.fixture(scope="session")
def tiny_preprocessed(tmp_path_factory: pytest.TempPathFactory) -> ResultDirectory:
    """Twelve made tracers of thirty steps, split and scaled, with windows of eight rows; read it only."""
    from chemnet.verbs.preprocess import Preprocess

    workspace = make_workspace(tmp_path_factory.mktemp("tiny"))
    return Preprocess(load_config([workspace.config])).run().directory


@pytest.fixture
def tiny(tiny_preprocessed: ResultDirectory, tmp_path: Path) -> Configure:
    """Return a function that gives a tiny configuration with changes, in a results folder of its own."""
    workspace = make_workspace(tmp_path / "workspace")
    workspace.results.mkdir()
    shutil.copytree(tiny_preprocessed.path, workspace.results / tiny_preprocessed.name)

    def configure(changes: dict[str, Any] | None = None) -> ConfigDict:
        return load_config([workspace.config]).replace(changes or {})

    return configure


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no curves: that costs more than a tiny training."""
    monkeypatch.setattr("chemnet.training.loop.train_component.write_curves", lambda *_: None)


@pytest.fixture
def results_dir(tmp_path: Path) -> Path:
    """The results folder of the `tiny` configuration."""
    return tmp_path / "workspace" / "results"


@pytest.fixture(scope="session")
def tiny_data(tiny_preprocessed: ResultDirectory) -> Any:
    """The made tracers, preprocessed."""
    from chemnet.data.preprocessed import PreprocessedData

    return PreprocessedData(tiny_preprocessed)


@pytest.fixture(scope="session")
def row_description(tiny_data: Any) -> Any:
    """What a model fed by rows knows of the made tracers, with a sample of 32 rows."""
    return tiny_data.describe("rows", size=32)


@pytest.fixture(scope="session")
def window_description(tiny_data: Any) -> Any:
    """What a model fed by windows knows of the made tracers, with a sample of five windows."""
    return tiny_data.describe("windows", size=5)


class Rows:
    """The training split as `before_training` and `after_training` see it."""

    def __init__(self, data: Any) -> None:
        import torch

        split = data.split("train")
        self.batch = {
            name: torch.from_numpy(getattr(split, name)).float() for name in ("abundance", "physical", "dt")
        }

    def row_batches(self) -> Any:
        """Yield the rows in two batches of unequal length."""
        yield {name: values[:150] for name, values in self.batch.items()}
        yield {name: values[150:] for name, values in self.batch.items()}


@pytest.fixture(scope="session")
def training_rows(tiny_data: Any) -> Rows:
    """The training split of the made tracers."""
    return Rows(tiny_data)


@pytest.fixture(scope="session")
def make_parts(tiny_data: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that builds networks from a seed; the autoencoder may be trained along."""
    import torch

    from chemnet.models.autoencoders.autoencoder import Autoencoder
    from chemnet.models.emulators.compositions import LatentEmulator
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
        torch.nn.init.normal_(emulator.step.change[-1].weight, std=0.05)
        if not train_autoencoder:
            return Parts(emulator, autoencoder, autoencoder, emulator.data)
        own = emulator.trained_autoencoder
        torch.nn.init.normal_(own.output_bias)  # as if trained: no longer what it was copied from
        return Parts(emulator, own, own, emulator.data)

    return make


@pytest.fixture(scope="session")
def surrogate(make_parts: Any, tiny_data: Any) -> Any:
    """A surrogate of twelve species and three latents."""
    from chemnet.surrogate.surrogate import Surrogate
    from chemnet.surrogate.trust.calibration import judgement_of
    from chemnet.surrogate.trust.trained_ranges import Domain

    provenance = {"data": {"preprocess": tiny_data.directory.name, "digest": tiny_data.digest}}
    domain = Domain.of_training(tiny_data)
    return Surrogate(make_parts(), domain, "made", provenance, lambda made: judgement_of(made, tiny_data))


@pytest.fixture(scope="session")
def histories(tiny_data: Any, surrogate: Any) -> Any:
    """The made tracers of the test split."""
    from chemnet.data.histories import HistorySource

    source = HistorySource(tiny_data, "test", surrogate.data)
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
