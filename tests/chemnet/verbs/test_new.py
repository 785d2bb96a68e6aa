"""`chemnet new plugin` writes a package that installs, trains and passes its test as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import chemnet


def test_a_new_plugin_passes_its_own_test(tmp_path: Path) -> None:
    made = chemnet("new", "plugin", "cold-models", "--folder", tmp_path, "--json")
    assert made.code == 0, made.err
    folder = tmp_path / "cold-models"
    assert (folder / "src" / "cold_models" / "models.py").is_file()
    assert "@" not in (folder / "src" / "cold_models" / "__init__.py").read_text(encoding="utf-8")
    path = os.pathsep.join([str(folder / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    outcome = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "0",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            folder,
            folder,
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout[-3000:]


@pytest.mark.parametrize(
    ("name", "said"),
    [("Bad-", "cannot be the name"), ("class", "cannot be the name"), ("numpy", "is there already")],
)
def test_a_name_that_cannot_be_is_refused(name: str, said: str, tmp_path: Path) -> None:
    outcome = chemnet("new", "plugin", name, "--folder", tmp_path)
    assert (outcome.code, said in outcome.err) == (2, True)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "my_models").mkdir()
    outcome = chemnet("new", "plugin", "my_models", "--folder", tmp_path)
    assert (outcome.code, "exists already" in outcome.err) == (2, True)
