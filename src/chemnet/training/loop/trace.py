"""Printing what happens to the first batches: each read, gather, layer and step with shapes and times.

Hyrax users know it as ``train(trace=5)``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from chemnet.training.feeds.data_feed import Batch, Feed


class Trace:
    """Timed lines on a stream, for the first batches.

    Parameters
    ----------
    batches
        Batches that are traced; 0 traces nothing.
    write
        Takes one line; by default it goes to the standard error.
    """

    def __init__(self, batches: int, write: Callable[[str], Any] | None = None) -> None:
        self.left = batches
        self._write = write or (lambda line: print(line, file=sys.stderr))
        self._depth = 0
        self._hooks: list[Any] = []

    def call(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function; while batches are left, write its name, the shapes in and out, and its time."""
        if not self.left:
            return function(*args)
        started = self._enter()
        result = None
        try:
            result = function(*args)
            return result
        finally:
            self._leave(name, args, result, started)

    def watch(self, model: nn.Module) -> None:
        """Write a line for each layer of the model, until the batches are used up."""
        if not self.left:
            return
        for name, layer in model.named_modules():
            if name and not list(layer.children()):
                starts: list[float] = []
                label = f"{name} {type(layer).__name__}"
                self._hooks += [
                    layer.register_forward_pre_hook(_note_start(self, starts)),
                    layer.register_forward_hook(_note_end(self, label, starts)),
                ]

    def feed(self, feed: Feed) -> Any:
        """Return the feed, with its gathers traced where there is something to trace."""
        return TracedFeed(feed, self) if self.left else feed

    def batch_done(self) -> None:
        """Count a batch; after the last one the model is restored."""
        self.left = max(0, self.left - 1)
        if not self.left:
            for hook in self._hooks:
                hook.remove()
            self._hooks = []

    def _enter(self) -> float:
        self._depth += 1
        return time.perf_counter()

    def _leave(self, name: str, args: Any, result: Any, started: float) -> None:
        """End a timed call and write its line; what it called stands above it, further in."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self._depth -= 1
        milliseconds = 1e3 * (time.perf_counter() - started)
        words = " -> ".join(filter(None, (shapes(args), shapes(result))))
        self._write(f"trace {milliseconds:9.3f} ms  {'  ' * self._depth}{name}  {words}".rstrip())


class TracedFeed:
    """A feed whose gathers are traced; everything else is the feed's own."""

    def __init__(self, feed: Feed, trace: Trace) -> None:
        self._feed, self._trace = feed, trace

    def __len__(self) -> int:
        return len(self._feed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    def __iter__(self) -> Iterator[Batch]:
        batches = iter(self._feed)
        for _ in range(len(self._feed)):
            yield self._trace.call("gather", next, batches)


def shapes(value: Any) -> str:
    """Return the shapes of arrays and tensors, also inside mappings and sequences, in words.

    Examples
    --------
    >>> shapes({"abundance": torch.zeros(2, 3)})
    '{abundance: (2, 3) float32}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {shapes(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        return ", ".join(filter(None, map(shapes, value)))
    if isinstance(value, Tensor) and not value.ndim:
        return "scalar"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    return ""


def _note_start(trace: Trace, starts: list[float]) -> Callable[..., None]:
    return lambda layer, args: starts.append(trace._enter())


def _note_end(trace: Trace, label: str, starts: list[float]) -> Callable[..., None]:
    return lambda layer, args, result: trace._leave(label, args, result, starts.pop())
