"""One tiny chain of results that the tests of this folder share."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from workspace import Workspace, make_workspace

EMULATOR = ("model.name=LatentEmulator", "train.component=emulator")
#: the chain as a user types it: stage -> words after `chemnet VERB -c tiny.toml`
STAGES: dict[str, tuple[str, ...]] = {
    "preprocess": ("preprocess",),
    "train": ("train",),
    "infer": ("infer",),
    "umap": ("umap",),
    "visualize": ("visualize",),
    "save_to_database": ("save_to_database",),
    "train_emulator": ("train", *EMULATOR),
    "infer_emulator": ("infer", "infer.model_dir=emulator"),
}


@dataclass(frozen=True)
class Chain(Workspace):
    """A workspace in which every stage has run; `paths` holds their result directories."""

    paths: dict[str, Path]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A fresh workspace without results."""
    return make_workspace(tmp_path / "workspace")


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The whole chain on tiny data, run once for all pytest workers; read it, never write into it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder, paths_file = shared / "chain", shared / "chain.json"
    with FileLock(shared / "chain.lock"):
        if not paths_file.exists():
            workspace = make_workspace(folder)
            paths = {name: str(workspace.result(*words)) for name, words in STAGES.items()}
            paths_file.write_text(json.dumps(paths), encoding="utf-8")
    stored = json.loads(paths_file.read_text(encoding="utf-8"))
    return Chain(folder, {name: Path(path) for name, path in stored.items()})


@pytest.fixture
def copy_of_chain(chain: Chain, tmp_path: Path) -> Callable[..., Workspace]:
    """Return a function that copies some stages of the chain into a fresh workspace."""

    def copy(*stages: str) -> Workspace:
        workspace = make_workspace(tmp_path / "copy")
        for stage in stages:
            shutil.copytree(chain.paths[stage], workspace.results / chain.paths[stage].name)
        return workspace

    return copy
