"""Fixtures that every test may use."""

from __future__ import annotations

import os

# one thread per pytest worker, and nothing that calls home: before NumPy, Numba, torch or MLflow look
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "false")

import logging
import random
import sys
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from made_tracers import MadeTracers, make_tracers, write_uclchem_table

# time is no property of the code under test: first calls compile, shared machines pause. Nor is luck:
# every run takes the same inputs, and `pytest --hypothesis-profile=explore` looks for new ones
_check = hypothesis.HealthCheck
_patient: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [_check.too_slow, _check.function_scoped_fixture],
}
hypothesis.settings.register_profile("chemnet", derandomize=True, **_patient)
hypothesis.settings.register_profile("explore", **_patient)
hypothesis.settings.load_profile("chemnet")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let a test and the fixtures that it needs first draw the same numbers in any order of tests."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    if "torch" in sys.modules:  # not imported for a test that has no use for it
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def _log_as_at_the_start() -> None:
    """Forget what an earlier test told chemnet's log: tests run in any order, and on their own."""
    log = logging.getLogger("chemnet")
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()
    log.setLevel(logging.NOTSET)
    log.propagate = True


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
