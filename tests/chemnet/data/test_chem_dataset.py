"""What every data set shares: blocks of whole tracers, and a digest of what is read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.config import load_config
from chemnet.data.chem_dataset import ChemDataset, TracerBlock, tracer_groups


class Counting(ChemDataset):
    """Two species whose abundances follow from the row."""

    species = ("H2", "CO")
    physical_names = ("Density",)

    def __init__(self, lengths: Sequence[int], scale: float = 1e-6) -> None:
        super().__init__(load_config())
        self.lengths = np.array(lengths)
        self.tracer_ids = [f"t{number}" for number in range(len(lengths))]
        self._scale = scale

    def read(self, tracers: Sequence[int]) -> TracerBlock:
        offsets = np.concatenate([[0], np.cumsum(self.lengths[list(tracers)])])
        rows = np.arange(offsets[-1], dtype=float)
        ids = tuple(self.tracer_ids[tracer] for tracer in tracers)
        return TracerBlock(
            rows, rows[:, None] + 1.0, np.column_stack([rows, rows]) * self._scale, offsets, ids
        )


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 10), st.integers(1, 400))
def test_groups_hold_each_tracer_once_and_no_more_than_fits(
    lengths: list[int], n_columns: int, max_values: int
) -> None:
    groups = list(tracer_groups(np.array(lengths), n_columns, max_values))
    assert [tracer for group in groups for tracer in group] == list(range(len(lengths)))
    for group in groups:
        rows = sum(lengths[tracer] for tracer in group)
        assert rows * n_columns <= max_values or len(group) == 1


def test_rows_of_a_block_know_their_tracer_and_step() -> None:
    block = Counting([2, 3]).read([0, 1])
    assert block.n_rows == 5
    assert block.tracer_of_row.tolist() == [0, 0, 1, 1, 1]
    assert block.steps.tolist() == [0, 1, 0, 1, 2]


def test_conditions_come_without_abundances() -> None:
    block = Counting([2, 3]).read_conditions([1])
    assert block.abundance.shape == (3, 0)
    assert block.physical.tolist() == [[1.0], [2.0], [3.0]]


def test_the_digest_follows_the_content() -> None:
    digest = Counting([2, 3]).digest
    assert Counting([2, 3]).digest == digest
    assert Counting([2, 4]).digest != digest
    assert Counting([2, 3], scale=1e-7).digest != digest


def test_a_data_set_must_state_how_it_is_read() -> None:
    class Incomplete(ChemDataset):
        species = ("H",)

    with pytest.raises(TypeError, match="read"):
        Incomplete(load_config())
