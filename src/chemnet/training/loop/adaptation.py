"""How a training adapts to its progress: lower dropout, and returns to the best weights."""

from __future__ import annotations

from chemnet.progress import get_logger
from chemnet.training.loop.averaging import restart_average
from chemnet.training.loop.session import Session, dropout_layers

_log = get_logger(__name__)


def cut_dropout(session: Session) -> None:
    """Lower dropout and reset the learning rate after ``dropout_decay_patience`` stagnant epochs.

    Dropout is the start minus an integer number of cuts, so it reaches exactly 0. A cut changes what is
    trained, so early stopping counts afresh, and the optimizer's moments, which belong to the old noise, are
    forgotten.
    """
    state, layers = session.state, dropout_layers(session.model)
    if state.stagnant < session.table["dropout_decay_patience"] or not any(layer.p > 0.0 for layer in layers):
        return
    state.dropout_cuts += 1
    state.stagnant = 0
    set_dropout(session)
    restart_optimizer(session)
    _log.info("epoch %d: dropout cut to %g", state.epoch, max(layer.p for layer in layers))


def revert_to_best(session: Session) -> None:
    """Go back to the best weights, with fresh moments, after each ``revert_patience`` stagnant epochs."""
    state = session.state
    if state.stagnant and state.stagnant % session.table["revert_patience"] == 0:
        session.model.load_state_dict(state.best_weights)
        restart_average(session)
        session.optimizer.state.clear()
        _log.info("epoch %d: back to the weights of epoch %d", state.epoch, state.best_epoch)


def set_dropout(session: Session) -> None:
    """Set every dropout layer to its start minus the cuts so far."""
    state = session.state
    cut = state.dropout_cuts * session.table["dropout_decay"]
    for layer, start in zip(dropout_layers(session.model), state.initial_dropout, strict=True):
        layer.p = max(0.0, round(start - cut, 9))


def restart_optimizer(session: Session) -> None:
    """Restore the initial learning rates, clear the moments, and restart the schedule."""
    session.optimizer.state.clear()
    for group, rate in zip(session.optimizer.param_groups, session.state.initial_lr, strict=True):
        group["lr"] = rate
    session.scheduler = session.model.make_scheduler(session.config, session.optimizer)
