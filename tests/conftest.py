"""Fixtures that every test may use."""

from __future__ import annotations

import os

# two cores at most: before NumPy, Numba or torch start their pools
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real UCLCHEM tracers beside the checkout; tests that need it skip without it."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CHEMNET_SHARED_DATA", beside))
    if not (folder / "uclchem_tracers.h5").is_file():
        pytest.skip("real UCLCHEM tracers are not beside this checkout")
    return folder
