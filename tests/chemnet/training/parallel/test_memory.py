"""Large tensors are reused where the C library can be asked for it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from chemnet.errors import RunFailedError
from chemnet.training.parallel import memory

# blocks that glibc has mapped one by one (`hblks` of mallinfo2(3)), and what a tensor does to that number
SCRIPT = """
import ctypes, re
from pathlib import Path
import torch
from chemnet.training.parallel import memory

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd".split()]
    _fields_ += [(f"other{number}", ctypes.c_size_t) for number in range(5)]

count = ctypes.CDLL(None).mallinfo2
count.restype = Info

def mapped():
    before = count().hblks
    tensor = torch.zeros(16 * 2**20)  # 64 MB
    return count().hblks - before

def held():
    "MB of this process, in memory or swapped out"
    text = Path("/proc/self/status").read_text()
    return sum(int(size) for size in re.findall(r"(?:VmRSS|VmSwap):\\s+(\\d+)", text)) // 1024

print(mapped())
with memory.kept_memory():
    print(*(mapped() for _ in range(8)))
    inside = held()
# one tensor, or two where what was free lacked a few bytes
print(48 < inside - held() < 3 * 64)
"""


@pytest.mark.skipif(
    memory._glibc() is None or not hasattr(memory._glibc(), "mallinfo2"),
    reason="only glibc can be asked to keep memory, and tells what it does since 2.33",
)
def test_memory_of_a_large_tensor_is_used_again_inside_the_block_and_handed_back_after_it() -> None:
    # a process of its own: a thread whose allocation has failed gets its memory elsewhere from then on
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1", "0 0 0 0 0 0 0 0", "True"]


def test_without_glibc_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    with memory.kept_memory():
        assert torch.zeros(10).sum() == 0.0


@pytest.mark.parametrize(("largest", "kept"), [(4 * 2**20, False), (64 * 2**20, True)])
def test_memory_is_kept_for_large_steps_alone(
    largest: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = []

    @contextlib.contextmanager
    def noting() -> Iterator[None]:
        entered.append(True)
        yield

    monkeypatch.setattr(memory, "kept_memory", noting)
    with memory.memory_for_steps(largest):
        assert bool(entered) == kept


def too_large(limit: int) -> Any:
    """Return what doubles a batch, but has memory for `limit` rows alone, and the sizes that it was given."""
    given: list[int] = []

    def double(values: torch.Tensor) -> dict[str, torch.Tensor]:
        given.append(len(values))
        if len(values) > limit:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate")
        return {"twice": 2 * values}

    return double, given


def test_a_batch_that_does_not_fit_is_halved_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    double, given = too_large(3)
    values = torch.arange(10.0)
    assert torch.equal(memory.within_memory(double, values)["twice"], 2 * values)
    assert given == [10, 5, 2, 3, 5, 2, 3]
    assert "out of memory with 10 rows at a time: continuing with two halves" in caplog.text


def test_a_row_that_does_not_fit_ends_the_run() -> None:
    with pytest.raises(RunFailedError, match="out of memory with a single row"):
        memory.within_memory(too_large(0)[0], torch.arange(10.0))
    with pytest.raises(RuntimeError, match="another"):
        memory.within_memory(lambda values: (_ for _ in ()).throw(RuntimeError("another")), torch.arange(3.0))
