"""What is kept on disk of a compiled kernel expires with functions of other folders that it calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chemnet

PROGRAM = """
import numpy as np
from chemnet.surrogate.engine.perceptron_kernels import unscale
out = np.empty(1, np.float32)
unscale(np.ones(1, np.float32), 20.0, out)
print(out[0], sum(unscale.stats.cache_hits.values()))
"""


def run(folder: Path) -> list[str]:
    """Return what the program prints with the package of a folder."""
    environment = os.environ | {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "kept")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.slow
def test_a_kernel_of_the_engine_expires_with_the_elementary_functions_of_training(tmp_path: Path) -> None:
    shutil.copytree(Path(chemnet.__file__).parent, tmp_path / "chemnet")
    assert run(tmp_path) == ["1.0", "0"]
    assert run(tmp_path) == ["1.0", "1"]
    other = tmp_path / "chemnet" / "models" / "fast" / "kernels" / "elementary.py"
    other.write_text(other.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert run(tmp_path) == ["1.0", "0"]
