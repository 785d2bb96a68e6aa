"""What chemnet promises where its peer disappoints; docs/explanation/promises.md names these tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import chemnet
from workspace import Workspace

Copy = Callable[..., Workspace]


def epochs_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a training's metrics, without what a clock says."""
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if not is_timing(key)} for line in lines]


def is_timing(key: str) -> bool:
    """Whether a metric tells time or speed, which no two runs share."""
    return key.endswith("_s") or "per_second" in key or "time" in key


@pytest.mark.parametrize("stage", ["train", "train_emulator"])
def test_a_results_configuration_reproduces_its_metrics(copy_of_chain: Copy, chain: Any, stage: str) -> None:
    workspace = copy_of_chain("preprocess", "train")
    outcome = chemnet(
        "train",
        "-c",
        chain.path(stage) / "runtime_config.toml",
        f"general.results_dir={workspace.results}",
        "--json",
    )
    assert outcome.code == 0, outcome.err
    assert epochs_of(outcome.path) == epochs_of(chain.path(stage))


def test_a_results_configuration_reproduces_its_splits(workspace: Workspace, chain: Any) -> None:
    made = chain.path("preprocess")
    again = chemnet(
        "preprocess", "-c", made / "runtime_config.toml", f"general.results_dir={workspace.results}", "--json"
    )
    assert again.code == 0, again.err
    assert (again.path / "splits.json").read_text() == (made / "splits.json").read_text()
    assert (again.path / "train.h5").read_bytes() == (made / "train.h5").read_bytes()


def test_a_script_in_a_result_directory_is_not_run(copy_of_chain: Copy) -> None:
    workspace = copy_of_chain("preprocess", "train")
    mark = workspace.folder / "ran"
    for result in workspace.results.iterdir():
        (result / "prepare_inputs.py").write_text(f"open({str(mark)!r}, 'w')", encoding="utf-8")
    workspace.run("infer")
    assert not mark.exists()


def test_a_retrained_autoencoder_is_not_taken_for_the_old_one(copy_of_chain: Copy) -> None:
    workspace = copy_of_chain("preprocess")
    old = workspace.result("train")
    workspace.result("train", "model.name=LatentEmulator", "train.component=emulator")
    retrained = workspace.result("train", "general.seed=9")
    for file in retrained.iterdir():
        file.replace(old / file.name)
    refused = workspace.run("infer", "infer.model_dir=emulator")
    assert refused.code == 2
    assert "changed" in refused.err
