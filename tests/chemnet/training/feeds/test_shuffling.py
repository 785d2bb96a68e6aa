"""A split that is read in chunks comes as well mixed as its memory allows, and each item exactly once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.training.feeds.shuffling import ChunkedShuffleSampler, shuffled

CHUNK, CHUNKS, TOGETHER = 50, 400, 40
EPOCHS = range(1, 6)


def sampler(seed: int | None = 1) -> ChunkedShuffleSampler:
    return ChunkedShuffleSampler([CHUNK] * CHUNKS, TOGETHER, seed)


@given(
    sizes=st.lists(st.integers(0, 30), max_size=20),
    together=st.integers(0, 8),
    seed=st.one_of(st.none(), st.integers(0, 2**31)),
    epoch=st.integers(0, 5),
)
def test_each_item_comes_exactly_once_per_epoch(
    sizes: list[int], together: int, seed: int | None, epoch: int
) -> None:
    order = ChunkedShuffleSampler(sizes, together, seed).epoch_order(epoch)
    assert Counter(order.tolist()) == Counter(range(sum(sizes)))


def test_epochs_and_seeds_differ_and_repeat() -> None:
    first, again = sampler().epoch_order(1), sampler().epoch_order(1)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, sampler().epoch_order(2))
    assert not np.array_equal(first, sampler(2).epoch_order(1))


def test_without_a_seed_items_come_as_they_stand() -> None:
    assert np.array_equal(sampler(None).epoch_order(1), np.arange(CHUNK * CHUNKS))


def test_neighbours_come_from_one_chunk_as_rarely_as_chance_allows() -> None:
    # of two neighbours in a group of K chunks of C items, (C - 1) / (K C - 1) share a chunk by chance
    shared = [np.mean(np.diff(sampler().epoch_order(epoch) // CHUNK) == 0) for epoch in EPOCHS]
    by_chance = (CHUNK - 1) / (TOGETHER * CHUNK - 1)
    # five epochs are 100,000 pairs: 5 standard deviations
    assert np.mean(shared) == pytest.approx(by_chance, abs=5 * np.sqrt(by_chance / (5 * CHUNK * CHUNKS)))


def test_items_that_stood_side_by_side_are_no_closer_than_others_of_their_group() -> None:
    for epoch in EPOCHS:
        order = sampler().epoch_order(epoch)
        place = np.argsort(order)
        inside = np.arange(CHUNK * CHUNKS - 1) % CHUNK != CHUNK - 1
        gaps = np.abs(np.diff(place))[inside]
        # two random places among n are n / 3 apart in the mean, with a variance of n^2 / 18
        n = TOGETHER * CHUNK
        assert gaps.mean() == pytest.approx(n / 3, abs=5 * n / np.sqrt(18 * len(gaps)) + 1)


def test_neighbours_are_as_distant_in_the_file_as_in_a_perfect_shuffle() -> None:
    n = CHUNK * CHUNKS
    found = [np.abs(np.diff(sampler().epoch_order(epoch))).mean() for epoch in EPOCHS]
    perfect = [np.abs(np.diff(shuffled(n, 1, epoch))).mean() for epoch in EPOCHS]
    # a group holds a tenth of the chunks, drawn from everywhere
    assert np.mean(found) == pytest.approx(np.mean(perfect), rel=0.05)


def test_values_of_neighbours_are_hardly_correlated() -> None:
    # a quantity that drifts along the file, as tracers sorted by family do
    drift = np.sin(np.arange(CHUNK * CHUNKS) / 3000.0)
    lags = [np.corrcoef(one[:-1], one[1:])[0, 1] for one in (drift[sampler().epoch_order(e)] for e in EPOCHS)]
    assert abs(np.mean(lags)) < 0.1
    unmixed = ChunkedShuffleSampler([CHUNK] * CHUNKS, 1, 1).epoch_order(1)
    assert np.corrcoef(drift[unmixed][:-1], drift[unmixed][1:])[0, 1] > 0.9


def test_no_place_of_the_epoch_prefers_a_part_of_the_file() -> None:
    # counts of file tenths in epoch tenths, over epochs: each about the same
    counts = np.zeros((10, 10))
    for epoch in range(1, 41):
        tenths = (sampler().epoch_order(epoch) * 10 // (CHUNK * CHUNKS)).reshape(10, -1)
        counts += [np.bincount(row, minlength=10) for row in tenths]
    # chunks are drawn, not items: 40 epochs x 4 chunks of a tenth in each cell in the mean
    assert np.abs(counts / counts.mean() - 1.0).max() < 5 / np.sqrt(40 * 4)
