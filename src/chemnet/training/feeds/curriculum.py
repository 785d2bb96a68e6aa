"""A horizon that grows with the epochs: short rollouts first, where gradients are calm, long ones later.

While the horizon is short each window is cut into pieces of that length, so every row is still predicted in
every epoch, in fewer and larger steps. Validation always sees whole windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError
from chemnet.training.feeds.data_feed import Batch, Feed


def with_curriculum(feed: Feed, config: ConfigDict, window: int | None, horizon: int | None) -> Any:
    """Return the training feed with the growing horizon that ``[train]`` asks for; by default as it is.

    Parameters
    ----------
    feed
        The training split as windows.
    config
        Reads ``train.curriculum_epochs`` and ``train.curriculum_start``.
    window, horizon
        Rows per window, and how many of them are predicted.

    Raises
    ------
    ConfigError
        When the first epoch would predict more rows than a window has.
    """
    epochs = config["train"]["curriculum_epochs"]
    if not epochs or window is None or horizon is None:
        return feed
    start = config["train"]["curriculum_start"]
    if start > horizon:
        raise ConfigError(
            f"train.curriculum_start = {start} is more than the horizon of the windows, {horizon} rows",
            hint=f"set it to {horizon} or less, or make windows with a longer preprocess.horizon",
        )
    return CurriculumFeed(feed, window, horizon, start, epochs)


class FeedInPieces:
    """A feed whose windows are cut; its length and all else are those of the feed of whole windows."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def __len__(self) -> int:
        return len(self._feed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)


class CurriculumFeed(FeedInPieces):
    """A feed of windows that are cut into pieces of a horizon that grows.

    Parameters
    ----------
    feed
        Gives whole windows.
    window, horizon
        Rows per window, and how many of them are predicted at the end.
    start
        Rows predicted per piece in the first epoch.
    epochs
        Epochs until the whole horizon is reached.
    """

    def __init__(self, feed: Feed, window: int, horizon: int, start: int, epochs: int) -> None:
        super().__init__(feed)
        self.given, self.whole = window - horizon, horizon
        self.start, self.epochs, self.horizon = start, epochs, horizon

    def set_epoch(self, epoch: int) -> None:
        """Choose order and horizon of an epoch, counted from 1."""
        self._feed.set_epoch(epoch)
        self.horizon = horizon_at(epoch, self.start, self.whole, self.epochs)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._feed:
            yield batch if self.horizon == self.whole else pieces(batch, self.given, self.horizon)


def horizon_at(epoch: int, start: int, whole: int, epochs: int) -> int:
    """Return the horizon of an epoch: it grows by the same factor each time, to the whole after `epochs`.

    Examples
    --------
    >>> [horizon_at(epoch, 2, 32, 4) for epoch in (1, 2, 3, 4, 5, 6)]
    [2, 4, 8, 16, 32, 32]
    """
    return min(whole, round(start * (whole / start) ** ((epoch - 1) / epochs)))


def pieces(batch: Batch, given: int, horizon: int) -> Batch:
    """Return windows `(B, W, ...)` as shorter ones, `(B', given + horizon, ...)`, that predict every row.

    The last piece of a window overlaps the one before where the horizon does not divide the window.
    """
    rows = given + horizon
    starts = [*range(0, batch["abundance"].shape[1] - rows, horizon), batch["abundance"].shape[1] - rows]
    return {
        name: torch.cat(
            [values[:, first : first + rows - (name != "abundance")] for first in starts]  # steps: one less
        )
        for name, values in batch.items()
    }
