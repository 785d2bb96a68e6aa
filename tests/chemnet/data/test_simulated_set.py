"""The simulated set: what is written comes back, byte for byte the same, and pandas can read it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from chemnet.chemistry.tracers import Tracer, generate_tracers
from chemnet.config import load_config
from chemnet.data.pandas_writer import write_pandas_layout
from chemnet.data.simulated_set import SimulatedSet, SimulatedWriter
from chemnet.errors import DataError
from chemnet.registry import DATASETS

SPECIES = ("H", "H2", "CO", "#CO", "#H2O", "@CO", "E-")
PROVENANCE = {"network": "made", "seed": 3}


def a_set(path: Path, tracers: list[Tracer]) -> Path:
    rng = np.random.default_rng(0)
    longest = max(len(tracer) for tracer in tracers)
    with SimulatedWriter(path, SPECIES, len(tracers), longest, PROVENANCE) as writer:
        for model, tracer in enumerate(tracers):
            writer.add(tracer, 2 * model, rng.random((len(tracer), len(SPECIES))).astype("f4"))
    return path


@pytest.fixture
def tracers() -> list[Tracer]:
    return generate_tracers(3, seed=0, n_steps=6)


def test_a_set_comes_back_as_it_was_written(tmp_path: Path, tracers: list[Tracer]) -> None:
    expected = np.random.default_rng(0).random((3, 6, len(SPECIES))).astype("f4")
    with SimulatedSet(a_set(tmp_path / "tracers.h5", tracers)) as simulated:
        assert len(simulated) == 3
        assert simulated.species == SPECIES
        assert simulated.tracer_ids == ("0", "1", "2")
        assert simulated.families == tuple(tracer.family for tracer in tracers)
        assert simulated.models.tolist() == [0, 2, 4]
        assert simulated.provenance["seed"] == 3
        for i in simulated:
            np.testing.assert_array_equal(simulated.time(i), tracers[i].time)
            np.testing.assert_array_equal(simulated.physical(i), tracers[i].physical)
            np.testing.assert_array_equal(simulated.abundances(i), expected[i])


def test_shorter_tracers_keep_their_own_length(tmp_path: Path, tracers: list[Tracer]) -> None:
    short = Tracer("short", tracers[0].time[:2], tracers[0].physical[:2])
    with SimulatedSet(a_set(tmp_path / "tracers.h5", [tracers[0], short])) as simulated:
        assert simulated.physical(1).shape == (2, 4)
        assert simulated.n_rows == 8
        assert np.isfinite(simulated.abundances(1)).all()


def test_same_content_gives_the_same_bytes(tmp_path: Path, tracers: list[Tracer]) -> None:
    first, again = a_set(tmp_path / "a.h5", tracers), a_set(tmp_path / "b.h5", tracers)
    assert first.read_bytes() == again.read_bytes()


def test_stoichiometry_stands_beside_the_species(tmp_path: Path, tracers: list[Tracer]) -> None:
    with h5py.File(a_set(tmp_path / "tracers.h5", tracers)) as file:
        elements = list(file["stoichiometry"].attrs["elements"])
        matrix = file["stoichiometry"][:]
    assert elements == ["H", "C", "O"]
    assert matrix[SPECIES.index("#H2O")].tolist() == [2, 0, 1]
    assert matrix[SPECIES.index("E-")].tolist() == [0, 0, 0]


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"no")
    with pytest.raises(DataError, match="is no simulated set"):
        SimulatedSet(tmp_path / "x.h5")


def test_pandas_reads_the_pandas_layout(tmp_path: Path, tracers: list[Tracer]) -> None:
    with SimulatedSet(a_set(tmp_path / "tracers.h5", tracers)) as simulated:
        write_pandas_layout(simulated, tmp_path / "table.h5")
        abundances = np.concatenate([simulated.abundances(i) for i in simulated])
    table = pd.read_hdf(tmp_path / "table.h5", "df")
    physical = ["Density", "Radfield", "Av", "gasTemp"]
    assert list(table.columns) == ["Index", "Model", "Time", *physical, *SPECIES, "SURFACE", "BULK"]
    assert table["Index"].tolist() == list(range(18))
    assert table["Model"].tolist() == [0] * 6 + [2] * 6 + [4] * 6
    np.testing.assert_array_equal(table[physical], np.concatenate([tracer.physical for tracer in tracers]))
    np.testing.assert_array_equal(table[list(SPECIES)], abundances)
    np.testing.assert_allclose(table["SURFACE"], abundances[:, 3] + abundances[:, 4], rtol=1e-6)
    np.testing.assert_array_equal(table["BULK"], abundances[:, 5])


def test_preprocess_reads_padded_tracers_at_their_own_length(tmp_path: Path, tracers: list[Tracer]) -> None:
    short = Tracer("short", tracers[0].time[:3], tracers[0].physical[:3])
    path = a_set(tmp_path / "tracers.h5", [tracers[0], short])
    config = load_config([], [f"data_set.path={path}", "data_set.unequal_length=keep"])
    dataset = DATASETS.get("TracerTable")(config)
    assert dataset.tracer_ids == ["0", "short"]
    assert dataset.lengths.tolist() == [6, 3]
    block = dataset.read([1])
    np.testing.assert_array_equal(block.physical, short.physical)
    assert np.isfinite(block.abundance).all()
