"""Fixtures that every test may use."""

from __future__ import annotations

import os

# one thread per pytest worker, and nothing that calls home: before NumPy, Numba, torch or MLflow look
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "false")

from pathlib import Path

import hypothesis
import pytest
from made_tracers import MadeTracers, make_tracers, write_uclchem_table

# a first call may compile, and a shared machine may pause: time is no property of the code under test
hypothesis.settings.register_profile("chemnet", deadline=None)
hypothesis.settings.load_profile("chemnet")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real UCLCHEM tracers beside the checkout; tests that need it skip without it."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CHEMNET_SHARED_DATA", beside))
    if not (folder / "uclchem_tracers.h5").is_file():
        pytest.skip("real UCLCHEM tracers are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def made_tracers() -> MadeTracers:
    """Twelve made tracers of thirty steps and twelve species."""
    return make_tracers()


@pytest.fixture(scope="session")
def made_table(made_tracers: MadeTracers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made tracers as a pandas-HDF5 table in UCLCHEM's layout."""
    return write_uclchem_table(tmp_path_factory.mktemp("made") / "tracers.h5", made_tracers)
