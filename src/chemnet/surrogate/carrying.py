"""How cells are carried along their histories: as a predictor does it itself, or one step after another.

Shapes: B cells, T rows of a history, R wanted rows, P physical parameters.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chemnet.surrogate.predictor import Predictor, State


def carry(
    predictor: Predictor, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor | None = None
) -> State:
    """Return the states `(B, R, ...)` of cells along their histories.

    Parameters
    ----------
    predictor
        What advances a state; one with a method `carry` of these arguments, `rows` as a tensor, is asked to
        do all steps at once.
    state
        In row 0.
    physical_BTP, dt_BN
        Physical parameters in their own units, and the T - 1 time steps [yr].
    rows
        Rows that are wanted, ascending; None: all. Row 0 is the given state.
    """
    rows = torch.arange(physical_BTP.shape[1]) if rows is None else rows
    at_once: Any = getattr(predictor, "carry", None)
    if at_once is None:
        return stepwise(predictor, state, physical_BTP, dt_BN, rows)
    carried: State = at_once(state, physical_BTP, dt_BN, rows)
    return carried


def stepwise(predictor: Predictor, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor) -> State:
    """Return the states in the wanted rows, by one step after another; see `carry`."""
    wanted = set(rows.tolist())
    kept = [state] if 0 in wanted else []
    for row in range(int(rows[-1]) if len(rows) else 0):
        state = predictor.step(state, physical_BTP[:, row], dt_BN[:, row])
        if row + 1 in wanted:
            kept.append(state)
    if not kept:
        return {name: values[:, None][:, :0] for name, values in state.items()}
    return {name: torch.stack([one[name] for one in kept], dim=1) for name in state}


def alongside(values: Tensor, n_rows: int) -> Tensor:
    """Return what stays the same of cells `(B, ...)` in so many rows, `(B, R, ...)`."""
    return values.unsqueeze(1).expand(-1, n_rows, *values.shape[1:])
