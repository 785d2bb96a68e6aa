"""Going on with a training: which one, from what state, on what data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, ResultsError, suggest
from chemnet.results import ResultDirectory, list_results
from chemnet.results.directory import PARTIAL_PREFIX, is_running, list_partial
from chemnet.training.state import RESUME_FILE, Resumable, read_state

LATEST = "latest"
INPUTS = ("preprocess", "autoencoder")


@dataclass(frozen=True)
class Resumed:
    """A run to go on with.

    Attributes
    ----------
    found
        Its state.
    in_place
        Its hidden directory, when the run never finished and goes on there; None for a finished or
        interrupted result.
    """

    found: Resumable
    in_place: Path | None


def check_start(config: ConfigDict) -> None:
    """Raise `ConfigError` when both ways to start from something are set."""
    table = config["train"]
    if table["resume"] and table["model_weights_file"]:
        raise ConfigError(
            "train.resume and train.model_weights_file are both set",
            hint="resume goes on with a run, model_weights_file starts a new one from weights: choose",
        )


def find_resumed(config: ConfigDict) -> Resumed | None:
    """Return the run that ``train.resume`` names, or None when a new one starts.

    Raises
    ------
    ResultsError
        When there is none, it is still running, or its state is missing, damaged or of another model.
    """
    wanted = config["train"]["resume"]
    if wanted is False:
        return None
    path = _latest(config) if wanted == LATEST else _named(config, wanted)
    if is_running(path):
        raise ResultsError(f"{path} is still being trained", hint="wait for that process, or end it")
    found = read_state(path)
    model = config["model"]["name"]
    if found.origin["model"] != model:
        raise ResultsError(
            f"{path} trains a {found.origin['model']}; model.name = {model!r}",
            hint=f"pass that run's own configuration: -c {path / 'runtime_config.toml'}",
        )
    return Resumed(found, path if path.name.startswith(PARTIAL_PREFIX) else None)


def with_inputs_of(config: ConfigDict, resumed: Resumed | None) -> ConfigDict:
    """Return the configuration with the resumed run's inputs where none are named."""
    if resumed is None:
        return config
    origin = resumed.found.origin
    keys = {f"train.{role}_dir": origin[role]["path"] for role in INPUTS if origin.get(role)}
    return config.replace({key: path for key, path in keys.items() if config.lookup(key) is False})


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


def _candidates(config: ConfigDict) -> Iterator[Path]:
    """Yield every training, unfinished or whole, that holds a state."""
    results_dir = Path(config["general"]["results_dir"])
    partial = [path for path in list_partial(results_dir) if "-train-" in path.name]
    whole = [result.path for result in list_results(results_dir) if result.verb == "train"]
    yield from (path for path in (*partial, *whole) if (path / RESUME_FILE).is_file())


def _latest(config: ConfigDict) -> Path:
    """Return the training whose state was written last, leaving out those that still run."""
    candidates = [path for path in _candidates(config) if not is_running(path)]
    if not candidates:
        raise ResultsError(
            f"no training in {config['general']['results_dir']} can be resumed",
            hint="set train.resume = false",
        )
    return max(candidates, key=lambda path: (path / RESUME_FILE).stat().st_mtime_ns)


def _named(config: ConfigDict, wanted: str) -> Path:
    """Return the directory of a training by path, directory name or component (the newest of that name)."""
    results_dir = Path(config["general"]["results_dir"])
    for path in (Path(wanted), results_dir / wanted, results_dir / f"{PARTIAL_PREFIX}{wanted}"):
        if path.is_dir():
            return path
    # a run that was resumed in place has its final name by now
    finished = Path(wanted).with_name(Path(wanted).name.removeprefix(PARTIAL_PREFIX))
    if finished.is_dir():
        return finished
    results = [result for result in list_results(results_dir) if result.verb == "train"]
    by_component = [result.path for result in results if result.component == wanted]
    if by_component:
        return by_component[-1]
    raise ResultsError(
        f"train.resume = {wanted!r}: no such training",
        hint=suggest(wanted, [LATEST, *(path.name for path in _candidates(config))]),
    )
