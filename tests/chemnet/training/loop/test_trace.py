from __future__ import annotations

from typing import Any

import torch
from torch import nn

from chemnet.training.feeds.data_feed import ResidentFeed, RowTable
from chemnet.training.loop.trace import Trace


def traced(batches: int) -> tuple[Trace, list[str]]:
    lines: list[str] = []
    return Trace(batches, lines.append), lines


def test_a_traced_call_shows_shapes_and_time_and_returns_its_result() -> None:
    trace, lines = traced(1)
    result = trace.call("double", lambda x: 2 * x, torch.ones(2, 3))
    assert torch.equal(result, 2 * torch.ones(2, 3))
    assert " ms  double  (2, 3) float32 -> (2, 3) float32" in lines[0]


def test_only_the_first_batches_are_traced_and_the_model_is_left_as_it_was() -> None:
    trace, lines = traced(2)
    model = nn.Sequential(nn.Linear(1, 4), nn.GELU())
    trace.watch(model)
    rows = RowTable(torch.ones(6, 1), torch.ones(6, 1), torch.ones(6))
    for batch in trace.feed(ResidentFeed(rows, 1, None)):
        trace.call("step", model, batch["abundance"])
        trace.batch_done()
    assert sum("gather" in line for line in lines) == 2
    assert sum("0 Linear  (1, 1) float32 -> (1, 4) float32" in line for line in lines) == 2
    assert sum("step" in line for line in lines) == 2
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model)


def test_a_trace_of_nothing_is_not_in_the_way() -> None:
    trace, lines = traced(0)
    feed: Any = object()
    assert trace.feed(feed) is feed
    assert trace.call("any", abs, -1) == 1
    assert not lines
