"""Learning-rate schedules: how long they are, and when they are stepped."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events
from torch.optim.lr_scheduler import ReduceLROnPlateau

from chemnet.config import ConfigDict
from chemnet.config.overrides import join_key
from chemnet.models.optimisation import keywords
from chemnet.training.loop.engines import monitored
from chemnet.training.loop.session import Session

# keywords of torch's schedules that say how many steps they are made for, and by how many they end earlier
_LENGTHS = {"T_max": 0, "total_steps": 1, "total_iters": 0}


# not Ignite's schedulers: any of torch.optim.lr_scheduler may be named, its state goes into the resume state
def attach_schedule(trainer: Engine, session: Session) -> None:
    """Step the schedule after each epoch, or after each batch with ``scheduler.every = "batch"``.

    A plateau schedule is shown the monitored figure, which only an epoch has. A schedule that has reached
    its end stays there.
    """
    each_batch = session.config["scheduler"]["every"] == "batch"
    plateau = isinstance(session.scheduler, ReduceLROnPlateau)
    event = Events.ITERATION_COMPLETED if each_batch and not plateau else Events.EPOCH_COMPLETED
    trainer.add_event_handler(event, _step, session)


def _step(session: Session) -> None:
    """Step the session's current schedule: a cut of dropout begins another."""
    scheduler = session.scheduler
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(monitored(session))
    elif scheduler is not None and not _has_ended(scheduler):
        scheduler.step()


def with_schedule_length(config: ConfigDict, batches_per_epoch: int) -> ConfigDict:
    """Return the configuration with a schedule length of false replaced by that of the training.

    Parameters
    ----------
    config
        Reads ``[scheduler]``, the table of the schedule, and ``train.epochs``.
    batches_per_epoch
        Steps of an epoch, for a schedule that is stepped after each batch.
    """
    name = config["scheduler"]["name"]
    if name is False:
        return config
    each = batches_per_epoch if config["scheduler"]["every"] == "batch" else 1
    unset = [key for key, value in keywords(config, name).items() if key in _LENGTHS and value is False]
    return config.replace({join_key((name, key)): config["train"]["epochs"] * each for key in unset})


def _has_ended(scheduler: Any) -> bool:
    """Return whether a schedule has no step left; torch's would raise, or turn round."""
    ends = [getattr(scheduler, key) - early for key, early in _LENGTHS.items() if hasattr(scheduler, key)]
    return bool(ends) and scheduler.last_epoch >= max(ends)
