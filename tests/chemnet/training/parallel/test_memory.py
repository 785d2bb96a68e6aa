"""Large tensors are reused where the C library can be asked for it."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from chemnet.errors import RunFailedError
from chemnet.training.parallel import memory


def faults_of_making_tensors() -> int:
    """Page faults of making and dropping eight tensors of 64 MB, one after another."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.zeros(16 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_memory() -> int:
    """Memory of this process that is in RAM [bytes]."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(memory._glibc() is None, reason="only glibc can be asked to keep memory")
def test_memory_of_a_large_tensor_is_used_again() -> None:
    fresh = faults_of_making_tensors()
    with memory.kept_memory():
        # what is free when the block begins may lack a few bytes of a tensor and its alignment
        faults_of_making_tensors()
        kept = faults_of_making_tensors()
        held = resident_memory()
    assert kept < 0.5 * fresh
    # and handed back afterwards
    assert resident_memory() < held - 48 * 2**20


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
    assert "out of memory with 10 rows at a time: going on with two halves" in caplog.text


def test_a_row_that_does_not_fit_ends_the_run() -> None:
    with pytest.raises(RunFailedError, match="out of memory with a single row"):
        memory.within_memory(too_large(0)[0], torch.arange(10.0))
    with pytest.raises(RuntimeError, match="another"):
        memory.within_memory(lambda values: (_ for _ in ()).throw(RuntimeError("another")), torch.arange(3.0))
