"""The growing horizon: every row is predicted in every epoch, in pieces that become longer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError
from chemnet.training.feeds.curriculum import CurriculumFeed, horizon_at, pieces, with_curriculum
from chemnet.training.feeds.data_feed import ResidentFeed, RowTable, WindowTable
from chemnet.verbs.train import Train


def windows(n_windows: int, window: int) -> dict[str, torch.Tensor]:
    """Windows whose values say where they stand: row i of window b holds 100 b + i."""
    rows = 100.0 * torch.arange(n_windows)[:, None] + torch.arange(window)
    return {"abundance": rows[..., None], "physical": rows[:, :-1, None], "dt": rows[:, :-1]}


@given(window=st.integers(2, 20), horizon=st.integers(1, 19), given_rows=st.integers(1, 3))
def test_pieces_are_consecutive_rows_and_predict_every_row(
    window: int, horizon: int, given_rows: int
) -> None:
    window = max(window, given_rows + horizon)
    cut = pieces(windows(3, window), given_rows, horizon)
    abundance = cut["abundance"][..., 0]
    assert abundance.shape[1] == given_rows + horizon
    assert (abundance.diff(dim=1) == 1.0).all()
    # the driving rows are those of the piece
    assert torch.equal(cut["dt"], abundance[:, :-1])
    assert torch.equal(cut["physical"][..., 0], abundance[:, :-1])
    predicted = set(abundance[:, given_rows:].flatten().tolist())
    assert predicted == {100.0 * b + i for b in range(3) for i in range(given_rows, window)}
    starts = abundance[:, 0].tolist()
    assert len(starts) == len(set(starts))


@given(start=st.integers(1, 10), whole=st.integers(1, 300), epochs=st.integers(1, 50))
def test_the_horizon_grows_from_the_start_to_the_whole(start: int, whole: int, epochs: int) -> None:
    start = min(start, whole)
    along = [horizon_at(epoch, start, whole, epochs) for epoch in range(1, epochs + 3)]
    assert along[0] == start
    assert along[epochs:] == [whole, whole]
    assert along == sorted(along)


def feed_of(n_windows: int = 6, window: int = 9) -> ResidentFeed:
    rows = RowTable(torch.rand(40, 2), torch.rand(40, 1), torch.ones(40))
    return ResidentFeed(WindowTable(rows, torch.arange(n_windows), window), 3, seed=0)


def test_a_feed_cuts_its_windows_until_the_whole_horizon_is_reached() -> None:
    feed = CurriculumFeed(feed_of(), window=9, horizon=8, start=2, epochs=2)
    shapes = []
    for epoch in (1, 2, 3):
        feed.set_epoch(epoch)
        shapes.append([tuple(batch["abundance"].shape) for batch in feed])
    assert shapes == [[(12, 3, 2)] * 2, [(6, 5, 2)] * 2, [(3, 9, 2)] * 2]
    assert (len(feed), feed.n_items) == (2, 6)


def test_without_it_the_feed_stays_as_it_is(tiny: Any) -> None:
    feed = feed_of()
    assert with_curriculum(feed, tiny(), 9, 8) is feed


def test_a_first_horizon_longer_than_the_windows_is_refused(tiny: Any) -> None:
    config = tiny({"train.curriculum_epochs": 2, "train.curriculum_start": 9})
    with pytest.raises(ConfigError, match=r"curriculum_start = 9 .* 8 rows") as caught:
        with_curriculum(feed_of(), config, 9, 8)
    assert "8 or less" in str(caught.value)


def configured(tiny: Any, name: str, **table: Any) -> ConfigDict:
    return tiny({"model.name": name, **{f"train.{key}": value for key, value in table.items()}})


def test_an_emulator_trains_on_it_and_is_validated_on_whole_windows(tiny: Any) -> None:
    Train(configured(tiny, "Autoencoder", epochs=1, curriculum_epochs=2)).run()
    plain = Train(configured(tiny, "LatentEmulator", epochs=1)).run()
    grown = Train(configured(tiny, "LatentEmulator", epochs=1, curriculum_epochs=2, curriculum_start=1)).run()
    # short rollouts err less, whole ones about the same after one epoch
    assert grown.metrics[0]["train_loss"] < plain.metrics[0]["train_loss"]
    assert abs(grown.metrics[0]["validate_loss"] / plain.metrics[0]["validate_loss"] - 1.0) < 0.1
