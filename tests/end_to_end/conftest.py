"""One tiny chain of results that the tests of this folder share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from chain import Chain
from filelock import FileLock
from workspace import Workspace, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A fresh workspace without results."""
    return make_workspace(tmp_path / "workspace")


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The whole chain on tiny data, shared by all pytest workers; read it, never write into it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "chain"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "chain.lock"):
        if not (folder / "tiny.toml").exists():
            make_workspace(folder)
    return Chain(folder)


@pytest.fixture
def copy_of_chain(chain: Chain, tmp_path: Path) -> Callable[..., Workspace]:
    """Return a function that copies some stages of the chain into a fresh workspace."""

    def copy(*stages: str) -> Workspace:
        workspace = make_workspace(tmp_path / "copy")
        for stage in stages:
            shutil.copytree(chain.path(stage), workspace.results / chain.path(stage).name)
        return workspace

    return copy
