"""Resuming a training: which one, from what state, on what data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chemnet.config import ConfigDict, load_result_config
from chemnet.config.overrides import join_key
from chemnet.errors import ConfigError, ResultsError
from chemnet.progress import get_logger
from chemnet.results import ResultDirectory
from chemnet.results.layout import PARTIAL_PREFIX, RESULT_FILE
from chemnet.results.unfinished_runs import OwnedRun
from chemnet.training.parallel.process_group import ALONE, Alone
from chemnet.training.resume.checkpoint import Resumable, read_state
from chemnet.training.resume.latest_training import training_to_resume

INPUTS = ("preprocess", "autoencoder")
CONFIG_FILE = "runtime_config.toml"
# what may be chosen anew when a run goes on; everything else it was trained with stays as it was
_PROCESS_KEYS = ("epochs", "early_stopping_patience", "resume", "trace", "log_interval")
_ANEW = {("train", key) for key in (*_PROCESS_KEYS, *(f"{role}_dir" for role in INPUTS))}
_RECIPE_TABLES = ("model", "criterion", "optimizer", "scheduler", "train")
_log = get_logger(__name__)


@dataclass(frozen=True)
class Resumed:
    """A run to resume.

    Attributes
    ----------
    found
        Its state.
    in_place
        The run, when it never finished and goes on where it is; None for a finished or interrupted result,
        and in all processes but the first.
    config
        The configuration that it began with.
    """

    found: Resumable
    in_place: OwnedRun | None
    config: ConfigDict


def check_start(config: ConfigDict, resumed: Resumed | None) -> None:
    """Raise `ConfigError` when a run is resumed and started from weights that it did not start from."""
    weights = config["train"]["model_weights_file"]
    if resumed is not None and weights and weights != resumed.config["train"]["model_weights_file"]:
        raise ConfigError(
            "train.resume and train.model_weights_file are both set",
            hint="resume goes on with a run, model_weights_file starts a new one from weights: choose",
        )


def find_resumed(config: ConfigDict, group: Alone = ALONE) -> Resumed | None:
    """Return the run that ``train.resume`` names, or None when a new one starts.

    Of several processes the first one finds it, and owns it.

    Raises
    ------
    ResultsError
        When there is none, or it is still running, is not a training, has changed, or lacks its state.
    """
    path = group.first_path(lambda: training_to_resume(config))
    if path is None:
        return None
    hidden = path.name.startswith(PARTIAL_PREFIX)
    in_place = OwnedRun(path, "train") if hidden and group.is_first else None
    _check_is_training(path)
    found = read_state(path)
    return Resumed(found, in_place, load_result_config(path / CONFIG_FILE))


def config_to_go_on_with(config: ConfigDict, resumed: Resumed | None) -> ConfigDict:
    """Return the configuration of the resumed run, with today's values of what may change.

    Machine, log and tracking are today's, the keys of `_ANEW` today's where they were chosen. What else was
    chosen for the recipe is ignored, with a warning that names it.
    """
    if resumed is None:
        return config
    origin = resumed.found.origin
    inputs = {f"train.{role}_dir": origin[role]["path"] for role in INPUTS if origin.get(role)}
    today = {
        join_key((table, key)): value
        for table in ("general", "mlflow")
        for key, value in config[table].items()
        if key != "seed"
    }
    anew = {join_key(key): config.lookup(join_key(key)) for key in _ANEW & config.chosen}
    named = {key: value for key, value in anew.items() if not (key in inputs and value is False)}
    _warn_of_ignored(config, resumed)
    return resumed.config.replace({**inputs, **today, **named})


def _warn_of_ignored(config: ConfigDict, resumed: Resumed) -> None:
    """Name the keys of the recipe that were chosen in contradiction to the resumed run."""
    chosen = {key for key in config.chosen if key[0] in _RECIPE_TABLES or "." in key[0]} - _ANEW
    chosen |= config.chosen & {("general", "seed")}
    ignored = [
        f"{name} = {config.lookup(name)!r}"
        for name in sorted(map(join_key, chosen))
        if config.lookup(name) != _value_or_none(resumed.config, name)
    ]
    if ignored:
        _log.warning(
            "%s is resumed with its own configuration; ignored: %s (train.model_weights_file starts a new "
            "run from weights)",
            resumed.found.path.name,
            ", ".join(ignored),
        )


def _value_or_none(config: ConfigDict, name: str) -> Any:
    """Return the value of a dotted key, None where the configuration has no such key."""
    try:
        return config.lookup(name)
    except ConfigError:
        return None


def _check_is_training(path: Path) -> None:
    """Raise `ResultsError` when a directory is a result of another verb, or one that has changed."""
    if not (path / RESULT_FILE).is_file():
        return
    result = ResultDirectory.open(path)
    if result.verb != "train":
        raise ResultsError(
            f"train.resume: {path} is a result of `{result.verb}`; a training is needed",
            hint="`chemnet results` lists results with their verbs",
        )
    result.verify()


def check_inputs(resumed: Resumed | None, inputs: dict[str, ResultDirectory]) -> None:
    """Raise `ResultsError` when a run is resumed on other inputs than it began with."""
    if resumed is None:
        return
    for role, result in inputs.items():
        begun = resumed.found.origin[role]
        if result.digest != begun["digest"]:
            raise ResultsError(
                f"{resumed.found.path} was trained on {begun['path']} (digest {begun['digest'][:12]}), "
                f"but train.{role}_dir is {result.path} (digest {result.digest[:12]})",
                hint="to start from its weights on other data, set train.model_weights_file instead",
            )


def origin_of(config: ConfigDict, inputs: dict[str, ResultDirectory]) -> dict[str, Any]:
    """Return what a state keeps of where its run came from."""
    kept = {role: {"path": str(result.path), "digest": result.digest} for role, result in inputs.items()}
    return {"model": config["model"]["name"], **kept}
