"""An HDF5 file that could not be written is told, and h5py goes on working."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from chemnet.data.hdf5_output import HDF5Output


def test_what_is_written_is_what_h5py_writes(tmp_path: Path) -> None:
    values = np.arange(12.0).reshape(4, 3)
    with HDF5Output(tmp_path / "a.h5") as output:
        output.file.create_dataset("values", data=values, chunks=(1, 3), compression="gzip")
        output.file.attrs["name"] = "made"
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["values"][:], values)
        assert file.attrs["name"] == "made"


def test_a_full_disk_is_told_with_the_file_and_leaves_h5py_sound(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    # a process of its own: the limit is one of the process, and the library's state is at stake
    script = """
import resource, sys
from pathlib import Path
import h5py, numpy as np
from chemnet.data.hdf5_output import HDF5Output
path = Path(sys.argv[1])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for limit in (300, 2_000, 9_000, 100_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with HDF5Output(path / "full.h5") as output:
            output.file.create_dataset("text", data=["a", "b"], dtype=h5py.string_dtype())
            values = np.random.rand(40_000)
            output.file.create_dataset("values", data=values, chunks=(100,), compression="gzip")
    except OSError as error:
        print(error.filename)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with h5py.File(path / "whole.h5", "w") as file:
        file["values"] = np.ones(3)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == 4 * [str(tmp_path / "full.h5")]


def interrupted(path: Path, times: int, told: list[str], check: bool) -> None:
    with HDF5Output(path) as output:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        output.file["values"] = np.ones(3)
        told.append("written")
        if check:
            output.check()
            told.append("went on")


@pytest.mark.parametrize(
    ("times", "check", "expected"), [(1, True, ["written"]), (1, False, ["written"]), (2, True, [])]
)
def test_ctrl_c_waits_for_the_end_of_a_write_and_a_second_one_does_not(
    tmp_path: Path, times: int, check: bool, expected: list[str]
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    told: list[str] = []
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted(tmp_path / "a.h5", times, told, check)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert told == expected
