"""Without a home that can be written, caches go to a temporary folder of the user's own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from chemnet import caches

SHOWN = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No home, no cache set, and a temporary folder of the test's own."""
    for name in SHOWN:
        monkeypatch.delenv(name, raising=False)
    # nobody can make a folder below a device, not even root
    monkeypatch.setenv("HOME", "/dev/null/home")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # what the function sets is taken back
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return tmp_path


def test_the_folder_is_the_users_alone_and_the_same_again(homeless: Path, caplog) -> None:
    caches.ensure_caches()
    folder = homeless / f"chemnet-cache-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder / "numba")
    assert os.environ["MPLCONFIGDIR"] == str(folder / "matplotlib")
    assert len(caplog.records) == 1
    assert "/dev/null/home/.cache" in caplog.text
    caches.ensure_caches()
    assert len(caplog.records) == 1, "what is set stays"
    assert [one.name for one in homeless.iterdir()] == [folder.name]


@pytest.mark.parametrize("others", ["link", "open", "file"])
def test_a_folder_that_somebody_else_could_fill_is_not_used(
    homeless: Path, tmp_path: Path, others: str
) -> None:
    folder = homeless / f"chemnet-cache-{os.getuid()}"
    if others == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    elif others == "open":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        folder.touch()
    caches.ensure_caches()
    assert Path(os.environ["NUMBA_CACHE_DIR"]).parent != folder


def test_a_home_is_left_as_it_is(homeless: Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    monkeypatch.setitem(os.environ, "HOME", str(homeless))
    caches.ensure_caches()
    assert "NUMBA_CACHE_DIR" not in os.environ
    assert not caplog.records


def test_a_process_without_a_home_compiles_and_draws_with_one_warning(tmp_path: Path) -> None:
    code = "import chemnet.plots.figures, chemnet.models.fast.training_kernels.elementary, umap.distances"
    env = {name: value for name, value in os.environ.items() if name not in SHOWN}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**env, "HOME": "/dev/null/home", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "no cache can be written in /dev/null/home/.cache" in done.stderr
