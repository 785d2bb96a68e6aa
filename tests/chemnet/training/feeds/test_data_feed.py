from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chemnet.config import load_config
from chemnet.training.feeds.data_feed import ResidentFeed, RowTable, StreamedFeed, WindowTable, batch_sizes
from chemnet.training.feeds.shuffling import ChunkedShuffleSampler
from chemnet.training.feeds.split_feeds import SplitReader, batch_bytes
from chemnet.training.loop.trace import Trace

CPU = torch.device("cpu")


def numbered_rows(first: int, last: int) -> RowTable:
    """Rows that hold their own number."""
    numbers = torch.arange(first, last, dtype=torch.float32)
    return RowTable(numbers[:, None], numbers[:, None], numbers)


def resident(n_items: int, batch_size: int, seed: int | None = 0) -> ResidentFeed:
    return ResidentFeed(numbered_rows(0, n_items), batch_size, seed)


def streamed(
    n_items: int, batch_size: int, seed: int | None = 0, block: int = 7, together: int = 3
) -> StreamedFeed:
    edges = [*range(0, n_items, block), n_items]
    sizes = [last - first for first, last in pairwise(edges)]
    sampler = ChunkedShuffleSampler(sizes, together, seed)
    return StreamedFeed(lambda k: numbered_rows(edges[k], edges[k + 1]), sampler, batch_size)


def rows_of_epoch(feed: Any, epoch: int = 1) -> list[int]:
    feed.set_epoch(epoch)
    return [int(row) for batch in feed for row in batch["abundance"][:, 0]]


@pytest.mark.parametrize("make", [resident, streamed])
@given(n_items=st.integers(1, 90), batch_size=st.integers(1, 40), seed=st.integers(0, 2**31))
def test_every_row_comes_exactly_once_per_epoch(make: Any, n_items: int, batch_size: int, seed: int) -> None:
    feed = make(n_items, batch_size, seed)
    assert Counter(rows_of_epoch(feed)) == Counter(range(n_items))
    assert len(list(feed)) == len(feed)


@given(n_items=st.integers(1, 500), batch_size=st.integers(1, 100))
def test_batches_are_few_full_and_even(n_items: int, batch_size: int) -> None:
    sizes = batch_sizes(n_items, batch_size)
    assert sum(sizes) == n_items
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert (len(sizes) - 1) * batch_size < n_items


@pytest.mark.parametrize("make", [resident, streamed])
def test_the_order_is_a_function_of_seed_and_epoch_alone(make: Any) -> None:
    orders = [rows_of_epoch(make(50, 8, seed), epoch) for seed, epoch in ((1, 1), (1, 1), (1, 2), (2, 1))]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize("make", [resident, streamed])
def test_without_a_seed_rows_come_in_order(make: Any) -> None:
    assert rows_of_epoch(make(50, 8, None)) == list(range(50))


def test_streaming_mixes_rows_of_distant_blocks() -> None:
    feed = streamed(700, 21, seed=3)
    feed.set_epoch(1)
    spans = [int(batch["abundance"].max() - batch["abundance"].min()) for batch in feed]
    # three blocks of seven rows at a time, drawn from a hundred
    assert np.median(spans) > 200


def test_streaming_reads_one_group_ahead_and_no_more() -> None:
    read: list[int] = []

    def block(k: int) -> RowTable:
        read.append(k)
        return numbered_rows(7 * k, 7 * k + 7)

    batches = iter(StreamedFeed(block, ChunkedShuffleSampler([7] * 30, 2, 0), 7))
    next(batches)
    assert len(read) <= 4


def test_a_streamed_epoch_has_the_order_of_its_sampler() -> None:
    feed = streamed(90, 8, seed=5)
    assert rows_of_epoch(feed, 3) == feed.sampler.epoch_order(3).tolist()


def test_windows_are_gathered_as_the_split_cuts_them(tiny_data: Any) -> None:
    split = tiny_data.split("train")
    table = SplitReader(split, "windows", tiny_data.window, CPU, Trace(0)).whole()
    assert isinstance(table, WindowTable)
    batch, expected = table.gather(torch.tensor([3, 0, 7])), split.windows([3, 0, 7])
    for name, values in expected.items():
        np.testing.assert_allclose(batch[name].numpy(), values, rtol=1e-6)


def test_a_streamed_split_holds_the_same_windows_as_a_resident_one(tiny_data: Any) -> None:
    reader = SplitReader(tiny_data.split("train"), "windows", tiny_data.window, CPU, Trace(0))
    whole = ResidentFeed(reader.whole(), 4, None)
    pieces = reader.streamed(8 * 45, 4, None)
    for name in ("abundance", "physical", "dt"):
        one, other = (torch.cat([batch[name] for batch in feed]) for feed in (whole, pieces))
        assert torch.equal(one, other)
    assert len(pieces.sampler.chunk_items) > 1


@pytest.mark.parametrize("kind", ["rows", "windows"])
def test_statistics_see_every_row_in_order(tiny_data: Any, kind: str) -> None:
    split = tiny_data.split("train")
    reader = SplitReader(split, kind, tiny_data.window, CPU, Trace(0))
    for feed in (ResidentFeed(reader.whole(), 4, 0), reader.streamed(8 * 45, 4, 0)):
        abundance = torch.cat([batch["abundance"] for batch in feed.row_batches()])
        np.testing.assert_array_equal(abundance.numpy(), split.abundance)


@pytest.mark.parametrize(("model", "rows"), [("Autoencoder", 100), ("DirectEmulator", 100)])
def test_the_bytes_of_a_batch_are_those_of_its_abundances(tiny_data: Any, model: str, rows: int) -> None:
    config = load_config().replace({"model.name": model, "train.batch_size": rows})
    window = 1 if model == "Autoencoder" else tiny_data.window
    assert batch_bytes(tiny_data.directory, config) == 4 * rows * window * len(tiny_data.species)
