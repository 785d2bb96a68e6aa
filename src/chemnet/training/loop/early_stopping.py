"""What ends a training before its last epoch: epochs without improvement, or a callback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ignite.engine import Engine

from chemnet.progress import get_logger
from chemnet.training.loop.session import Session

_log = get_logger(__name__)


class Callback(Protocol):
    """Sees each epoch of a training and may end it, as a sweep does.

    Attributes
    ----------
    status
        Status of the result, instead of ``"done"``.
    tags
        For the tracker's run.
    """

    status: str
    tags: Mapping[str, str]

    def stops_after(self, record: Mapping[str, float]) -> bool:
        """Record the figures of a finished epoch; return whether training is to end."""
        ...


# not Ignite's EarlyStopping, which counts for itself: the stagnant epochs stand in the resume state, and a
# cut of dropout sets them to 0
def stop_early(trainer: Engine, session: Session) -> None:
    """End the training after ``early_stopping_patience`` stagnant epochs."""
    if stopped_early(session):
        _log.info("stopped after %d epochs without improvement", session.state.stagnant)
        trainer.terminate()


def ask_callback(trainer: Engine, session: Session, callback: Callback) -> None:
    """End the training when the callback says so."""
    if callback.stops_after(session.records[-1]):
        session.ended_by_callback = True
        trainer.terminate()


def stopped_early(session: Session) -> bool:
    """Return whether early stopping's patience is over."""
    patience = session.table["early_stopping_patience"]
    return bool(patience) and session.state.stagnant >= patience
