"""An HDF5 file that could not be written is told, and h5py goes on working."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from chemnet.data import hdf5_output
from chemnet.data.hdf5_output import HDF5Output


def test_what_is_written_is_what_h5py_writes(tmp_path: Path) -> None:
    values = np.arange(12.0).reshape(4, 3)
    with HDF5Output(tmp_path / "a.h5") as output:
        output.file.create_dataset("values", data=values, chunks=(1, 3), compression="gzip")
        output.file.attrs["name"] = "made"
    with HDF5Output(tmp_path / "a.h5", "r+") as output:
        output.file["values"][2] = 7.0
    values[2] = 7.0
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["values"][:], values)
        assert file.attrs["name"] == "made"


# texts stand apart from the rows that name their place, and each is looked up before it is replaced
FULL = """
import resource, sys
from pathlib import Path
import h5py, numpy as np
from chemnet.data.hdf5_output import HDF5Output
path = Path(sys.argv[1])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for limit in (*range(100, 9_000, 100), 100_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with HDF5Output(path / "full.h5") as output:
            text = output.file.create_dataset("text", (9,), h5py.string_dtype())
            output.file.flush()
            for row in range(9):
                text[row] = f"t{row}"
                output.file.flush()
            assert list(text.asstr()[:]) == [f"t{row}" for row in range(9)]
            values = np.random.rand(40_000)
            output.file.create_dataset("values", data=values, chunks=(100,), compression="gzip")
    except OSError as error:
        print(error.filename or error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with h5py.File(path / "whole.h5", "w") as file:
        file["values"] = np.ones(3)
"""


def test_a_full_disk_is_told_with_the_file_and_the_library_sees_nothing_of_it(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    # a process of its own: the limit is one of the process, and the library's state is at stake
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == 90 * [str(tmp_path / "full.h5")]


def test_a_file_that_could_not_be_begun_is_closed(tmp_path: Path) -> None:
    output = HDF5Output(tmp_path / "a.h5")
    with pytest.raises(TypeError), output.beginning():
        output.file.attrs["what"] = object()
    assert not output.file
    assert signal.getsignal(signal.SIGINT) != hdf5_output._signals._keep


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Let Ctrl-C raise what it usually raises."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def interrupted(path: Path, times: int, told: list[str], check: bool) -> None:
    with HDF5Output(path) as output:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        output.file["values"] = np.ones(3)
        told.append("written")
        if check:
            output.check()
            told.append("went on")


@pytest.mark.usefixtures("_ctrl_c")
@pytest.mark.parametrize(
    ("times", "check", "expected"), [(1, True, ["written"]), (1, False, ["written"]), (2, True, [])]
)
def test_ctrl_c_waits_for_the_end_of_a_write_and_a_second_one_does_not(
    tmp_path: Path, times: int, check: bool, expected: list[str]
) -> None:
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "a.h5", times, told, check)
    assert told == expected


@pytest.mark.usefixtures("_ctrl_c")
def test_nothing_is_raised_inside_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, told = hdf5_output._Disk.write, []

    def interrupted_write(self: Any, data: Any) -> int:
        told.append(len(data))
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        return write(self, data)

    monkeypatch.setattr(hdf5_output._Disk, "write", interrupted_write)
    output = HDF5Output(tmp_path / "a.h5")
    output.file["values"] = np.ones(3)
    output.file.flush()
    assert told
    with pytest.raises(KeyboardInterrupt):
        output.check()
    with pytest.raises(KeyboardInterrupt):
        output.close()
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["values"][:], np.ones(3))
