"""What a network made of data: a value that is not finite is told where it arose, before it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chemnet.data.infer_result.infer_sources import Block
from chemnet.errors import RunFailedError
from chemnet.progress import get_logger

STOP = "stop"
_log = get_logger(__name__)


class FiniteOutputs:
    """Looks for values that are not finite in the outputs of a model.

    Parameters
    ----------
    policy
        ``"stop"`` refuses the first one; ``"keep"`` counts the states that hold one, and names the first.
    tracer_ids
        Of all tracers.
    species
        Names of the columns of outputs with as many columns; those of others are numbered from 1.

    Attributes
    ----------
    states
        How many states held one.
    """

    def __init__(self, policy: str, tracer_ids: Sequence[str], species: Sequence[str]) -> None:
        self._policy, self._tracer_ids, self._species = policy, tracer_ids, species
        self.states = 0

    def look_at(self, block: Block, outputs: Mapping[str, np.ndarray]) -> None:
        """Look at the outputs `(rows, width)` of a block.

        Raises
        ------
        RunFailedError
            For the first value that is not finite, with tracer, step and column, where the policy says so.
        """
        bad = np.zeros(len(block.step), dtype=bool)
        for name, values in outputs.items():
            # NaN and infinity show in the extremes: no mask for the many good blocks
            if values.size and not np.isfinite([values.min(), values.max()]).all():
                bad_here = ~np.isfinite(values).all(axis=1)
                self._tell(block, name, values, int(np.argmax(bad_here)))
                bad |= bad_here
        self.states += int(bad.sum())

    def _tell(self, block: Block, name: str, values: np.ndarray, row: int) -> None:
        """Raise, or warn of the first state of all."""
        column = int(np.argmax(~np.isfinite(values[row])))
        told = (
            f"tracer '{self._tracer_ids[int(block.tracer[row])]}', step {block.step[row]}: "
            f"{self._column(name, values, column)} is {values[row, column]}"
        )
        if self._policy == STOP:
            raise RunFailedError(
                told,
                hint="look at this tracer's parameters, or train again; infer.not_finite=keep writes such "
                "states and counts them",
            )
        if not self.states:
            _log.warning("%s; it is written, and so are others (infer.not_finite = keep)", told)

    def _column(self, name: str, values: np.ndarray, column: int) -> str:
        """Return a column of an output in words."""
        if name != "tensor" and values.shape[1] == len(self._species):
            return f"{name} of {self._species[column]}"
        return f"{'latent' if name == 'tensor' else name} {column + 1}"
