"""Autoregressive use of a one-step predictor."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from chemnet.surrogate.carrying import carry
from chemnet.surrogate.predictor import Predictor, State

# states that are read together: a CPU keeps what decoding needs in its cache, a GPU wants many
_STATES_PER_READ = {"cpu": 4096, "cuda": 65536}


class Rollout:
    """Carry cells along their histories, each state predicted from the one before.

    Parameters
    ----------
    predictor
        What advances a state by one step.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def __call__(
        self, abundance_BS: Tensor, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor | None = None
    ) -> Tensor:
        """Return abundances `(B, T, S)` along the histories, float32; row 0 is the input.

        Parameters
        ----------
        abundance_BS
            Abundances at step 0, relative to H nuclei.
        physical_BTP
            Physical parameters in their own units; row i drives the step from i to i + 1.
        dt_BN
            Length of the T - 1 steps [yr].
        rows
            Rows that are wanted, ascending; None: all. Others are never decoded.
        """
        rows = torch.arange(physical_BTP.shape[1]) if rows is None else rows
        later = rows[rows > 0]
        states = self.states(self.predictor.start(abundance_BS), physical_BTP, dt_BN, later)
        predicted = read(states, torch.arange(len(later)), self.predictor.abundance)
        start = abundance_BS[:, None].float() if bool((rows == 0).any()) else predicted[:, :0]
        return torch.cat([start, predicted], dim=1)

    def states(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor | None = None) -> State:
        """Return the predictor's states `(B, R, ...)` in some rows (None: all); row 0 is the given."""
        return carry(self.predictor, state, physical_BTP, dt_BN, rows)


def read(states: State, rows: Tensor, reader: Callable[[State], Tensor]) -> Tensor:
    """Return what `reader` says of some rows of states `(B, T, ...)`, float32 `(B, R, ...)`.

    The states are read some at a time, so that what is between them and the result stays small.
    """
    first = next(iter(states.values()))
    rows = rows.to(first.device)
    flat = {name: values[:, rows].flatten(0, 1) for name, values in states.items()}
    size = _STATES_PER_READ.get(first.device.type, 65536)
    parts = {name: values.split(size) for name, values in flat.items()}
    n_parts = max(1, -(-len(first) * len(rows) // size))
    answers = [reader({name: values[i] for name, values in parts.items()}).float() for i in range(n_parts)]
    return torch.cat(answers).unflatten(0, (len(first), len(rows)))
