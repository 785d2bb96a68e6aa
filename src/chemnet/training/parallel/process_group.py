"""The processes that train together: here the usual case, one process that trains alone.

`chemnet.training.parallel.distributed.Together` does the same for several.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chemnet.results import ResultDirectory
from chemnet.training.feeds.data_feed import Feed, Table
from chemnet.training.loop.epoch_means import EpochMeans
from chemnet.training.parallel.devices import choose_device


class Alone:
    """One process, which does everything itself.

    Attributes
    ----------
    rank, size
        Number of this process, and how many there are.
    """

    rank, size = 0, 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the result, tracks, and shows progress."""
        return self.rank == 0

    def device(self, wanted: str) -> torch.device:
        """Return the device for ``general.device``."""
        return choose_device(wanted)

    def agreed(self, find: Callable[[], dict[str, ResultDirectory]]) -> dict[str, ResultDirectory]:
        """Return what the first process finds."""
        return find()

    def first_path(self, find: Callable[[], Path | None]) -> Path | None:
        """Return the path that the first process finds, if any."""
        return find()

    def shard(self, table: Table) -> Table:
        """Return the part of each batch that is this process's."""
        return table

    def check_batches(self, feed: Feed) -> None:
        """Raise when a batch cannot be shared."""

    def join(self, model: nn.Module, seed: int) -> None:
        """Make a model identical in every process, and let it train as one model would."""

    def means(self, what: str) -> EpochMeans:
        """Return what takes means over an epoch, of all processes together."""
        return EpochMeans(what)

    def backward(self, loss: Tensor, parameters: Sequence[nn.Parameter], rows: int) -> None:
        """Leave in each parameter the gradient of the loss of the whole batch, of which `rows` are here."""
        loss.backward()

    def interruptible(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which an interrupt stops every process at the same step."""
        return contextlib.nullcontext()

    def wait(self) -> None:
        """Wait until every process is here."""

    def broadcast(self, result: ResultDirectory | None) -> ResultDirectory:
        """Return the result that the first process has; the others give None and wait."""
        assert result is not None
        return result


ALONE = Alone()
