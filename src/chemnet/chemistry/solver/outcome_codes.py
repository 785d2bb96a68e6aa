"""What a solver reports: an outcome per tracer and counts of what it did."""

from __future__ import annotations

import enum
from collections.abc import ItemsView
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray


class SolverCode(enum.IntEnum):
    """Outcome of one tracer; anything but `SUCCESS` means that later rows hold NaN."""

    SUCCESS = 0
    TOO_MANY_STEPS = 1
    """The cap on internal steps was reached, at every tolerance tried."""
    STEP_TOO_SMALL = 2
    """The step size fell below what the clock resolves."""
    NOT_FINITE = 3
    """A rate or an abundance became infinite or NaN."""
    NOT_CONSERVED = 4
    """Element totals drifted beyond what rounding explains."""

    @property
    def explanation(self) -> str:
        """A sentence for the user."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    SolverCode.SUCCESS: "every step reached its target within tolerance",
    SolverCode.TOO_MANY_STEPS: "the cap on internal steps was reached at every tolerance tried",
    SolverCode.STEP_TOO_SMALL: "the internal step size vanished at every tolerance tried",
    SolverCode.NOT_FINITE: "a rate or an abundance became infinite or NaN",
    SolverCode.NOT_CONSERVED: "element totals drifted at every tolerance tried",
}

STEPS, REJECTED, NEWTON_FAILURES, EVALUATIONS, JACOBIANS, FACTORISATIONS, RETRIES = range(7)
"""Places in the array of counts that compiled code fills."""
N_COUNTS = 7


@dataclass(frozen=True)
class Statistics:
    """What the solver did along one tracer.

    Parameters
    ----------
    steps
        Internal steps that were accepted.
    rejected
        Internal steps repeated because their error was too large.
    newton_failures
        Steps repeated because the iteration did not converge.
    evaluations, jacobians, factorisations
        Right-hand sides, Jacobians and matrices computed.
    retries
        Tracer steps repeated at another tolerance.
    """

    steps: int
    rejected: int
    newton_failures: int
    evaluations: int
    jacobians: int
    factorisations: int
    retries: int

    @classmethod
    def from_counts(cls, counts: NDArray[np.int64]) -> Statistics:
        """Build it from the array that compiled code fills."""
        return cls(*(int(count) for count in counts))

    def items(self) -> ItemsView[str, int]:
        """Return (name, count) pairs, as of a mapping."""
        return asdict(self).items()
