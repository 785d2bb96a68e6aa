from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import wait_for
from processes import free_port
from trainings import failing_at, same, train, weights_of

from chemnet.training.loop import tracking
from chemnet.training.loop.train_component import parameters_of


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
    log = (result.path / "log.txt").read_text(encoding="utf-8")
    assert f"mlflow ui --backend-store-uri sqlite:///{results_dir / tracking.STORE_FILE}" in log


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """A tracking server: its address, and what kills it."""
    port = free_port()
    store = f"sqlite:///{tmp_path / 'store.db'}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port)]
    command += ["--artifacts-destination", str(tmp_path / "artifacts"), "--workers", "1"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **quiet)
    address = f"http://127.0.0.1:{port}"

    def kill() -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    try:
        wait_for(lambda: _answers(f"{address}/health"), process)
        yield address, kill
    finally:
        kill()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_is_tracked_by_a_server(
    tiny: Any, results_dir: Path, server: tuple[str, Callable[[], None]]
) -> None:
    from mlflow.tracking import MlflowClient

    address, _ = server
    train(tiny({"mlflow.enabled": True, "mlflow.tracking_uri": address, "train.epochs": 2}))
    client = MlflowClient(address)
    (run,) = client.search_runs([client.get_experiment_by_name("chemnet").experiment_id])
    assert run.info.status == "FINISHED"
    assert len(client.get_metric_history(run.info.run_id, "validate_loss")) == 2
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {"summary.json"}
    assert not (results_dir / tracking.STORE_FILE).exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_training_outlives_its_tracking_server(
    tiny: Any,
    server: tuple[str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    alone = train(tiny())
    address, kill = server
    # four batches an epoch: in the second
    failing_at(monkeypatch, 6, lambda: kill() or 1.0)
    trained = train(tiny({"mlflow.enabled": True, "mlflow.tracking_uri": address}))
    assert same(weights_of(trained), weights_of(alone))
    assert trained.directory.status == "done"
    assert caplog.text.count(f"{address} can no longer be reached") == 1


def test_a_training_outlives_its_tracking_store(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from mlflow.exceptions import MlflowException

    calls = []

    class Gone:
        def log_batch(self, *words: Any, **more: Any) -> None:
            calls.append(words)
            raise MlflowException("API request failed: Connection refused")

        log_artifact = set_terminated = log_batch

    tracker = tracking.MlflowTracker.__new__(tracking.MlflowTracker)
    tracker._client, tracker.run_id, tracker._uri, tracker._lost = Gone(), "r", "http://there", False
    with tracker.ended_with(lambda: [tmp_path]):
        for epoch in (1, 2):
            tracker.epoch({"epoch": epoch, "loss": 1.0})
    assert len(calls) == 1
    assert caplog.text.count("MLflow run r: http://there can no longer be reached (API request failed") == 1


def _answers(url: str) -> bool:
    """Whether a server answers."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status == 200
    except OSError:
        return False


PAIR = """
import sys, time
from pathlib import Path
import mlflow.tracking
from chemnet.config import load_config
from chemnet.training.loop.tracking import MlflowTracker
folder = Path(sys.argv[1])
(folder / f"ready{sys.argv[2]}").touch()
while len(list(folder.glob("ready*"))) < 2:
    time.sleep(0.001)
tracker = MlflowTracker(load_config([], [f"general.results_dir={folder}"]), sys.argv[2])
with tracker.ended_with(lambda: []):
    tracker.epoch({"epoch": 1, "loss": 1.0})
"""


def test_two_first_trainings_make_one_store_together(tmp_path: Path) -> None:
    pair = [
        subprocess.Popen([sys.executable, "-c", PAIR, tmp_path, name], stderr=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    told = [process.communicate()[1] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], told
    with sqlite3.connect(tmp_path / tracking.STORE_FILE) as store:
        runs = store.execute("select name, status, experiment_id from runs order by name").fetchall()
    assert [run[:2] for run in runs] == [("one", "FINISHED"), ("two", "FINISHED")]
    assert runs[0][2] == runs[1][2]
