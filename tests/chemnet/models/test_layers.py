"""Values that are gathered over a training split: all of them, or evenly spaced ones."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chemnet.models import layers

lengths = st.lists(st.integers(0, 40), min_size=1, max_size=12)


def parts_of(sizes: list[int]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return numbered rows, and the same in parts of some sizes."""
    rows = torch.arange(2.0 * sum(sizes)).reshape(-1, 2)
    return rows, list(rows.split(sizes))


@given(sizes=lengths)
def test_concatenated_parts_are_all_rows_in_order(sizes: list[int]) -> None:
    rows, parts = parts_of(sizes)
    assert torch.equal(layers.concatenated(iter(parts)), rows)
    assert torch.equal(layers.concatenated(part[:, 0] for part in parts), rows[:, 0])


@given(sizes=lengths, largest=st.integers(1, 30))
def test_thinned_rows_are_evenly_spaced_and_no_more_than_wanted(sizes: list[int], largest: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "_STATISTICS_ROWS", largest)
        rows, parts = parts_of(sizes)
        found = layers.thinned(iter(parts))
    stride = 1
    while -(-len(rows) // stride) > 2 * largest:
        stride *= 2
    assert torch.equal(found, rows[::stride])


def test_nothing_cannot_be_gathered() -> None:
    with pytest.raises(ValueError, match="no parts"):
        layers.concatenated([])


@given(sizes=lengths)
def test_moments_are_those_of_all_rows_together(sizes: list[int]) -> None:
    generator = torch.Generator().manual_seed(sum(sizes))
    rows = 0.5 + 0.1 * torch.rand(sum(sizes) + 1, 3, generator=generator)
    mean, spread = layers.moments(iter(rows.split([*sizes, 1])))
    torch.testing.assert_close(mean, rows.double().mean(0))
    torch.testing.assert_close(spread, rows.double().std(0, correction=0), atol=1e-9, rtol=1e-6)
