"""Resuming an interrupted inference after its last complete batch."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from chemnet.config import ConfigDict, load_result_config
from chemnet.config.whole_file import write_whole
from chemnet.data.infer_result.infer_result_writer import PROGRESS_FILE
from chemnet.errors import ResultsError
from chemnet.progress import get_logger
from chemnet.registry import DATASETS
from chemnet.results import ResultDirectory, ResultWriter
from chemnet.results.unfinished_runs import OwnedRun, unfinished

# the digests of what an unfinished run reads
INPUTS_FILE = "inputs.json"
# where a run is resumed is today's; everything else is as it began
_TODAY = ("general.device", "general.threads", "general.results_dir")
_log = get_logger(__name__)


def resumed(config: ConfigDict) -> tuple[ConfigDict, OwnedRun]:
    """Return the configuration and the unfinished run that `infer.resume` names.

    Raises
    ------
    ResultsError
        When there is none, or it is running still.
    """
    run = unfinished(config, "infer", str(config["infer"]["resume"]))
    _log.info("resuming %s with its own configuration", run.path.name)
    begun = load_result_config(run.path / "runtime_config.toml")
    return begun.replace({key: config.lookup(key) for key in _TODAY}), run


def check_same_inputs(folder: Path, config: ConfigDict, parents: Mapping[str, ResultDirectory]) -> None:
    """Record the inputs in a new directory; in that of an unfinished run, refuse different ones.

    Raises
    ------
    ResultsError
        When the model or the data have changed.
    """
    digests = {name: parent.digest for name, parent in parents.items()}
    if "preprocess" not in parents:
        digests["data_set"] = DATASETS.get(config["data_set"]["name"])(config).digest
    path = folder / INPUTS_FILE
    if not path.is_file():
        write_whole(path, json.dumps(digests))
    elif _noted(path) != digests:
        raise ResultsError(
            f"{folder.name} cannot go on: its model, its data or {INPUTS_FILE} have changed since it began",
            hint="bring the old input back, or start afresh without infer.resume",
        )


def _noted(path: Path) -> object:
    """Return the digests that were noted; None where the note is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None


@contextlib.contextmanager
def kept_after_a_batch(writer: ResultWriter) -> Iterator[None]:
    """Leave the hidden directory for a resume if the block breaks off after its first whole batch."""
    try:
        yield
    except BaseException:
        if (writer.path / PROGRESS_FILE).is_file():
            writer.keep_on_error = True
            _log.warning("complete batches are kept; to resume: chemnet infer infer.resume=latest")
        raise
