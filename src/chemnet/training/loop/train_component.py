"""Training one component from its inputs to its result directory: the recipe that `chemnet train` follows."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chemnet.config import ConfigDict
from chemnet.models.contract import build_model, own_table
from chemnet.models.model_file import load_trained, write_model_file
from chemnet.models.optimisation import keywords
from chemnet.models.weights import fitted
from chemnet.progress import get_logger
from chemnet.registry import MODELS
from chemnet.results import ResultDirectory, ResultWriter
from chemnet.results.layout import DONE
from chemnet.training.feeds.curriculum import with_curriculum
from chemnet.training.feeds.split_feeds import batch_bytes, make_feeds, training_data
from chemnet.training.feeds.truncation import with_truncation
from chemnet.training.loop.early_stopping import Callback, stopped_early
from chemnet.training.loop.engines import make_trainer, run_epochs
from chemnet.training.loop.handlers import Tracker, attach_all, write_weights
from chemnet.training.loop.schedules import with_schedule_length
from chemnet.training.loop.session import Session, make_session
from chemnet.training.loop.tensorboard import tensorboard
from chemnet.training.loop.trace import Trace
from chemnet.training.loop.tracking import MlflowTracker, git_commit
from chemnet.training.loop.training_report import (
    CURVES_FILE,
    METRICS_FILE,
    SUMMARY_FILE,
    records_of,
    write_curves,
    write_summary,
)
from chemnet.training.parallel.devices import cpu_threads
from chemnet.training.parallel.memory import memory_for_steps
from chemnet.training.parallel.process_group import ALONE, Alone
from chemnet.training.resume.checkpoint import RESUME_FILE, restore
from chemnet.training.resume.resume import Resumed, origin_of

_log = get_logger(__name__)


def train_component(
    config: ConfigDict,
    inputs: dict[str, ResultDirectory],
    resumed: Resumed | None = None,
    callback: Callback | None = None,
    group: Alone = ALONE,
    start: Mapping[str, Tensor] | None = None,
) -> ResultDirectory:
    """Train the model that the configuration names, and return its result.

    Parameters
    ----------
    config
        The merged configuration, with the inputs that are really used.
    inputs
        ``"preprocess"``, and ``"autoencoder"`` for an emulator.
    resumed
        A run to resume.
    callback
        Sees each epoch and may end the training.
    group
        The processes that train it together.
    start
        Weights to begin with, by name; None for random ones, or those of ``train.model_weights_file``.

    Raises
    ------
    RunFailedError
        When a loss is not finite; no result is left.
    KeyboardInterrupt
        After the best weights were saved in a result of status ``"interrupted"``, if an epoch was complete. A
        training with a callback stays hidden instead, so that its caller can continue it.
    """
    largest = batch_bytes(inputs["preprocess"], config)
    with cpu_threads(config["general"]["threads"]), memory_for_steps(largest):
        session, trace = prepare(config, inputs, resumed, group, start)
        # all have read what the first one may change now
        group.wait()
        if group.is_first:
            return group.broadcast(_write_component(config, inputs, resumed, session, trace, callback))
        _run(session, trace, [], callback)
        return group.broadcast(None)


def _write_component(
    config: ConfigDict,
    inputs: dict[str, ResultDirectory],
    resumed: Resumed | None,
    session: Session,
    trace: Trace,
    callback: Callback | None,
) -> ResultDirectory:
    # what the resumed run becomes is what an uninterrupted one would be, so its configuration reproduces it
    kept_config = config.replace({"train.resume": False})
    component = config["train"]["component"] or config["model"]["name"]
    with ResultWriter(
        kept_config, "train", component, parents=inputs, resume=resumed.in_place if resumed else None
    ) as writer:
        session.folder = writer.path
        try:
            return _train(session, writer, trace, callback)
        finally:
            # a run that failed or was interrupted later on can be resumed from its last whole epoch
            writer.keep_on_error = (writer.path / RESUME_FILE).is_file()


def prepare(
    config: ConfigDict,
    inputs: dict[str, ResultDirectory],
    resumed: Resumed | None,
    group: Alone = ALONE,
    start: Mapping[str, Tensor] | None = None,
) -> tuple[Session, Trace]:
    """Build model, feeds and optimizer, and bring back the state of a resumed run; nothing is written."""
    seed_everything(config["general"]["seed"])
    device, trace = group.device(config["general"]["device"]), Trace(config["train"]["trace"])
    data = training_data(inputs["preprocess"], config)
    feed = MODELS.get(config["model"]["name"]).feed
    autoencoder = load_trained(inputs["autoencoder"]) if "autoencoder" in inputs else None
    model: Any = build_model(config, data.describe(feed), autoencoder)
    if config["train"]["model_weights_file"] and resumed is None:
        model.load_weights(config["train"]["model_weights_file"])
    if start is not None:
        model.load_state_dict(fitted(start, model.state_dict(), config["train"]["start_from"]))
    model.to(device)
    training, validation = make_feeds(data, feed, config, device, trace, group.shard)
    group.check_batches(training)
    shown = trace.feed(training)
    if feed != "windows" and config["train"]["gradient_steps"]:
        _log.warning("train.gradient_steps has no effect: %s has no rollouts", config["model"]["name"])
    if feed == "windows":
        shown = with_curriculum(shown, config, data.window, data.horizon)
        shown = with_truncation(shown, config, model, data.window, data.horizon)
    session = make_session(
        model,
        with_schedule_length(config, len(training)),
        training=shown,
        validation=validation,
        folder=Path(),
        device=device,
        origin=origin_of(config, inputs),
        group=group,
        from_surrogate=start is not None,
    )
    if resumed is not None:
        session.state = restore(resumed.found, model, session.optimizer, session.scheduler)
        session.records = records_of(resumed.found.path, session.state.epoch)
        resumed.found.check_records(session.records)
        session.earlier_s = sum(record["wall_s"] for record in session.records)
    elif start is None and not config["train"]["model_weights_file"]:
        model.before_training(training)
    group.join(model, config["general"]["seed"] + session.state.epoch)
    return session, trace


def _train(
    session: Session, writer: ResultWriter, trace: Trace, callback: Callback | None
) -> ResultDirectory:
    """Run the epochs that are left and finish the result; Ctrl-C finishes it early."""
    with ExitStack() as stack:
        trackers: list[Tracker] = []
        if session.config["mlflow"]["enabled"]:
            trackers.append(stack.enter_context(_tracked(session, writer, callback)))
        try:
            with tensorboard(session) as boards:
                _run(session, trace, [*trackers, *boards], callback)
        except KeyboardInterrupt:
            if session.state.epoch and callback is None:
                _say_how_to_resume(session, finish(session, writer, "interrupted"))
            raise
        return finish(session, writer, callback.status if callback else DONE)


def _run(session: Session, trace: Trace, trackers: Sequence[Tracker], callback: Callback | None) -> None:
    means = session.group.means("training")
    trainer = make_trainer(session, means, trace)
    attach_all(trainer, session, means, trackers, callback)
    if not stopped_early(session):
        run_epochs(trainer, session)


def finish(session: Session, writer: ResultWriter, status: str) -> ResultDirectory:
    """Write weights, description, summary and curves from the best epoch, and reveal the result."""
    write_weights(session.folder, session, session.training)
    write_model_file(session.folder, session.model)
    summary = summarise(session, status, writer.seconds)
    write_summary(session.folder, summary)
    write_curves(session.folder, session.records, session.config)
    writer.summary.update(summary)
    result = writer.finish(status)
    session.folder = result.path
    return result


def summarise(session: Session, status: str, seconds: float) -> dict[str, Any]:
    """Return what ``summary.json`` holds: the run in a few values, with the figures of its best epoch.

    Parameters
    ----------
    session
        The training.
    status
        How it ended.
    seconds
        Wall time since the command began; epochs before a resumption are added [s].
    """
    state = session.state
    records = [session.first_record, *session.records]
    best = next((record for record in records if record.get("epoch") == state.best_epoch), {})
    return {
        "model": session.config["model"]["name"],
        "role": session.model.role,
        **({"started_from": started} if (started := session.config["train"]["start_from"]) else {}),
        "parameters": sum(parameter.numel() for parameter in session.model.parameters()),
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "ended_by": "interrupted" if status == "interrupted" else _ended_by(session),
        "device": str(session.device),
        "items_per_epoch": session.training.n_items,
        **{name: value for name, value in best.items() if _is_for_summary(name)},
        "wall_s": round(session.earlier_s + seconds, 3),
    }


def _ended_by(session: Session) -> str:
    return "watch" if session.ended_by_callback else "early" if stopped_early(session) else "epochs"


def _is_for_summary(name: str) -> bool:
    """Return whether a figure of an epoch says something at a glance.

    The mean relative error does not: one trace species that is off by decades makes it millions.
    """
    return name.startswith(("train_", "validate_")) and not name.endswith("mean_relative_error")


def seed_everything(seed: int) -> None:
    """Seed every random generator that a model may draw from."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (plugins may draw from the global generator)
    torch.manual_seed(seed)


def parameters_of(config: ConfigDict) -> dict[str, Any]:
    """Return the hyperparameters of a run: the model's own, wherever it comes from, and the recipe's."""
    name = config["model"]["name"]
    recipe = {part: config[part]["name"] for part in ("optimizer", "criterion", "scheduler")}
    return {
        "model": {"name": name, name.rpartition(".")[2]: own_table(config, name)},
        "train": config["train"].to_dict(),
        **{
            part: {"name": chosen, **(keywords(config, chosen) if chosen else {})}
            for part, chosen in recipe.items()
        },
        "seed": config["general"]["seed"],
    }


def _tracked(session: Session, writer: ResultWriter, callback: Callback | None) -> Any:
    """Return an MLflow run as a context that ends it with the right status and artifacts."""
    tracker = MlflowTracker(session.config, writer.component or "")
    if callback is None:  # a sweep says it once, of its own run
        tracker.say_how_to_look()
    tags = {
        "data_digest": writer.parents["preprocess"].digest,
        "result": writer.path.name.removeprefix(".partial-"),
        **(callback.tags if callback else {}),
    }
    commit = git_commit(Path.cwd())
    tracker.start(parameters_of(session.config), tags | ({"git_commit": commit} if commit else {}))
    names = (CURVES_FILE, SUMMARY_FILE, METRICS_FILE)
    return tracker.ended_with(lambda: [path for name in names if (path := session.folder / name).is_file()])


def _say_how_to_resume(session: Session, result: ResultDirectory) -> None:
    """Tell the user what was kept and what to type."""
    _log.warning(
        "interrupted after epoch %d; the best weights (epoch %d) are in %s; to resume:\n"
        "  chemnet train -c %s train.resume=%s",
        session.state.epoch,
        session.state.best_epoch,
        result.path,
        result.path / "runtime_config.toml",
        result.path,
    )
