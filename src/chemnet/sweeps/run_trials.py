"""Running the trials of a sweep on the configured workers, so that an interrupted sweep can resume."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chemnet.config import ConfigDict
from chemnet.progress import get_logger, progress_bar
from chemnet.results.unfinished_runs import RUNNING_FILE
from chemnet.sweeps.ranking import append_record, read_trials, shown
from chemnet.sweeps.search_space import Choice, Space, grid
from chemnet.sweeps.study import Study, study_options
from chemnet.sweeps.trial import Grid, Search, TrialPlan, TrialRecord, run_trial
from chemnet.training.loop.tracking import MlflowTracker
from chemnet.workers import ThisThread, completed, open_workers

STUDY_FILE, RUN_FILE = "study.db", "mlflow_run.json"
# MLflow shows runs with this tag below the one that it names
_PARENT_TAG = "mlflow.parentRunId"
_log = get_logger(__name__)


def run_trials(
    config: ConfigDict, space: Space, folder: Path, tracker: MlflowTracker | None
) -> list[TrialRecord]:
    """Train the trials that have not ended yet, and return the records of all.

    Parameters
    ----------
    config
        Of the sweep, with the inputs that every trial shares.
    space
        What is varied.
    folder
        The sweep's directory; each record is there as soon as its trial has ended.
    tracker
        The sweep's own run, above those of the trials.
    """
    records = read_trials(folder)
    ended = {record.slot for record in records}
    search, count = make_search(config, space, folder)
    plan = TrialPlan(
        # a trial has no workers of its own
        config=config.replace({"general.dask": False}),
        prefix=trial_prefix(config, folder),
        monitor=monitor_of(config),
        tags={_PARENT_TAG: tracker.run_id} if tracker else {},
    )
    bar = progress_bar(total=count, desc="sweep", unit="trial")
    bar.update(len(ended))
    try:
        with bar, open_workers(config, ThisThread) as workers:
            left = [slot for slot in range(count) if slot not in ended]
            for _, record in completed(workers, run_trial, left, shared=[plan, search]):
                append_record(folder, record)
                records.append(record)
                _tell(record, plan.monitor, tracker)
                bar.update()
    finally:
        search.close()
    return records


def make_search(config: ConfigDict, space: Space, folder: Path) -> tuple[Search, int]:
    """Return where the trials' values come from, and how many trials there are."""
    table = config["sweep"]
    if table["trials"] is False:
        points = grid(space)
        return Grid(tuple(points)), len(points)
    study = Study(
        storage=table["storage"] or f"sqlite:///{folder.resolve() / STUDY_FILE}",
        name=trial_prefix(config, folder),
        space=space,
        seed=config["general"]["seed"],
        **study_options(table),
    )
    study.create()
    return study, table["trials"]


def trial_prefix(config: ConfigDict, folder: Path) -> str:
    """Return the name of the trials' components without their numbers; it is unique to the sweep."""
    name = config["train"]["component"] or config["model"]["name"].rpartition(".")[2]
    return f"{name}-{folder.name.rpartition('-')[2]}"


def monitor_of(config: ConfigDict) -> str:
    """Return the figure that ranks trials."""
    return config["sweep"]["monitor"] or config["train"]["monitor"]


@contextmanager
def tracked(config: ConfigDict, space: Space, folder: Path) -> Iterator[MlflowTracker | None]:
    """Open the sweep's own run in MLflow, or continue it; None where tracking is off."""
    if not config["mlflow"]["enabled"]:
        yield None
        return
    kept = folder / RUN_FILE
    begun = json.loads(kept.read_text(encoding="utf-8"))["run_id"] if kept.is_file() else None
    tracker = MlflowTracker(config, trial_prefix(config, folder), begun)
    tracker.say_how_to_look()
    if begun is None:
        kept.write_text(json.dumps({"run_id": tracker.run_id}), encoding="utf-8")
        texts = {
            key: ", ".join(map(shown, domain.values)) if isinstance(domain, Choice) else str(domain)
            for key, domain in space.items()
        }
        tracker.start(texts, {"result": folder.name.removeprefix(".partial-")})
    left_out = (RUNNING_FILE, STUDY_FILE, RUN_FILE)
    with tracker.ended_with(
        lambda: [path for path in folder.iterdir() if path.is_file() and path.name not in left_out]
    ):
        yield tracker


def _tell(record: TrialRecord, monitor: str, tracker: MlflowTracker | None) -> None:
    """Log how a trial ended, for people and for the tracker."""
    values = ", ".join(f"{key} = {shown(value)}" for key, value in record.values.items())
    if record.state == "failed":
        _log.info("trial %d failed: %s", record.number, values)
        return
    _log.info("trial %d %s: %s %.5g with %s", record.number, record.state, monitor, record.score, values)
    if tracker is not None:
        tracker.epoch({"epoch": record.slot, monitor: record.score})
