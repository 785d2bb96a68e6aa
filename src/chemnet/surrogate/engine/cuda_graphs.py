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


class RecordedRollout:
    """Carries cells by replaying one step of an emulator.

    Parameters
    ----------
    predictor
        Gives `scaled_physical` and its `emulator` the step, `advance`.
    record
        How work is recorded.
    """

    def __init__(self, predictor: Any, record: Recorder = record_cuda_graph) -> None:
        self._predictor, self._record = predictor, record

    def carry(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor) -> State:
        """Return the states `(B, R, ...)` in the wanted rows; see `chemnet.surrogate.carrying.carry`."""
        held = {name: values.clone() for name, values in state.items()}
        # all rows at once, and nothing of it in the recording: steps first, so that each is one block
        driving = (
            self._predictor.scaled_physical(physical_BTP[:, : dt_BN.shape[1]]).transpose(0, 1).contiguous()
        )
        steps = dt_BN.float().transpose(0, 1).contiguous()
        parameters, dt = torch.empty_like(driving[0]), torch.empty_like(steps[0])

        def advance() -> None:
            for name, values in self._predictor.emulator.advance(held, parameters, dt).items():
                held[name].copy_(values)

        parameters.copy_(driving[0])
        dt.copy_(steps[0])
        replay = self._record(advance)
        # warming up has moved the state
        for name, values in state.items():
            held[name].copy_(values)
        wanted = {row: place for place, row in enumerate(rows.tolist())}
        kept = {
            name: values.new_empty((len(values), len(wanted), *values.shape[1:]))
            for name, values in held.items()
        }
        for row in range(int(rows[-1]) + 1):
            if row in wanted:
                for name, values in held.items():
                    kept[name][:, wanted[row]] = values
            if row < int(rows[-1]):
                parameters.copy_(driving[row])
                dt.copy_(steps[row])
                replay()
        return kept


def recorded_or_none(
    predictor: Any, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor
) -> State | None:
    """Return a recorded rollout on a GPU, or None where the emulator cannot be recorded; told once."""
    try:
        return RecordedRollout(predictor).carry(state, physical_BTP, dt_BN, rows)
    except RuntimeError as error:
        _log.info("%s cannot be recorded as a CUDA graph: %s", type(predictor.emulator).__name__, error)
        return None
