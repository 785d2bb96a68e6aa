"""The collapse that couples a surrogate to a hydro code, in its small form: from Python, and in Fortran."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "coupled_collapse"
CELLS, STEPS = "12", 5


def run(*words: str | Path) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def collapse(output: Path, steps: int, *options: str | Path) -> str:
    words = ("--cells", CELLS, "--steps", str(steps), *options)
    return run(sys.executable, EXAMPLE / "collapse.py", output, *words)


def off(printed: str) -> float:
    """By how much the totals over the grid are off."""
    found = re.search(r"grid off by *([\d.Ee+-]+)", printed)
    assert found, printed
    return float(found.group(1))


@pytest.mark.skipif(
    importlib.util.find_spec("pyro") is None, reason="pyro is not installed (pip install pyro-hydro)"
)
def test_the_collapse_conserves_restarts_and_is_compared_with_the_solver(tmp_path: Path) -> None:
    both, solver, alone, restarted = (tmp_path / f"{n}.npz" for n in ("both", "solver", "alone", "restarted"))
    assert off(collapse(both, STEPS)) < 1e-9
    assert off(collapse(solver, STEPS, "--tolerance", "0")) < 1e-9
    assert off(collapse(alone, STEPS, "--tolerance", "inf")) < 1e-9
    with np.load(both) as found, np.load(solver) as truth, np.load(alone) as never:
        assert 0 < found["by_solver"].sum() < found["by_solver"].size
        assert truth["by_solver"].all()
        assert not never["by_solver"].any()
        np.testing.assert_array_equal(found["physical"], truth["physical"])
    # the first steps from atoms are what the surrogate is not trusted with
    printed = run(sys.executable, EXAMPLE / "compare.py", alone, both, solver, tmp_path)
    error = dict(re.findall(r"^(surrogate .*?) +([\d.]+)", printed, re.MULTILINE))
    assert float(error["surrogate and solver"]) < float(error["surrogate alone"]) < 0.5
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "coupled_profiles.png",
        "coupled_share.png",
        "coupled_trust.png",
    ]
    collapse(restarted, STEPS - 3)
    collapse(restarted, STEPS, "--restart", restarted)
    with np.load(both) as found, np.load(restarted) as again:
        for name in found.files:
            np.testing.assert_array_equal(found[name], again[name], err_msg=name)


@pytest.mark.skipif(
    not (shutil.which("gfortran") and (shutil.which("gcc") or shutil.which("cc"))),
    reason="no C or Fortran compiler is installed (apt-get install gcc gfortran)",
)
def test_the_collapse_in_fortran_conserves_and_restarts(tmp_path: Path) -> None:
    bundle = tmp_path / "library"
    run(sys.executable, "-m", "chemnet", "export", "collapse", "surrogate.neutral=true", "--output", bundle)
    assert len((bundle / "examples/collapse.f90").read_text().splitlines()) <= 150
    run("make", "-C", bundle, "CFLAGS=-O2", "all", "fortran")
    program, weights = bundle / "build/collapse", bundle / "weights.bin"
    whole, half, again = (tmp_path / name for name in ("whole", "half", "again"))
    printed = run(program, weights, whole, "64")
    assert off(printed) < 1e-9
    density, not_trusted = re.findall(r"density *([\d.E+-]+), not trusted *([\d.]+)", printed)[0]
    assert float(density) > 1e7
    assert 0.0 < float(not_trusted) < 20.0
    run(program, weights, half, "30")
    run(program, weights, again, "64", half)
    assert again.read_bytes() == whole.read_bytes()
