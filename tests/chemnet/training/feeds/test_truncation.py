"""Truncated gradients: pieces begin where the model's own rollout is, and aim at the truth."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from chemnet.models.contract import Batch
from chemnet.training.feeds.data_feed import ResidentFeed, RowTable, WindowTable
from chemnet.training.feeds.truncation import TruncatedFeed, with_truncation
from chemnet.verbs.train import Train


class Growth(nn.Module):
    """Abundances grow by the factor `rate` in every step; dropout tells whether it is in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(rate))

    def infer_batch(self, batch: Batch) -> dict[str, Tensor]:
        assert not self.training
        powers = torch.arange(batch["abundance"].shape[1])
        return {"latent": batch["abundance"][:, :1] * self.rate ** powers[None, :, None]}

    def decode(self, latent: Tensor) -> Tensor:
        return latent


def feed_of(window: int) -> ResidentFeed:
    rows = RowTable(1.0 + torch.arange(20.0)[:, None], torch.arange(20.0)[:, None], torch.ones(20))
    return ResidentFeed(WindowTable(rows, torch.tensor([0, 10]), window), 2, seed=0)


def batches(feed: Any) -> list[Batch]:
    feed.set_epoch(1)
    return list(feed)


def test_pieces_begin_at_predicted_rows_and_end_at_true_ones() -> None:
    model = Growth(2.0)
    (batch,) = batches(TruncatedFeed(feed_of(7), model, given=1, steps=3))
    by_start = {float(rows[0]): rows.tolist() for rows in batch["abundance"][..., 0]}
    # two windows of rows 1 .. 7 and 11 .. 17: steps 0 to 3 from the truth, 3 to 6 from three doublings
    assert by_start == {
        1.0: [1.0, 2.0, 3.0, 4.0],
        8.0: [8.0, 5.0, 6.0, 7.0],
        11.0: [11.0, 12.0, 13.0, 14.0],
        88.0: [88.0, 15.0, 16.0, 17.0],
    }
    # parameters are those of the rows themselves
    physical = {
        float(a[0]): p.tolist() for a, p in zip(batch["abundance"], batch["physical"][..., 0], strict=True)
    }
    assert (physical[8.0], physical[88.0]) == ([3.0, 4.0, 5.0], [13.0, 14.0, 15.0])
    assert model.training
    assert not batch["abundance"].requires_grad


def test_a_later_batch_begins_where_the_changed_model_is() -> None:
    model = Growth(2.0)
    feed = TruncatedFeed(feed_of(7), model, given=1, steps=3)
    (first,) = batches(feed)
    with torch.no_grad():
        model.rate.fill_(3.0)
    (second,) = batches(feed)
    assert {8.0, 88.0} < set(first["abundance"][:, 0, 0].tolist())
    assert {27.0, 297.0} < set(second["abundance"][:, 0, 0].tolist())


def test_rows_of_context_come_before_the_start() -> None:
    (batch,) = batches(TruncatedFeed(feed_of(7), Growth(2.0), given=2, steps=3))
    by_last = {float(rows[-1]): rows.tolist() for rows in batch["abundance"][..., 0]}
    # row 2 is the last given one: four, eight, sixteen follow in the rollout
    assert by_last[5.0] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert by_last[7.0] == [4.0, 8.0, 5.0, 6.0, 7.0]


def test_windows_no_longer_than_a_piece_stay_whole() -> None:
    plain = feed_of(4)
    (batch,) = batches(TruncatedFeed(plain, Growth(2.0), given=1, steps=3))
    (whole,) = batches(plain)
    assert torch.equal(batch["abundance"], whole["abundance"])


def test_without_it_the_feed_stays_as_it_is(tiny: Any) -> None:
    feed = feed_of(7)
    assert with_truncation(feed, tiny(), Growth(2.0), 7, 6) is feed


@pytest.mark.parametrize("name", ["LatentEmulator", "DirectRelaxation"])
def test_an_emulator_trains_on_pieces_and_is_validated_on_whole_windows(tiny: Any, name: str) -> None:
    if name == "LatentEmulator":
        Train(tiny({"model.name": "Autoencoder", "train.epochs": 1})).run()
    config = tiny({"model.name": name, "train.epochs": 2})
    plain, cut = (Train(config.replace({"train.gradient_steps": steps})).run() for steps in (False, 2))
    assert cut.metrics[1]["train_loss"] != plain.metrics[1]["train_loss"]
    assert abs(cut.metrics[1]["validate_loss"] / plain.metrics[1]["validate_loss"] - 1.0) < 0.3
