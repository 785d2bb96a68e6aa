"""What README and docs/how-to/couple.md tell a C++ or Fortran person to do works, word by word."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "couple.md"
NEEDED = ("cc", "c++", "gfortran", "cmake")

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason="apt-get install gcc g++ gfortran cmake"
)


def block(page: Path, language: str, containing: str) -> str:
    """The fenced block of a page in one language that contains some words."""
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return next(text for text in found if containing in text)


def shell(lines: str, folder: Path) -> str:
    """Run lines of a shell, with the `chemnet` of this environment, and return what they printed."""
    done = subprocess.run(
        ["bash", "-euc", lines],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_lines_of_the_readme_build_and_run_a_library(tmp_path: Path) -> None:
    first, *lines = block(ROOT / "README.md", "bash", "chemnet export").splitlines()
    # what runs the tests is such an install; .ci/wheel makes a fresh one
    assert first.startswith("pip install ")
    printed = shell("\n".join(lines), tmp_path)
    assert "100% tests passed" in printed
    # where the library had to integrate, a cell is flagged
    assert int(re.findall(r"cells 100 steps 10 flagged (\d+) ", printed)[0]) < 200


def test_the_programs_of_the_page_agree_in_a_build_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_text(block(PAGE, "cpp", "int main"), encoding="utf-8")
    (tmp_path / "main.f90").write_text(block(PAGE, "fortran", "program"), encoding="utf-8")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(mine LANGUAGES C CXX Fortran)\n"
        "add_executable(my_code main.cpp)\n"
        + block(PAGE, "cmake", "add_subdirectory")
        + "add_executable(mine main.f90)\ntarget_link_libraries(mine PRIVATE chemnet_surrogate_fortran)\n",
        encoding="utf-8",
    )
    printed = shell(
        "chemnet export collapse --output collapse_library --quiet\n"
        "cmake -S . -B build >&2 && cmake --build build >&2\nbuild/my_code\nbuild/mine",
        tmp_path,
    )
    answers = re.findall(r"^H2 +([\d.]+[eE]-?\d+), expected error +([\d.]+) dex$", printed, re.MULTILINE)
    assert len(answers) == 2
    assert [float(word) for word in answers[0]] == [float(word) for word in answers[1]]
    assert float(answers[0][0]) > 0.4
