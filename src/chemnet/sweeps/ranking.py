"""The trials of a sweep, best first: as a table, and as the component that the sweep leaves behind."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chemnet.errors import RunFailedError
from chemnet.results import ResultDirectory, ResultWriter, journal
from chemnet.sweeps.trial import TrialRecord

TRIALS_FILE = "trials.jsonl"
Row = list[str]


def append_record(folder: Path, record: TrialRecord) -> None:
    """Write the record of a trial to disk at once, so that an interrupted sweep knows what is done."""
    journal.append(folder / TRIALS_FILE, record.to_dict())


def read_trials(folder: Path) -> list[TrialRecord]:
    """Return the records of the trials that have ended, in that order."""
    return [TrialRecord.from_dict(entry) for entry in journal.entries(folder / TRIALS_FILE)]


def ranked(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return trials best first; those that failed stand last."""
    return sorted(records, key=lambda one: (math.isnan(one.score), one.score, one.slot))


def best_of(records: Sequence[TrialRecord]) -> TrialRecord:
    """Return the best trial.

    Raises
    ------
    RunFailedError
        When every trial failed.
    """
    best = ranked(records)[0]
    if best.state == "failed":
        raise RunFailedError(
            f"all {len(records)} trials failed; the first: {best.reason}",
            hint="try one of them alone: chemnet train with the same values",
        )
    return best


def trial_table(records: Sequence[TrialRecord], monitor: str) -> list[Row]:
    """Return head and rows of the trials, best first."""
    keys = list(records[0].values)
    head = ["trial", *keys, monitor, "best epoch", "epochs", "time [s]", "state", "result"]
    return [head, *(_row(one, keys) for one in ranked(records))]


def _row(record: TrialRecord, keys: Sequence[str]) -> Row:
    failed = record.state == "failed"
    figures = ["-"] * 4
    if not failed:
        times = [str(record.best_epoch), str(record.epochs), f"{record.wall_s:.1f}"]
        figures = [f"{record.score:.5g}", *times]
    values = [shown(record.values[key]) for key in keys]
    return [str(record.number), *values, *figures, record.state, Path(record.result).name or record.reason]


def shown(value: Any) -> str:
    """Return a value as tables and axes show it.

    Examples
    --------
    >>> shown(0.0012345678), shown((320, 160)), shown(False)
    ('0.0012346', '[320, 160]', 'false')
    """
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def keep_best(best: TrialRecord, component: str | bool) -> ResultDirectory:
    """Copy the best trial as the newest training, under the name that the sweep was asked for.

    Later verbs, such as `infer`, then find it like a result of `train`.
    """
    trial = ResultDirectory.open(best.result)
    config = trial.config.replace({"train.component": component, "train.run_name": False})
    name = component if isinstance(component, str) else config["model"]["name"]
    parents = {role: trial.parent(role) for role in trial.parents}
    with ResultWriter(config, "train", name, parents=parents) as writer:
        for file in trial.files:
            shutil.copy2(trial.file(file), writer.path / file)
        writer.summary.update(trial.summary)
    return writer.result
