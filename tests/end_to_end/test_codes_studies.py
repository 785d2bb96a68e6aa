"""A set of the CODES benchmark, made small in its layout, from `download` to the tables of the studies."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from command_line import chemnet
from made_tracers import make_tracers

from chemnet.results import ResultDirectory

COUNTS = {"train": 12, "val": 3, "test": 3}
SETTINGS = """\
[general]
results_dir = "results"
device = "cpu"

[data_set]
physical = ["Density", "Radfield", "Av", "gasTemp"]

[preprocess]
own_split = true

[model]
name = "DirectRelaxation"

[model.DirectRelaxation]
hidden = [8]
use_dt = true

[train]
component = "direct"
epochs = 1

[study]
intervals = [3]
cutoffs = [0.6]
factors = [4]
batch_factors = [0.5]
ensemble_size = 2

[mlflow]
enabled = false
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and checksum of a set on a server of this machine: parameters that do not change in time."""
    folder = tmp_path / "server"
    folder.mkdir()
    tracers, first = make_tracers(sum(COUNTS.values()), 20), 0
    with h5py.File(folder / "data.hdf5", "w") as file:
        for name, count in COUNTS.items():
            chosen = slice(first, first + count)
            file[name] = tracers.abundance[chosen].astype(np.float32)
            file[f"{name}_params"] = tracers.physical[chosen, 0].astype(np.float32)
            first += count
        file["timesteps"] = tracers.time[0]
        file.attrs["n_train_samples"] = COUNTS["train"]
        file.attrs["labels"] = np.array(tracers.species, dtype="S")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    content = (folder / "data.hdf5").read_bytes()
    yield f"http://127.0.0.1:{server.server_port}/data.hdf5", hashlib.sha256(content).hexdigest()
    server.shutdown()
    thread.join()
    server.server_close()


def test_from_the_download_to_the_tables(served: tuple[str, str], tmp_path: Path) -> None:
    address, checksum = served
    sets, settings = tmp_path / "sets.toml", tmp_path / "codes.toml"
    sets.write_text(f'[small_cloud]\nurl = "{address}"\nsha256 = "{checksum}"\nwhat = "a small cloud"\n')
    settings.write_text(SETTINGS)
    outcome = chemnet(
        "download", "small_cloud", f"download.list={sets}", "--output", tmp_path / "data", "--json"
    )
    assert outcome.code == 0, outcome.err
    words = ["-c", settings, f"data_set.path={outcome.path}", "--json"]
    preprocessed = chemnet("preprocess", *words)
    assert preprocessed.code == 0, preprocessed.err
    assert "12 tracers" in preprocessed.answer["summary"]["train"]
    studied = chemnet("study", *words)
    assert studied.code == 0, studied.err
    result = ResultDirectory.open(studied.path)
    assert result.summary["studies"] == "interpolation, extrapolation, sparse, batch_size, uncertainty"
    assert (result.summary["trainings"], result.summary["failed"]) == (6, 0)
    tables = result.file("tables.md").read_text()
    for title in ("accuracy", "interpolation", "extrapolation", "sparse", "batch_size", "uncertainty"):
        assert f"## {title}" in tables
        assert title == "accuracy" or result.file(f"{title}.png").is_file()
