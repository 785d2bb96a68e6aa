"""How a training adapts to its progress: lower dropout, and returns to the best weights."""

from __future__ import annotations

from ignite.engine import Engine, Events

from chemnet.progress import get_logger
from chemnet.training.loop.averaging import restart_average
from chemnet.training.loop.session import Session, dropout_layers

_log = get_logger(__name__)


class CutDropout:
    """Lower dropout and reset the learning rate after ``dropout_decay_patience`` stagnant epochs.

    Dropout is the start minus an integer number of cuts, so it reaches exactly 0. A cut changes what is
    trained, so early stopping counts afresh, and the optimizer's moments, which belong to the old noise, are
    forgotten.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    def attach(self, trainer: Engine) -> None:
        """Check after each epoch."""
        set_dropout(self.session)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.look)

    def look(self) -> None:
        """Cut when the patience is over and there is dropout left."""
        session, state = self.session, self.session.state
        dropping = any(layer.p > 0.0 for layer in dropout_layers(session.model))
        if not dropping or state.stagnant < session.table["dropout_decay_patience"]:
            return
        state.dropout_cuts += 1
        state.stagnant = 0
        set_dropout(session)
        restart_optimizer(session)
        _log.info(
            "epoch %d: dropout cut to %g",
            state.epoch,
            max(layer.p for layer in dropout_layers(session.model)),
        )


class RevertToBest:
    """Go back to the best weights, with fresh moments, after each ``revert_patience`` stagnant epochs."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def attach(self, trainer: Engine) -> None:
        """Check after each epoch."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.look)

    def look(self) -> None:
        """Revert when the patience is over."""
        session, state = self.session, self.session.state
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
