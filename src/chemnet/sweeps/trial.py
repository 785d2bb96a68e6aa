"""One trial of a sweep: a training with its own values, that a search may end early."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chemnet.config import ConfigDict
from chemnet.config.schema import read_toml
from chemnet.errors import ChemNetError, ConfigError, suggest
from chemnet.progress import get_logger
from chemnet.registry import VERBS
from chemnet.results import ResultDirectory, list_results
from chemnet.results.unfinished_runs import list_partial, run_state

if TYPE_CHECKING:
    from chemnet.training.loop.handlers import Callback

# status of a trial's result: whole, but taken by no other verb unasked
TRIAL_STATUS = "trial"
CONFIG_FILE = "runtime_config.toml"
TrialState = Literal["done", "pruned", "failed"]
_log = get_logger(__name__)


@dataclass(frozen=True)
class Trial:
    """The values that one training gets, by configuration key, and its number in the sweep."""

    number: int
    values: dict[str, Any]


class Search(ABC):
    """Where values come from. It is sent to workers, so it pickles."""

    @abstractmethod
    def begin(self, slot: int) -> Trial:
        """Return the trial number `slot` of the sweep; the same one again where its worker died."""

    def hopeless(self, trial: Trial, epoch: int, score: float) -> bool:
        """Record the score after an epoch; return whether the trial should be stopped."""
        return False

    def end(self, trial: Trial, state: TrialState, score: float) -> None:  # noqa: B027  (a grid learns nothing)
        """Record how a trial ended; the score of a failed one is NaN."""

    def close(self) -> None:  # noqa: B027  (a grid holds nothing)
        """Close files that are held open."""


# not Optuna's GridSampler: it draws the points in random order, and one twice where two workers ask at once
@dataclass(frozen=True)
class Grid(Search):
    """Every combination of some alternatives, in order."""

    points: tuple[dict[str, Any], ...]

    def begin(self, slot: int) -> Trial:
        """Return the combination number `slot`."""
        return Trial(slot, self.points[slot])


@dataclass(frozen=True)
class TrialPlan:
    """What all trials of a sweep share.

    Attributes
    ----------
    config
        The configuration without the values of a trial.
    prefix
        Component name of trial 3 without its ``-3``.
    monitor
        Figure that ranks trials; the lowest wins.
    tags
        For the tracker's runs.
    """

    config: ConfigDict
    prefix: str
    monitor: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialRecord:
    """How a trial ended.

    Attributes
    ----------
    slot, number
        Place in the sweep; number in the search, which names the component.
    values
        What it was given.
    state
        ``"done"``, ``"pruned"`` or ``"failed"``.
    score
        The sweep's figure at the trial's best epoch; NaN for a failed one.
    best_epoch, epochs
        When it was reached, and how many there were.
    wall_s
        Time spent in epochs [s].
    result
        Path of its training result; empty for a failed one.
    reason
        Why it failed.
    curve
        The figure after each epoch.
    """

    slot: int
    number: int
    values: dict[str, Any]
    state: TrialState
    score: float = math.nan
    best_epoch: int = 0
    epochs: int = 0
    wall_s: float = 0.0
    result: str = ""
    reason: str = ""
    curve: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return asdict(self) | {"score": None if math.isnan(self.score) else self.score}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TrialRecord:
        """Return what `to_dict` gave."""
        score = math.nan if stored["score"] is None else stored["score"]
        return cls(**{**stored, "score": score, "curve": tuple(stored["curve"])})


def run_trial(plan: TrialPlan, search: Search, slot: int) -> TrialRecord:
    """Train one trial on the worker where this is called, and return how it ended.

    A trial begun by another worker or an earlier run of the sweep resumes from its last complete epoch.

    Raises
    ------
    ConfigError
        When the sweep's figure is none of a training's.
    """
    trial = search.begin(slot)
    component = f"{plan.prefix}-{trial.number}"
    names = {"train.component": component, "train.run_name": component}
    callback = TrialCallback(search, trial, plan)
    try:
        config = plan.config.replace({**trial.values, **names})
        result = train_or_resume(config, component, callback)
        record = _record(slot, trial, result, plan.monitor)
    except NoSuchFigureError:
        raise
    except ChemNetError as error:
        _log.warning("trial %d failed: %s", trial.number, error.message)
        record = TrialRecord(slot, trial.number, trial.values, "failed", reason=error.message)
    search.end(trial, record.state, record.score)
    return record


class NoSuchFigureError(ConfigError):
    """The figure that ranks trials is not one of a training's, so no trial can be ranked."""


class TrialCallback:
    """Shows a trial's figures to the search, epoch by epoch.

    Parameters
    ----------
    search, trial, plan
        Who is told, of what.
    """

    status = TRIAL_STATUS

    def __init__(self, search: Search, trial: Trial, plan: TrialPlan) -> None:
        self._search, self._trial, self._monitor = search, trial, plan.monitor
        self.tags: Mapping[str, str] = {**plan.tags, "trial": str(trial.number)}

    def stops_after(self, record: Mapping[str, float]) -> bool:
        """Record the figures of an epoch; return whether training is to end."""
        score = figure(record, self._monitor)
        return self._search.hopeless(self._trial, int(record["epoch"]), score)


def figure(record: Mapping[str, float], name: str) -> float:
    """Return one figure of an epoch.

    Raises
    ------
    NoSuchFigureError
        When there is none of that name.
    """
    if name not in record:
        raise NoSuchFigureError(
            f"sweep.monitor = {name!r} is no figure of this training", hint=suggest(name, record)
        )
    return float(record[name])


def train_or_resume(config: ConfigDict, component: str, callback: Callback) -> ResultDirectory:
    """Train a component of a unique name, from where an earlier attempt ended if there was one."""
    done = finished(config, "train", component)
    if done is not None:
        return done
    begun = _unfinished(config, component)
    if begun is not None:
        config = config.replace({"train.resume": str(begun)})
    return VERBS.get("train")(config).run_with_callback(callback).directory


def finished(config: ConfigDict, verb: str, component: str) -> ResultDirectory | None:
    """Return the result of an attempt that ended, though nobody was told."""
    results = list_results(config["general"]["results_dir"], verb)
    found = [one for one in results if one.component == component]
    return found[-1] if found else None


def _unfinished(config: ConfigDict, component: str) -> Path | None:
    """Return the hidden directory of an attempt that broke off after a whole epoch."""
    from chemnet.training.resume.latest_training import RESUME_FILE

    for path in list_partial(config["general"]["results_dir"]):
        resumable = (path / RESUME_FILE).is_file() and run_state(path)[0] == "unfinished"
        if resumable and read_toml(path / CONFIG_FILE)["train"]["component"] == component:
            return path
    return None


def _record(slot: int, trial: Trial, result: ResultDirectory, monitor: str) -> TrialRecord:
    from chemnet.training.loop.training_report import read_records

    records = read_records(result.file("metrics.jsonl"))
    best = next(record for record in records if record["epoch"] == result.summary["best_epoch"])
    return TrialRecord(
        slot=slot,
        number=trial.number,
        values=trial.values,
        state="pruned" if result.summary["ended_by"] == "watch" else "done",
        score=figure(best, monitor),
        best_epoch=result.summary["best_epoch"],
        epochs=result.summary["epochs"],
        wall_s=result.summary["wall_s"],
        result=str(result.path),
        curve=tuple(figure(record, monitor) for record in records),
    )
