"""Training and judging the variants of studies, so that an interrupted study goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chemnet.config import ConfigDict
from chemnet.data.histories import HistorySource
from chemnet.data.preprocessed import PreprocessedData
from chemnet.errors import ChemNetError, RunFailedError
from chemnet.evaluation.published_errors import EnsembleErrors, PublishedErrors
from chemnet.evaluation.score_tracers import rolled_out
from chemnet.evaluation.scored_data import surrogate_to_score
from chemnet.progress import get_logger, progress
from chemnet.registry import VERBS
from chemnet.results import ResultDirectory, journal
from chemnet.studies.variants import MAIN, Variant
from chemnet.surrogate.surrogate import Surrogate
from chemnet.sweeps.trial import TRIAL_STATUS, finished, train_or_resume
from chemnet.workers import ThisThread, completed, open_workers

TRAININGS_FILE = "trainings.jsonl"
# of a training that another one's configuration is taken from, these are today's
_TODAY = ("general.results_dir", "general.device", "general.threads", "general.dask")
_log = get_logger(__name__)


@dataclass(frozen=True)
class StudyPlan:
    """What all trainings of a study share.

    Attributes
    ----------
    config
        The configuration of the training on everything, with the inputs that it uses.
    prefix
        Component names without those of the variants; unique to the study.
    batch_size
        Rows or windows per step of the training on everything.
    preprocess, autoencoder
        Paths of these inputs; None for an emulator that needs no autoencoder.
    """

    config: ConfigDict
    prefix: str
    batch_size: int
    preprocess: str
    autoencoder: str | None = None


@dataclass(frozen=True)
class TrainingRecord:
    """How a training of a study ended.

    Attributes
    ----------
    study, value
        Its variant.
    state
        ``"done"`` or ``"failed"``.
    result
        Path of its training result; empty for a failed one.
    tracers, rows
        Of its training split.
    epochs, wall_s
        Epochs, and the time spent in them [s].
    parameters
        Weights of the emulator.
    errors
        `PublishedErrors.to_dict` on the test tracers.
    reason
        Why it failed.
    """

    study: str
    value: int
    state: Literal["done", "failed"]
    result: str = ""
    tracers: int = 0
    rows: int = 0
    epochs: int = 0
    wall_s: float = 0.0
    parameters: int = 0
    errors: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


class _Callback:
    """Marks a training as a part of a study; it never ends one."""

    status = TRIAL_STATUS

    def __init__(self, plan: StudyPlan, variant: Variant) -> None:
        self.tags: Mapping[str, str] = {"study": plan.prefix, "variant": variant.name}

    def stops_after(self, record: Mapping[str, float]) -> bool:
        """Let it go on."""
        return False


def run_trainings(plan: StudyPlan, variants: Sequence[Variant], folder: Path) -> list[TrainingRecord]:
    """Train and judge what has not ended yet, and return the records of all, in the order of the variants.

    Parameters
    ----------
    plan
        What they share.
    variants
        The trainings.
    folder
        The study's directory; each record is there as soon as its training was judged.

    Raises
    ------
    RunFailedError
        When the training on everything failed: there is nothing to compare the others with.
    """
    file = folder / TRAININGS_FILE
    found = [TrainingRecord(**one) for one in journal.entries(file)]
    # what failed is tried again: the disk may have been full
    records = {(one.study, one.value): one for one in found if one.state == "done"}
    left = [one for one in variants if (one.study, one.value) not in records]
    # a training has no workers of its own
    alone = replace(plan, config=plan.config.replace({"general.dask": False}))
    with progress(total=len(variants), desc="study", unit="training") as bar:
        bar.n = bar.initial = len(variants) - len(left)
        with open_workers(plan.config, ThisThread) as workers:
            # without the first one the others are worth nothing
            for tasks in (left[:1], left[1:]):
                for variant, record in completed(workers, train_and_judge, tasks, shared=[alone]):
                    journal.append(file, asdict(record))
                    records[variant.study, variant.value] = record
                    bar.update()
                    _check_main(variant, record)
    return [records[one.study, one.value] for one in variants]


def _check_main(variant: Variant, record: TrainingRecord) -> None:
    """Refuse to go on where the training on everything failed."""
    if variant.study == MAIN and record.state == "failed":
        raise RunFailedError(
            f"the training on everything failed: {record.reason}",
            hint="try it alone: chemnet train; to go on: chemnet study study.resume=latest",
        )


def train_and_judge(plan: StudyPlan, variant: Variant) -> TrainingRecord:
    """Train one variant on the worker where this is called, and score it on the test tracers."""
    name = f"{plan.prefix}-{variant.name}"
    callback = _Callback(plan, variant)
    _log.info("training %s", variant.name)
    try:
        names = {"train.component": name, "train.run_name": name}
        config = plan.config.replace({**variant.recipe, **names})
        if variant.thinning:
            config = config.replace(_thinned_inputs(plan, variant, name, callback))
        trained = train_or_resume(config, name, callback)
        record = _record(plan, variant, trained)
        _log.info("%s: %.4g dex after %.0f s", variant.name, record.errors["mlae"], record.wall_s)
        return record
    except ChemNetError as error:
        _log.warning("%s failed: %s", variant.name, error.message)
        return TrainingRecord(variant.study, variant.value, "failed", reason=error.message)


def judge_ensemble(plan: StudyPlan, results: Sequence[str]) -> dict[str, Any]:
    """Return how good members are together, each rolled out for itself; see `EnsembleErrors`."""
    members = [_surrogate(plan, result) for result in results]
    source, floor = _test_tracers(plan, members[0]), plan.config["benchmark"]["floor"]
    errors = EnsembleErrors(floor, source.longest)
    for histories in source.batches(plan.config["benchmark"]["tracers_per_batch"]):
        told = [rolled_out(one.predictor, one.device, histories).abundance for one in members]
        errors.add(np.stack(told), histories)
    return {"members": len(members), **errors.to_dict()}


def _thinned_inputs(plan: StudyPlan, variant: Variant, name: str, callback: _Callback) -> dict[str, str]:
    """Thin the tracers, train an autoencoder on them if the emulator needs one, and return both as keys."""
    data = finished(plan.config, "preprocess", name) or _thinned(plan, variant, name)
    inputs = {"train.preprocess_dir": str(data.path)}
    if plan.autoencoder is not None:
        component = f"{name}-autoencoder"
        own = {**inputs, "train.component": component, "train.run_name": component, "train.resume": False}
        config = ResultDirectory.open(plan.autoencoder).config.replace({**_today(plan.config), **own})
        trained = train_or_resume(config, component, callback)
        inputs["train.autoencoder_dir"] = str(trained.path)
    return inputs


def _thinned(plan: StudyPlan, variant: Variant, name: str) -> ResultDirectory:
    """Preprocess the same tracers in the same splits, thinned."""
    whole = ResultDirectory.open(plan.preprocess)
    same = {"preprocess.split_file": str(whole.path), "preprocess.own_split": False}
    config = whole.config.replace({**_today(plan.config), **same, **variant.thinning})
    return VERBS.get("preprocess")(config).run_as_part(whole, name, TRIAL_STATUS).directory


def _record(plan: StudyPlan, variant: Variant, trained: ResultDirectory) -> TrainingRecord:
    surrogate = _surrogate(plan, str(trained.path))
    data, summary = PreprocessedData(trained.parent("preprocess")).split("train"), trained.summary
    return TrainingRecord(
        variant.study,
        variant.value,
        "done",
        result=str(trained.path),
        tracers=len(data.tracer_ids),
        rows=data.n_rows,
        epochs=summary["epochs"],
        wall_s=summary["wall_s"],
        parameters=summary["parameters"],
        errors=_errors(plan, surrogate),
    )


def _errors(plan: StudyPlan, surrogate: Surrogate) -> dict[str, Any]:
    """Roll a surrogate out along the test tracers."""
    table, source = plan.config["benchmark"], _test_tracers(plan, surrogate)
    errors = PublishedErrors(table["floor"], plan.config["study"]["relative_threshold"], source.longest)
    for histories in source.batches(table["tracers_per_batch"]):
        told = rolled_out(surrogate.predictor, surrogate.device, histories).abundance
        errors.add(told, histories)
    return errors.to_dict()


def _surrogate(plan: StudyPlan, result: str) -> Surrogate:
    alone = {"benchmark.surrogate": result, "surrogate.members": [], "surrogate.accuracy": "auto"}
    return surrogate_to_score(plan.config.replace(alone))


def _test_tracers(plan: StudyPlan, surrogate: Surrogate) -> HistorySource:
    """Return the test tracers, whole, whatever a surrogate was trained on."""
    return HistorySource(PreprocessedData(plan.preprocess), "test", surrogate.data)


def _today(config: ConfigDict) -> dict[str, Any]:
    """Return where results go, where networks run and what tracks them."""
    keys = [*_TODAY, *(f"mlflow.{key}" for key in config["mlflow"])]
    return {key: config.lookup(key) for key in keys}
