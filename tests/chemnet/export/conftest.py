"""An exported surrogate, its library built by the compiler of this machine."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import made_emulators
import made_implicit
import pytest

from chemnet.export.bundle import write_bundle


@pytest.fixture(scope="session")
def c_compiler() -> str:
    """A C compiler; tests that need one skip where there is none."""
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None:
        pytest.skip("no C compiler is installed (apt-get install gcc)")
    return found


@pytest.fixture(scope="session")
def bundle(surrogate: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a made surrogate with an autoencoder."""
    return write_bundle(surrogate, tmp_path_factory.mktemp("bundle") / "library")


@pytest.fixture(scope="session")
def implicit_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a made surrogate around the implicit step of three phases; some are integrated."""
    surrogate = made_implicit.make_surrogate("collapse_bulk", uclchem_compatible=True, solver_error=0.02)
    return write_bundle(surrogate, tmp_path_factory.mktemp("implicit") / "library")


@pytest.fixture(scope="session", params=["bundle", "implicit_bundle"])
def any_bundle(request: pytest.FixtureRequest) -> Path:
    """One bundle after the other."""
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def shared_library(bundle: Path, c_compiler: str) -> ctypes.CDLL:
    """The library of a bundle; its code is the same for all."""
    target = bundle / "library.so"
    sources = [str(path) for path in sorted((bundle / "src").glob("*.c"))]
    flags = ["-std=c99", "-O2", "-ffp-contract=fast", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    subprocess.run([c_compiler, *flags, *sources, "-lm", "-o", str(target)], check=True)
    code = ctypes.CDLL(str(target))
    code.chemnet_error_text.restype = ctypes.c_char_p
    code.chemnet_close.argtypes = [ctypes.c_void_p]
    target.unlink()
    return code


@pytest.fixture
def make_emulator(tiny: Any, row_description: Any, window_description: Any, training_rows: Any) -> Any:
    """Return a function that builds the networks of a surrogate by the emulator's name."""

    def make(name: str, use_dt: bool) -> Any:
        autoencoder = made_emulators.make_autoencoder(
            tiny({"model.name": "Autoencoder"}), row_description, training_rows
        )
        return made_emulators.make_parts(
            tiny, window_description, training_rows, autoencoder, name, use_dt=use_dt
        )

    return make
