"""Rollouts on a GPU: one step recorded as a CUDA graph and replayed, so that no kernel waits for Python.

Shapes: B cells, T rows of a history, R wanted rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from chemnet.progress import get_logger
from chemnet.surrogate.predictor import State
from chemnet.surrogate.rollout import trajectory

# takes a function without arguments that works on fixed memory, and returns what does the same again
Recorder = Callable[[Callable[[], None]], Callable[[], Any]]
# steps before the recording, in which libraries choose their kernels
_WARM_UP = 3
_log = get_logger(__name__)


def record_cuda_graph(work: Callable[[], None]) -> Callable[[], Any]:
    """Return the replay of some work on a GPU; see `torch.cuda.CUDAGraph`."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def recorded_rollout(
    predictor: Any,
    state: State,
    physical_BTP: Tensor,
    dt_BN: Tensor,
    rows: Tensor,
    record: Recorder = record_cuda_graph,
) -> State:
    """Return the states `(B, R, ...)` in the wanted rows by replaying one step of an emulator.

    Parameters
    ----------
    predictor
        Gives `scaled_physical` and its `emulator` the step, `advance`.
    state, physical_BTP, dt_BN, rows
        See `rollout_states`.
    record
        How work is recorded.
    """
    held = {name: values.clone() for name, values in state.items()}
    # all rows at once, outside the recording, and each row one block of memory
    forcing = predictor.scaled_physical(physical_BTP[:, : dt_BN.shape[1]])
    forcing, steps = (x.transpose(0, 1).contiguous().transpose(0, 1) for x in (forcing, dt_BN.float()))
    parameters, dt = forcing[:, 0].clone(), steps[:, 0].clone()

    def advance() -> None:
        for name, values in predictor.emulator.advance(held, parameters, dt).items():
            held[name].copy_(values)

    replay = record(advance)
    # warming up has moved the state
    for name, values in state.items():
        held[name].copy_(values)

    def step(_: State, parameters_BP: Tensor, dt_B: Tensor) -> State:
        parameters.copy_(parameters_BP)
        dt.copy_(dt_B)
        replay()
        return held

    place = {row: i for i, row in enumerate(rows.tolist())}
    kept = {
        name: values.new_empty((len(values), len(place), *values.shape[1:])) for name, values in held.items()
    }
    for row, now in enumerate(trajectory(step, held, forcing, steps, int(rows[-1]))):
        if row in place:
            for name, values in now.items():
                kept[name][:, place[row]] = values
    return kept


def recorded_or_none(
    predictor: Any, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor
) -> State | None:
    """Return a recorded rollout on a GPU, or None, with a message, where the emulator cannot be recorded."""
    try:
        return recorded_rollout(predictor, state, physical_BTP, dt_BN, rows)
    except RuntimeError as error:
        _log.info("%s cannot be recorded as a CUDA graph: %s", type(predictor.emulator).__name__, error)
        return None
