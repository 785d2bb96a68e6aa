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
def results_dir(tmp_path: Path) -> Path:
    """The results folder of the `tiny` configuration."""
    return tmp_path / "workspace" / "results"


@pytest.fixture(scope="session")
def tiny_data(tiny_preprocessed: ResultDirectory) -> Any:
    """The made tracers, preprocessed."""
    from chemnet.datasets.preprocessed import PreprocessedData

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
