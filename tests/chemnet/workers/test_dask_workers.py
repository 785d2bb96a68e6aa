"""Dask workers do what threads do, and a worker that dies loses nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dask_tasks import DeadlyNetwork, scaled
from made_network import write_made_network
from made_tables import table_config

from chemnet import ChemNet
from chemnet.chemistry.network.network import Network
from chemnet.config import load_config
from chemnet.data.preprocess.pipeline import preprocess
from chemnet.data.readers import TracerTable
from chemnet.errors import ConfigError
from chemnet.workers import ThisThread, completed, open_workers, ordered
from chemnet.workers.dask_workers import DaskWorkers

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def address():
    """A scheduler with two worker processes."""
    with DaskWorkers.on_this_machine(2) as workers:
        yield workers.address


def test_a_killed_worker_loses_no_task(address: str, tmp_path: Path) -> None:
    config = load_config(overrides=[f"general.dask={address}"])
    with open_workers(config, ThisThread) as workers:
        table = workers.share({"factor": 3, "marker": tmp_path / "killed"})
        results = dict(completed(workers, scaled, range(30), shared=[table]))
        assert {task: product for task, (_, product) in results.items()} == {n: 3 * n for n in range(30)}
        processes = {process for process, _ in results.values()}
        assert os.getpid() not in processes
        assert (tmp_path / "killed").is_file()
        assert [product for _, product in ordered(workers, scaled, range(7), shared=[table])] == [
            3 * n for n in range(7)
        ]


def test_a_simulation_survives_a_killed_worker_byte_by_byte(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = DeadlyNetwork.read(write_made_network(tmp_path / "made"))
    network.marker = tmp_path / "killed"
    monkeypatch.setattr(Network, "read", lambda path, reading=None: network)
    words = ("simulate.n_tracers=12", "simulate.n_steps=9", f"general.results_dir={tmp_path / 'results'}")
    simulated = ChemNet(overrides=[*words, f"general.dask={address}"]).simulate()
    assert network.marker.is_file()
    here = ChemNet(overrides=words).simulate()
    assert simulated.tracers_file.read_bytes() == here.tracers_file.read_bytes()


def test_preprocessing_by_workers_writes_the_same_splits(
    address: str, made_table: Path, tmp_path: Path
) -> None:
    here, there = (tmp_path / name for name in ("here", "there"))
    for folder, dask in ((here, False), (there, address)):
        folder.mkdir()
        config = table_config(made_table).replace({"general.dask": dask})
        preprocess(TracerTable(config), config, folder)
    for name in ("train.h5", "validate.h5", "test.h5"):
        assert (there / name).read_bytes() == (here / name).read_bytes()


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chemnet.workers.dask_workers._CONNECTION_TIMEOUT", 1)
    config = load_config(overrides=["general.dask=tcp://127.0.0.1:9"])
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers"):
        open_workers(config, ThisThread)
