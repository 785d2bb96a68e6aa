"""Ctrl-C and kill -9 in the middle of a training cost little, and the way on is told."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import interrupt, start_chemnet, wait_for
from workspace import Workspace

Copy = Callable[..., Workspace]
ENDLESS = ("train.epochs=1000000", "train.early_stopping_patience=false")


def epochs_in(folder: Path | None) -> int:
    """How many epochs a training has written down."""
    metrics = folder / "metrics.jsonl" if folder else None
    return len(metrics.read_text(encoding="utf-8").splitlines()) if metrics and metrics.exists() else 0


def running(workspace: Workspace) -> Path | None:
    """The hidden directory of the training that runs."""
    return next(workspace.results.glob(".partial-*-train-*"), None)


def start_training(workspace: Workspace) -> subprocess.Popen[str]:
    """Start a training without end and wait until some epochs are on disk."""
    process = start_chemnet("train", "-c", workspace.config, *ENDLESS, cwd=workspace.folder)
    wait_for(lambda: epochs_in(running(workspace)) >= 3, process)
    return process


@pytest.fixture
def workspace(copy_of_chain: Copy) -> Workspace:
    """A workspace that holds a preprocess result."""
    return copy_of_chain("preprocess")


def test_ctrl_c_keeps_the_best_weights_and_says_how_to_resume(workspace: Workspace) -> None:
    outcome = interrupt(start_training(workspace))
    assert outcome.code == 130
    assert "Traceback" not in outcome.err
    assert "train.resume" in outcome.err
    trained = next(workspace.results.glob("*-train-*"))
    assert (trained / "weights.safetensors").is_file()
    reached = epochs_in(trained)
    assert reached >= 3
    assert workspace.run("infer").code == 2, "an interrupted training is not picked up unasked"
    resumed = workspace.result("train", f"train.resume={trained.name}", f"train.epochs={reached + 2}")
    assert epochs_in(resumed) == reached + 2


def test_a_killed_training_loses_at_most_one_epoch(workspace: Workspace) -> None:
    process = start_training(workspace)
    process.send_signal(signal.SIGSTOP)
    partial = running(workspace)
    assert partial is not None
    before = epochs_in(partial)
    kept = json.loads((partial / "resume.json").read_text(encoding="utf-8"))["state"]["epoch"]
    assert kept >= before - 1
    process.kill()
    process.communicate()
    assert not list(workspace.results.glob("2*-train-*")), (
        "what was killed has no name that a verb could pick up"
    )
    assert "unfinished" in workspace.run("results").out
    resumed = workspace.result("train", "train.resume=latest", f"train.epochs={before + 2}")
    lines = (resumed / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    epochs = [json.loads(line)["epoch"] for line in lines]
    assert epochs == list(range(1, before + 3))
