"""Compiled code on disk: reused while the sources stay, gone when any of them changes."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chemnet
from chemnet.compiling import announce_compilation

PROGRAM = """
from chemnet.chemistry.rates.grain import sticking_coefficient
found = sticking_coefficient(0.5, 52.0, 1e-30)
hits = sum(sticking_coefficient.stats.cache_hits.values())
print(round(found, 6), hits)
"""


ANNOUNCING = """
import logging, sys
from chemnet.compiling import announce_compilation
from chemnet.chemistry.rates.grain import sticking_coefficient
logging.basicConfig(stream=sys.stdout, level="INFO", format="%(message)s")
announce_compilation(sticking_coefficient)
announce_compilation(sticking_coefficient)
sticking_coefficient(0.5, 52.0, 1e-30)
"""


PAIR = """
from typing import NamedTuple

class Pair(NamedTuple):
    a: float
    b: float
"""
SUMMING = """
from chemnet.compiling import compiled

@compiled
def total(pair):
    return pair.a + pair.b
"""
CALL = """
from chemnet.chemistry.{} import Pair
from chemnet.chemistry.summing import total
print(total(Pair(1.5, 2.5)))
"""


def run(folder: Path, program: str = PROGRAM) -> list[str]:
    """Return what a program prints with the package of `folder`."""
    environment = os.environ | {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "kept")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_compiled_code_expires_with_the_sources_of_what_it_calls(tmp_path: Path) -> None:
    shutil.copytree(Path(chemnet.__file__).parent, tmp_path / "chemnet")
    assert run(tmp_path) == ["0.5", "0"]
    assert run(tmp_path) == ["0.5", "1"]
    other = tmp_path / "chemnet" / "chemistry" / "rates" / "constants.py"
    other.write_text(other.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert run(tmp_path) == ["0.5", "0"]


def test_what_is_kept_may_name_a_class_whose_module_has_moved(tmp_path: Path) -> None:
    shutil.copytree(Path(chemnet.__file__).parent, tmp_path / "chemnet")
    chemistry = tmp_path / "chemnet" / "chemistry"
    (chemistry / "summing.py").write_text(SUMMING, encoding="utf-8")
    for old, new in (("nowhere", "here"), ("here", "there")):
        (chemistry / f"{old}.py").unlink(missing_ok=True)
        (chemistry / f"{new}.py").write_text(PAIR, encoding="utf-8")
        assert run(tmp_path, CALL.format(new)) == ["4.0"]


def test_waiting_for_the_compiler_is_told_once_per_machine(tmp_path: Path) -> None:
    shutil.copytree(Path(chemnet.__file__).parent, tmp_path / "chemnet")
    assert " ".join(run(tmp_path, ANNOUNCING)) == "compiling the solver (once per machine, about a minute)"
    assert run(tmp_path, ANNOUNCING) == []


def test_a_function_that_is_not_compiled_at_all_is_not_announced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        announce_compilation(lambda: 0)
    assert not caplog.records
