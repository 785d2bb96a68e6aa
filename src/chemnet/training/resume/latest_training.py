"""Which training `train.resume` means; found without torch, so that a wrong name is told at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chemnet.config import ConfigDict
from chemnet.errors import ResultsError
from chemnet.results import ResultDirectory, list_results
from chemnet.results.layout import DONE, PARTIAL_PREFIX
from chemnet.results.result_names import newest_of_component, result_folder, run_folder, suggest_result
from chemnet.results.unfinished_runs import list_partial, run_state

LATEST = "latest"
RESUME_FILE = "resume.safetensors"


def training_to_resume(config: ConfigDict) -> Path | None:
    """Return the directory of the training that ``train.resume`` names, or None when it names none.

    Raises
    ------
    ResultsError
        When there is no such training.
    """
    wanted = config["train"]["resume"]
    if wanted is False:
        return None
    return _latest(config) if wanted == LATEST else _named(config, wanted)


def _candidates(config: ConfigDict) -> Iterator[Path]:
    """Yield every training, unfinished or whole, that holds a state."""
    results_dir = Path(config["general"]["results_dir"])
    partial = [path for path in list_partial(results_dir) if "-train-" in path.name]
    whole = [result.path for result in list_results(results_dir, "train")]
    yield from (path for path in (*partial, *whole) if (path / RESUME_FILE).is_file())


def _latest(config: ConfigDict) -> Path:
    """Return the training whose state was written last, leaving out those that run or may run elsewhere.

    A finished training is not taken where a later one runs: whoever asks for that one twice is refused.
    """
    candidates = sorted(_candidates(config), key=lambda path: (path / RESUME_FILE).stat().st_mtime_ns)
    states = {path: run_state(path)[0] for path in candidates}
    free = [path for path in candidates if states[path] == "unfinished"]
    running = [path for path in candidates if states[path] == "running"]
    if running and not any(_is_open(path) for path in free):
        raise ResultsError(
            f"{running[-1].name} is still running, and no other training is unfinished",
            hint="wait for it; train.resume=NAME goes on with a finished training",
        )
    if not free:
        raise ResultsError(
            f"no training in {config['general']['results_dir']} can be resumed",
            hint="set train.resume = false",
        )
    return free[-1]


def _is_open(path: Path) -> bool:
    return path.name.startswith(PARTIAL_PREFIX) or ResultDirectory.open(path).status != DONE


def _named(config: ConfigDict, wanted: str) -> Path:
    """Return the directory of a training by path, directory name or component (the newest of that name)."""
    results_dir = config["general"]["results_dir"]
    # a run that was resumed in place has its final name by now
    finished = Path(wanted).with_name(Path(wanted).name.removeprefix(PARTIAL_PREFIX))
    path = run_folder(results_dir, wanted) or result_folder(results_dir, str(finished))
    if path is not None:
        return path
    trained = newest_of_component(results_dir, "train", wanted)
    if trained is not None:
        return trained.path
    # a hidden one and its final name are one run, begun at one time
    known = sorted(_candidates(config), key=lambda one: one.name.removeprefix(PARTIAL_PREFIX))
    raise ResultsError(
        f"train.resume = {wanted!r}: no such training",
        hint=suggest_result(wanted, [one.name for one in known], [LATEST]),
    )
