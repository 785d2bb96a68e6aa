from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chemnet.training import tracking
from chemnet.training.component import parameters_of


def test_parameters_are_flattened_to_dotted_names() -> None:
    assert dict(tracking.flattened({"a": {"b": 1, "c": {"d": [2]}}})) == {"a.b": 1, "a.c.d": [2]}


def test_the_models_own_table_is_among_the_parameters(tiny: Any) -> None:
    logged = dict(tracking.flattened(parameters_of(tiny())))
    assert logged["model.Autoencoder.latent_dim"] == 3
    assert logged["optimizer.lr"] == 1e-3
    assert logged["criterion.name"] == "chemnet.models.losses.ChemistryLoss"


def test_the_commit_of_a_repository_is_found_and_none_elsewhere(tmp_path: Path) -> None:
    assert tracking.git_commit(tmp_path) is None
    words = [
        "git",
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "first",
    ]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(words, cwd=tmp_path, check=True)
    assert len(tracking.git_commit(tmp_path) or "") == 40


def test_training_without_tracking_imports_no_mlflow(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from chemnet.verbs.train import Train

    monkeypatch.setitem(sys.modules, "mlflow", None)  # an import would fail
    assert Train(tiny({"train.epochs": 1})).run().summary["epochs"] == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_is_tracked_in_a_local_store_with_parameters_metrics_and_artifacts(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    from chemnet.verbs.train import Train

    def refuse(*address: Any) -> None:
        raise AssertionError(f"MLflow phoned {address}")

    monkeypatch.setattr(socket, "create_connection", refuse)
    result = Train(
        tiny({"mlflow.enabled": True, "train.experiment_name": "trial", "train.run_name": "one"})
    ).run()
    store = sqlite3.connect(results_dir / tracking.STORE_FILE)
    (name, status), *more = store.execute("select name, status from runs").fetchall()
    assert (name, status, more) == ("one", "FINISHED", [])
    parameters = dict(store.execute("select key, value from params").fetchall())
    assert parameters["model.Autoencoder.latent_dim"] == "3"
    tags = dict(store.execute("select key, value from tags").fetchall())
    assert tags["data_digest"] == result.directory.parents["preprocess"].digest
    losses = store.execute("select value from metrics where key = 'validate_loss' order by step").fetchall()
    assert [loss for (loss,) in losses] == [record["validate_loss"] for record in result.metrics]
    assert {path.name for path in (results_dir / tracking.ARTIFACTS_FOLDER).rglob("*") if path.is_file()} == {
        "curves.png",
        "summary.json",
        "metrics.jsonl",
    }
    store.close()
