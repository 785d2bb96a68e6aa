"""Sets in the layout of the CODES benchmark are read, with the split in the tracers' names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from command_line import chemnet

from chemnet.config import load_config
from chemnet.data.readers.tracer_table import TracerTable
from chemnet.errors import DataError

STEPS, SPECIES = 6, ("H", "H2", "CO")
COUNTS = {"train": 8, "val": 3, "test": 4}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Fifteen samples of three species and two parameters."""
    path = tmp_path / "data.hdf5"
    rng = np.random.default_rng(2)
    with h5py.File(path, "w") as file:
        for name, count in COUNTS.items():
            file[name] = 10.0 ** rng.uniform(-8, -4, (count, STEPS, len(SPECIES)))
            file[f"{name}_params"] = 10.0 ** rng.uniform(1, 3, (count, 2))
        file["timesteps"] = np.linspace(0.0, 5e5, STEPS)
        file.attrs["labels"] = list(SPECIES)
    return path


def options(path: Path, *physical: str) -> Any:
    return load_config([]).replace({"data_set.path": str(path), "data_set.physical": list(physical)})


def test_samples_become_tracers_with_their_parameters(made: Path) -> None:
    table = TracerTable(options(made, "Density", "gasTemp"))
    assert table.species == SPECIES
    assert list(table.tracer_ids) == [f"{name}-{i}" for name, count in COUNTS.items() for i in range(count)]
    block = table.read([0, 8, 14])
    with h5py.File(made) as file:
        for part, (name, i) in enumerate((("train", 0), ("val", 0), ("test", 3))):
            rows = slice(part * STEPS, (part + 1) * STEPS)
            np.testing.assert_allclose(block.abundance[rows], file[name][i], rtol=1e-6)
            np.testing.assert_allclose(block.physical[rows], np.tile(file[f"{name}_params"][i], (STEPS, 1)))
            np.testing.assert_allclose(block.time[rows], file["timesteps"][:])


def test_a_set_without_parameters_has_a_constant(made: Path) -> None:
    with h5py.File(made, "a") as file:
        for name in COUNTS:
            del file[f"{name}_params"]
    table = TracerTable(options(made, "constant"))
    assert np.all(table.read([1]).physical == 1.0)


def test_a_set_without_names_is_refused_with_the_attribute(made: Path) -> None:
    with h5py.File(made, "a") as file:
        del file.attrs["labels"]
    with pytest.raises(DataError, match="no attribute 'labels'"):
        TracerTable(options(made, "Density", "gasTemp"))


def test_shapes_that_do_not_fit_are_named(made: Path) -> None:
    with h5py.File(made, "a") as file:
        del file["val"]
        file["val"] = np.ones((3, STEPS + 1, len(SPECIES)))
    with pytest.raises(DataError, match="'val' has shape"):
        TracerTable(options(made, "Density", "gasTemp"))


def test_the_chain_trains_on_it(made: Path, tmp_path: Path) -> None:
    words = [
        f"data_set.path={made}",
        'data_set.physical=["Density","gasTemp"]',
        "data_set.abundance_per=H",
        "data_set.log_columns=[]",
        f"general.results_dir={tmp_path / 'results'}",
        "preprocess.window=4",
    ]
    outcome = chemnet("preprocess", *words)
    assert outcome.code == 0, outcome.err
    assert "15" in outcome.out
