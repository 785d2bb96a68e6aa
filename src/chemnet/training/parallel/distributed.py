"""Training by several processes, as one would train: ``torchrun --nproc-per-node 2 -m chemnet train``.

Every process holds the model and the split and goes through the same batches in the same order, of each of
which it takes its share: every row is seen once per epoch, by one process. Losses are weighted by the rows
that they are means of, gradients are summed, and BatchNorm takes its statistics over all shards, so a step is
that of one process with the whole batch, but for the order of sums. Weights, schedules and decisions stay the
same everywhere without being sent. The first process writes, tracks and tells; the others follow.

Ignite's `idist` carries the messages: by NCCL between GPUs, by gloo between CPUs.
"""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from torch import Tensor, nn

from chemnet.errors import ConfigError, RunFailedError
from chemnet.results import ResultDirectory
from chemnet.training.feeds.data_feed import Feed, Table, TableShard, batch_sizes
from chemnet.training.loop.epoch_means import EpochMeans
from chemnet.training.parallel.devices import choose_device
from chemnet.training.parallel.process_group import ALONE, Alone

# iterations between two looks at whether somebody wants to stop, where looking makes the device wait
_GPU_LOOKS_EVERY = 50
# between the random streams of two processes; epochs of one training are fewer
_SEED_STRIDE = 1_000_003


def process_group(wanted_device: str) -> Alone:
    """Join the processes that ``torchrun`` started; a single one needs no joining.

    They are joined only once, until they end: a second rendezvous would find the messages of the first.

    Raises
    ------
    ConfigError
        When the device does not exist here.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return ALONE
    device = local_device(wanted_device)
    if not torch.distributed.is_initialized():
        idist.initialize("nccl" if device.type == "cuda" else "gloo")
        atexit.register(idist.finalize)
    return Together(device)


def local_device(wanted: str) -> torch.device:
    """Return this process's device: of several GPUs the one with its number on this machine."""
    device = choose_device(wanted)
    if device == torch.device("cuda"):  # without a number
        return choose_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
    return device


def _gathered(mine: Any) -> list[Any]:
    """Return what each process gives, in the order of their ranks."""
    gathered: Any = idist.all_gather(mine)
    return gathered


def _total(values: Tensor) -> Tensor:
    total = idist.all_reduce(values)
    assert isinstance(total, Tensor)
    return total


class Together(Alone):
    """Several processes that train one model.

    Parameters
    ----------
    device
        Where this process trains.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.rank, self.size = idist.get_rank(), idist.get_world_size()
        self._stop_asked = False
        self._steps = 0

    def device(self, wanted: str) -> torch.device:
        """Return this process's device."""
        return self._device

    def agreed(self, find: Callable[[], dict[str, ResultDirectory]]) -> dict[str, ResultDirectory]:
        """Return what the first process finds; it may make what is missing."""
        found = {role: str(result.path) for role, result in find().items()} if self.is_first else {}
        paths: dict[str, str] = _gathered(found)[0]
        return {role: ResultDirectory.open(path) for role, path in paths.items()}

    def first_path(self, find: Callable[[], Path | None]) -> Path | None:
        """Return the path that the first process finds, if any."""
        found = find() if self.is_first else None
        path: str = _gathered({"path": str(found) if found else ""})[0]["path"]
        return Path(path) if path else None

    def shard(self, table: Table) -> Table:
        """Return the part of each batch that is this process's."""
        return TableShard(table, self.rank, self.size)

    def check_batches(self, feed: Feed) -> None:
        """Raise `ConfigError` when a batch has fewer items than there are processes."""
        smallest = min(batch_sizes(feed.n_items, feed.batch_size))
        if smallest < self.size:
            raise ConfigError(
                f"batches of {smallest} items cannot be shared by {self.size} processes",
                hint="raise train.batch_size, or start fewer processes",
            )

    def join(self, model: nn.Module, seed: int) -> None:
        """Send the first process's weights to all, and let BatchNorm see whole batches.

        Noise and dropout are drawn anew in each process.
        """
        for tensor in (*model.parameters(), *model.buffers()):
            idist.broadcast(tensor.detach(), src=0)
        for layer in model.modules():
            if type(layer) is nn.BatchNorm1d:
                layer.__class__ = WholeBatchNorm
        if self.rank:
            torch.manual_seed(seed + _SEED_STRIDE * self.rank)

    def means(self, what: str) -> EpochMeans:
        """Return what takes means over the shards of all processes."""
        return SharedMeans(what)

    def backward(self, loss: Tensor, parameters: Sequence[nn.Parameter], rows: int) -> None:
        """Sum the gradients of all processes, each weighted by its rows.

        Raises
        ------
        KeyboardInterrupt
            In all processes after the same step, when one of them was told to stop.
        """
        counts = torch.tensor([float(rows), float(self._stop_asked)], device=self._device)
        idist.all_reduce(counts)
        # weighted before the gradient is taken: BatchNorm's goes through the rows of other processes
        (loss * (rows / counts[0])).backward()
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        idist.all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        self._steps += 1
        if (self._device.type == "cpu" or self._steps % _GPU_LOOKS_EVERY == 0) and counts[1] > 0:
            raise KeyboardInterrupt

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Treat Ctrl-C, and the SIGTERM of a batch system, as a request that all processes follow together.

        One that stopped alone would leave the others waiting for its gradients.
        """

        def ask_to_stop(number: int, frame: Any) -> None:
            self._stop_asked = True

        before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait(self) -> None:
        """Wait until every process is here."""
        idist.barrier()

    def broadcast(self, result: ResultDirectory | None) -> ResultDirectory:
        """Return the first process's result in all of them."""
        path = _gathered({"path": str(result.path) if result else ""})[0]["path"]
        return ResultDirectory.open(path)


class SharedMeans(EpochMeans):
    """Means over an epoch of which every process has seen a share; they are equal in all of them."""

    def flush(self) -> None:
        """Read what has gathered here; what is not finite in one process stops all.

        Raises
        ------
        RunFailedError
            In all processes, with the words of the first that found something.
        """
        problem = {"message": "", "hint": ""}
        try:
            super().flush()
        except RunFailedError as error:
            problem = {"message": error.message, "hint": error.hint or ""}
        for told in _gathered(problem):
            if told["message"]:
                raise RunFailedError(told["message"], hint=told["hint"])

    def result(self) -> dict[str, float]:
        """Return the means over all processes."""
        self.flush()
        mine: dict[str, Any] = {"names": self._names, "sums": self._sums, "rows": self._rows}
        mine["totals"] = {name: total.cpu() for name, total in self._totals.items()}
        # one whose shard was empty has no names
        shards = [shard for shard in _gathered(mine) if shard["rows"]]
        self._names = shards[0]["names"]
        self._rows = sum(shard["rows"] for shard in shards)
        self._sums = torch.stack([shard["sums"] for shard in shards]).sum(0)
        self._totals = {
            name: torch.stack([shard["totals"][name] for shard in shards]).sum(0)
            for name in shards[0]["totals"]
        }
        return super().result()


class WholeBatchNorm(nn.BatchNorm1d):
    """BatchNorm whose statistics in training are those of the shards of all processes together."""

    def forward(self, values: Tensor) -> Tensor:
        """Normalise `(B, C)`; the running statistics are the same in every process."""
        if not self.training:
            return super().forward(values)
        rows = values.new_tensor([float(len(values))])
        sums = _summed(torch.cat([values.sum(0), rows]))
        mean, count = sums[:-1] / sums[-1], sums[-1].detach()
        centred = values - mean
        variance = _summed(centred.square().sum(0)) / count
        self._follow(mean.detach(), variance.detach() * (count / (count - 1)))
        normal = centred * torch.rsqrt(variance + self.eps)
        return normal if self.weight is None else torch.addcmul(self.bias, normal, self.weight)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as `torch.nn.BatchNorm1d` does."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = self.momentum
        step = 1.0 / float(self.num_batches_tracked) if weight is None else weight
        self.running_mean.lerp_(mean, step)
        self.running_var.lerp_(variance, step)


class _Sum(torch.autograd.Function):
    """Sum over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """Return the sum."""
        return _total(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the summed gradients."""
        return _total(gradients[0].clone())


def _summed(values: Tensor) -> Tensor:
    """Return values summed over all processes, differentiably."""
    return _Sum.apply(values)
