"""Autoregressive use of a one-step predictor: the one recurrence, and reading what it leaves.

Shapes: B cells, T rows of a history, N = T - 1 steps, R wanted rows, S species, P physical parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from chemnet.models.emulators.steps.step import DIVIDED_STEPS, SOLVER_STEPS
from chemnet.progress import get_logger
from chemnet.surrogate.predictor import Predictor, State

# states that are read together: a CPU keeps what decoding needs in its cache, a GPU wants many
_STATES_PER_READ = {"cpu": 4096, "cuda": 65536}
_log = get_logger(__name__)


class Rollout:
    """Predict the abundances of cells along their histories, each state from the one before.

    Parameters
    ----------
    predictor
        Advances a state by one step.
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
            Lengths of the steps [yr].
        rows
            The rows that are wanted, ascending; None for all. Only these are decoded.
        """
        rows = torch.arange(physical_BTP.shape[1]) if rows is None else rows
        later = rows[rows > 0]
        state = self.predictor.start(abundance_BS)
        states = rollout_states(self.predictor, state, physical_BTP, dt_BN, later)
        log_solver_steps(states, later)
        predicted = read(states, self.predictor.abundance)
        start = abundance_BS[:, None].float() if bool((rows == 0).any()) else predicted[:, :0]
        return torch.cat([start, predicted], dim=1)


def log_solver_steps(states: State, rows: Tensor) -> None:
    """Say how many steps were integrated up to the last row, where an emulator has that done."""
    if SOLVER_STEPS in states and len(rows):
        solved, divided = (states[name][:, -1].sum() for name in (SOLVER_STEPS, DIVIDED_STEPS))
        n_steps = states[SOLVER_STEPS][:, -1].numel() * int(rows[-1])
        _log.info("the solver made %d of %d steps (%.1f %%), sub-steps made %d (%.1f %%)",
                  solved, n_steps, 100.0 * float(solved) / n_steps,
                  divided, 100.0 * float(divided) / n_steps)  # fmt: skip


def rollout_states(
    predictor: Predictor, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor | None = None
) -> State:
    """Return the states `(B, R, ...)` of cells along their histories.

    Parameters
    ----------
    predictor
        Advances a state. If it has a method `rollout` with these arguments (`rows` being a tensor), that
        does all steps at once.
    state
        In row 0.
    physical_BTP, dt_BN
        Physical parameters in their own units, and time steps [yr].
    rows
        The rows that are wanted, ascending; None for all. Row 0 is the given state.
    """
    rows = torch.arange(physical_BTP.shape[1]) if rows is None else rows
    at_once: Callable[..., State] | None = getattr(predictor, "rollout", None)
    if at_once is None:
        return stepwise(predictor, state, physical_BTP, dt_BN, rows)
    return at_once(state, physical_BTP, dt_BN, rows)


def stepwise(predictor: Predictor, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor) -> State:
    """Return the states in the wanted rows by one step after another; see `rollout_states`."""
    wanted = set(rows.tolist())
    n_steps = int(rows[-1]) if len(rows) else 0
    passed = enumerate(trajectory(predictor.step, state, physical_BTP, dt_BN, n_steps))
    kept = [one for row, one in passed if row in wanted]
    if not kept:
        return {name: values[:, None][:, :0] for name, values in state.items()}
    return {name: torch.stack([one[name] for one in kept], dim=1) for name in kept[-1]}


def trajectory(
    step: Callable[[State, Tensor, Tensor], State],
    state: State,
    physical_BTP: Tensor,
    dt_BN: Tensor,
    n_steps: int,
) -> Iterator[State]:
    """Yield the states in rows 0 to `n_steps`: the recurrence that everything autoregressive goes through."""
    yield state
    for row in range(n_steps):
        state = step(state, physical_BTP[:, row], dt_BN[:, row])
        yield state


def repeated(values: Tensor, n_rows: int) -> Tensor:
    """Return values of cells `(B, ...)` that stay the same along a history, as `(B, R, ...)`."""
    return values.unsqueeze(1).expand(-1, n_rows, *values.shape[1:])


def read(states: State, reader: Callable[[State], Tensor]) -> Tensor:
    """Return what `reader` says of states `(B, R, ...)`, float32 `(B, R, ...)`."""
    shape = next(iter(states.values())).shape[:2]
    flat = {name: values.flatten(0, 1) for name, values in states.items()}
    return read_rows(flat, reader).unflatten(0, shape)


def read_rows(states: State, reader: Callable[[State], Tensor]) -> Tensor:
    """Return what `reader` says of states `(n, ...)`, float32 `(n, ...)`.

    They are read some at a time, so that what lies between them and the result stays small.
    """
    first = next(iter(states.values()))
    size = _STATES_PER_READ.get(first.device.type, 65536)
    parts = {name: values.split(size) for name, values in states.items()}
    n_parts = max(1, -(-len(first) // size))
    answers = [reader({name: values[i] for name, values in parts.items()}).float() for i in range(n_parts)]
    return torch.cat(answers)
