"""Samplers give every row exactly once per epoch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.errors import DataError
from chemnet.preprocessing.samplers import ChunkedShuffleSampler, ShuffledBatchSampler

Sampler = ShuffledBatchSampler | ChunkedShuffleSampler
both = pytest.mark.parametrize("kind", [ShuffledBatchSampler, ChunkedShuffleSampler])


def epoch(sampler: Sampler, number: int = 0) -> np.ndarray:
    sampler.set_epoch(number)
    return np.concatenate(list(sampler))


@both
@given(size=st.integers(1, 500), batch_size=st.integers(1, 70), number=st.integers(0, 3))
def test_each_row_comes_exactly_once_per_epoch(
    kind: type[Sampler], size: int, batch_size: int, number: int
) -> None:
    sampler = kind(size, batch_size, seed=5)
    assert np.sort(epoch(sampler, number)).tolist() == list(range(size))


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 50), st.integers(1, 5))
def test_chunks_of_any_size_lose_no_row(size: int, batch_size: int, chunk_rows: int, in_memory: int) -> None:
    sampler = ChunkedShuffleSampler(size, batch_size, 0, chunk_rows, in_memory)
    batches = list(sampler)
    assert np.sort(np.concatenate(batches)).tolist() == list(range(size))
    assert len(batches) == len(sampler)
    assert all(len(batch) == batch_size for batch in batches[:-1])


@both
def test_epochs_differ_and_the_same_epoch_repeats(kind: type[Sampler]) -> None:
    sampler = kind(1000, 64, seed=1)
    first = epoch(sampler, 0)
    assert (epoch(sampler, 1) != first).any()
    np.testing.assert_array_equal(epoch(kind(1000, 64, seed=1), 0), first)
    assert (epoch(kind(1000, 64, seed=2), 0) != first).any()


@both
def test_the_number_of_batches_is_known(kind: type[Sampler]) -> None:
    sampler = kind(10, 4, seed=0)
    assert len(sampler) == 3
    assert [len(batch) for batch in sampler] == [4, 4, 2]


def test_a_group_of_chunks_is_all_that_a_reader_must_hold() -> None:
    sampler = ChunkedShuffleSampler(1000, 20, seed=0, chunk_rows=10, chunks_in_memory=2)
    for batch in sampler:
        assert len(np.unique(batch // 10)) <= 2


def test_chunked_batches_mix_the_rows_of_a_group() -> None:
    rows = epoch(ChunkedShuffleSampler(1000, 100, seed=0, chunk_rows=100, chunks_in_memory=10))
    assert abs(np.corrcoef(rows, np.arange(1000))[0, 1]) < 0.2


@both
@pytest.mark.parametrize(("size", "batch_size"), [(0, 4), (4, 0)])
def test_empty_splits_and_batches_are_refused(kind: type[Sampler], size: int, batch_size: int) -> None:
    with pytest.raises(DataError):
        kind(size, batch_size, seed=0)
