"""Gradients through the last steps only, along rollouts as they are predicted now.

A gradient through hundreds of steps costs as much as hundreds of updates and may explode. Here a window is
first rolled out without gradients; then it is cut into pieces, each of which begins where that rollout was,
and all of them are trained on at once (truncated backpropagation through time; Williams & Peng 1990, Neural
Computation 2, 490). A model so learns from the states that it meets in its own rollouts, also far down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from chemnet.config import ConfigDict
from chemnet.models.contract import evaluating
from chemnet.progress import get_logger
from chemnet.training.feeds.curriculum import FeedInPieces, pieces
from chemnet.training.feeds.data_feed import Batch, Feed

_log = get_logger(__name__)


def with_truncation(
    feed: Feed, config: ConfigDict, model: nn.Module, window: int | None, horizon: int | None
) -> Any:
    """Return the training feed as pieces of ``train.gradient_steps`` steps; by default as it is.

    Parameters
    ----------
    feed
        The training split as windows.
    config
        Reads ``train.gradient_steps``.
    model
        The emulator in training.
    window, horizon
        Rows per window, and how many of them are predicted.
    """
    steps = config["train"]["gradient_steps"]
    if not steps or window is None or horizon is None:
        return feed
    if steps >= horizon:
        _log.warning("train.gradient_steps = %d has no effect: windows predict %d rows", steps, horizon)
        return feed
    return TruncatedFeed(feed, model, window - horizon, steps)


class TruncatedFeed(FeedInPieces):
    """A feed of windows that are cut into pieces which begin at predicted rows.

    Parameters
    ----------
    feed
        Gives whole windows.
    model
        Rolls them out, with its weights as they are when a batch is taken.
    given
        Rows of a window that are not predicted.
    steps
        Predicted rows of a piece.
    """

    def __init__(self, feed: Feed, model: nn.Module, given: int, steps: int) -> None:
        super().__init__(feed)
        self.model, self.given, self.steps = model, given, steps

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._feed:
            yield batch if batch["abundance"].shape[1] <= self.given + self.steps else self._cut(batch)

    def _cut(self, batch: Batch) -> Batch:
        """Return pieces `(B', given + steps, ...)` whose given rows are predicted, the others true."""
        true = pieces(batch, self.given, self.steps)
        begun = pieces({"abundance": self._predicted(batch)}, self.given, self.steps)["abundance"]
        kept = true["abundance"][:, self.given :]
        return {**true, "abundance": torch.cat([begun[:, : self.given], kept], dim=1)}

    def _predicted(self, batch: Batch) -> torch.Tensor:
        """Return scaled abundances `(B, W, S)`: the given rows, and the rollout from the last of them."""
        last = self.given - 1
        from_last = {name: values[:, last:] for name, values in batch.items()}
        model: Any = self.model
        with evaluating(model):
            predicted = model.decode(model.infer_batch(from_last)["latent"])
        return torch.cat([batch["abundance"][:, : self.given], predicted[:, 1:]], dim=1)
