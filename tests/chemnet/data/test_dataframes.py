"""Sets become tables of other libraries, row by row the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_network import SPECIES

from chemnet.chemistry.tracers import Tracer
from chemnet.data.dataframes import Tabular
from chemnet.data.simulated_set import SimulatedSet, SimulatedWriter
from chemnet.errors import MissingPackageError

LENGTHS = (4, 3)


@pytest.fixture
def simulated(tmp_path: Path) -> SimulatedSet:
    """Two tracers of different length."""
    path = tmp_path / "set.h5"
    with SimulatedWriter(path, SPECIES, 2, max(LENGTHS), {}) as writer:
        for number, length in enumerate(LENGTHS):
            physical = np.full((length, 4), 10.0 + number)
            tracer = Tracer(f"t{number}", np.arange(length) * 100.0, physical)
            writer.add(tracer, number, np.full((length, len(SPECIES)), 1e-5 * (number + 1)))
    return SimulatedSet(path)


def assert_same(frame: pd.DataFrame) -> None:
    assert frame["tracer"].tolist() == ["t0"] * 4 + ["t1"] * 3
    assert frame["step"].tolist() == [0, 1, 2, 3, 0, 1, 2]
    np.testing.assert_allclose(frame["H2"], [1e-5] * 4 + [2e-5] * 3, rtol=1e-6)
    np.testing.assert_allclose(frame["gasTemp"], [10.0] * 4 + [11.0] * 3)


def test_a_data_frame_has_each_state_once(simulated: SimulatedSet) -> None:
    assert_same(simulated.to_pandas())


def test_a_parquet_file_holds_the_same(simulated: SimulatedSet, tmp_path: Path) -> None:
    assert_same(pd.read_parquet(simulated.to_parquet(tmp_path / "set.parquet")))


def test_an_xarray_data_set_has_tracer_and_step_as_coordinates(simulated: SimulatedSet) -> None:
    found = simulated.to_xarray()
    assert set(found.coords) == {"tracer", "step"}
    assert_same(found.to_dataframe().reset_index())


def test_without_the_package_the_command_is_told(simulated: Tabular, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chemnet.extras.is_installed", lambda package: False)
    with pytest.raises(MissingPackageError, match=r"pip install 'chemnet\[tables\]'"):
        simulated.to_xarray()
