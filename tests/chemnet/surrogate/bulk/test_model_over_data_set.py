from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from chemnet.data.infer_result import infer_sources
from chemnet.data.infer_result.infer_sources import SplitSource
from chemnet.data.scaling import AbundanceScaling
from chemnet.errors import DataError
from chemnet.surrogate.bulk import model_over_data_set

CPU = torch.device("cpu")


class Sum(nn.Module):
    """Latent: the sum over species, and the first parameter."""

    def infer_batch(self, batch: Any) -> Any:
        return {"latent": torch.stack([batch["abundance"].sum(1), batch["physical"][:, 0]], dim=1)}

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return 0.1 * latent


class Drift(nn.Module):
    """A rollout of whole histories that adds the first scaled parameter and the time step."""

    def __init__(self, data: Any) -> None:
        super().__init__()
        self.data = data

    def for_inference(self) -> Drift:
        return self

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return (0.5 + 0.01 * latent).expand(*latent.shape[:-1], self.data.n_species)

    def infer_batch(self, batch: Any) -> Any:
        start = batch["abundance"][:, :1].sum(2)
        change = batch["physical"][:, :, 0] + batch["dt"] / 3367.0
        return {"latent": torch.cat([start, start + change.cumsum(1)], dim=1)[..., None]}


@pytest.fixture
def source(tiny_data: Any, row_description: Any) -> SplitSource:
    return SplitSource(tiny_data, ("train", "validate", "test"), row_description)


def all_rows(source: SplitSource, block_rows: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    parts = [
        (outputs["tensor"], np.c_[block.tracer, block.step])
        for block, outputs in model_over_data_set.infer_rows(Sum(), source, CPU, block_rows, **options)
    ]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def test_every_state_comes_once_in_order_with_its_own_values(source: SplitSource, tiny_data: Any) -> None:
    tensor, places = all_rows(source, 50)
    assert len({tuple(place) for place in places.tolist()}) == len(tensor) == source.n_rows == 360
    expected = np.concatenate([tiny_data.split(name).abundance.sum(1) for name in source.splits])
    np.testing.assert_allclose(tensor[:, 0], expected, rtol=1e-5)


def test_the_result_is_the_same_bits_whatever_the_batch_size(
    source: SplitSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(model_over_data_set.ROWS_PER_CALL, "cpu", 16)
    results = [all_rows(source, size)[0] for size in (1, 17, 64, 10_000)]
    assert all(np.array_equal(results[0], result) for result in results[1:])


def test_a_reconstruction_is_decoded_when_asked_for(source: SplitSource) -> None:
    scaling = AbundanceScaling(1e-20)
    (_, outputs), *_ = model_over_data_set.infer_rows(Sum(), source, CPU, 64, scaling)
    expected = scaling.unscale(np.clip(0.1 * outputs["tensor"], 0.0, 1.0))
    np.testing.assert_allclose(outputs["reconstruction"], expected, rtol=1e-4)


def rolled_out(data: Any, source: Any, **options: Any) -> list[dict[str, np.ndarray]]:
    drift = model_over_data_set.HistoryEmulator(Drift(data))
    return [
        outputs
        for _, outputs in model_over_data_set.infer_rollouts(
            drift, drift, source, **{"decode": False, **options}
        )
    ]


def test_a_rollout_starts_at_each_tracers_first_row(source: SplitSource, tiny_data: Any) -> None:
    found = np.concatenate([outputs["tensor"][:, 0] for outputs in rolled_out(source._wanted, source)])
    expected = []
    for name in source.splits:
        split = tiny_data.split(name)
        for first, last in zip(split.offsets[:-1], split.offsets[1:], strict=True):
            change = split.physical[first : last - 1, 0] + split.dt[first : last - 1] / 3367.0
            start = split.abundance[first].sum()
            expected.append(np.concatenate([[start], start + np.cumsum(change)]))
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-4)


def test_tracers_of_unequal_length_are_rolled_out_to_their_own_ends(row_description: Any) -> None:
    offsets, rows = np.array([0, 4, 5, 8]), np.arange(8.0, dtype=np.float32)
    scaled = np.repeat(rows[:, None] / 120.0, 12, axis=1)
    low, high = (np.array(getattr(row_description.physical_scaling, end)) for end in ("minimum", "maximum"))
    physical = low * (high / low) ** rows[:, None]
    dt = np.full(8, 3367.0)
    dt[offsets[1:] - 1] = 0.0
    block = infer_sources.Block(scaled, rows, physical, rows, dt, rows, rows, "test", rows, offsets)

    class One:
        n_rows = 8

        def tracers(self) -> Any:
            yield block

    (outputs,) = rolled_out(row_description, One(), decode=True)
    # each tracer starts at row / 10, and adds its parameter and 1 in every step
    expected = [0.0, 1.0, 3.0, 6.0, 0.4, 0.5, 6.5, 13.5]
    np.testing.assert_allclose(outputs["tensor"][:, 0], expected, rtol=1e-5, atol=1e-5)
    start = row_description.abundance_scaling.unscale(scaled[offsets[:-1]])
    np.testing.assert_allclose(outputs["abundance"][offsets[:-1]], start, rtol=1e-4)
    assert outputs["abundance"].shape == (8, 12)


def test_rollouts_do_not_depend_on_which_tracers_share_a_block(
    source: SplitSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def roll() -> np.ndarray:
        return np.concatenate([outputs["tensor"] for outputs in rolled_out(source._wanted, source)])

    together = roll()
    monkeypatch.setattr(infer_sources, "TRACERS_PER_BLOCK", 2)
    np.testing.assert_allclose(roll(), together, rtol=1e-6)


def test_data_on_another_scale_are_brought_to_the_models(tiny_data: Any, row_description: Any) -> None:
    import dataclasses

    other = dataclasses.replace(row_description, abundance_scaling=AbundanceScaling(1e-10))
    (block,) = SplitSource(tiny_data, ("test",), other).rows(10_000)
    raw = np.clip(tiny_data.split("test").raw_abundance(), 1e-10, 1.0)
    np.testing.assert_allclose(block.abundance, 1.0 + np.log10(raw) / 10.0, atol=1e-5)


def test_other_species_are_refused_by_name(tiny_data: Any, row_description: Any) -> None:
    import dataclasses

    other = dataclasses.replace(row_description, species=("NH3", *row_description.species[1:]))
    with pytest.raises(DataError, match="without NH3"):
        SplitSource(tiny_data, ("test",), other)
