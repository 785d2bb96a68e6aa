"""Tracking of trainings by MLflow: a local SQLite store by default, nothing that leaves the machine.

MLflow is imported when a tracker is made (its import takes seconds) and only its client is used, so no global
run is opened and nothing is patched.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Self

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError
from chemnet.extras import install_command, is_installed, require
from chemnet.progress import get_logger
from chemnet.results.locks import one_at_a_time

STORE_FILE = "mlflow.db"
ARTIFACTS_FOLDER = "mlflow_artifacts"
# MLflow refuses longer parameter values
_LONGEST_PARAMETER = 500
_log = get_logger(__name__)


def tracked_where_possible(config: ConfigDict) -> ConfigDict:
    """Return the configuration with tracking off where MLflow is missing and only the default asks for it.

    Raises
    ------
    MissingPackageError
        When somebody chose a key of ``[mlflow]``, and MLflow is missing.
    """
    if not config["mlflow"]["enabled"] or is_installed("mlflow"):
        return config
    if any(key[0] == "mlflow" for key in config.chosen):
        require("mlflow", "tracking, as [mlflow] is set,")
    _log.warning("MLflow is not installed: nothing is tracked (%s)", install_command("mlflow"))
    return config.replace({"mlflow.enabled": False})


# not Ignite's MLflowLogger: it opens the process's one global run; a sweep's stays open around its trials'
class MlflowTracker:
    """One MLflow run: parameters at the start, metrics of each epoch, artifacts at the end.

    Parameters
    ----------
    config
        Reads ``[mlflow]``, ``train.experiment_name`` and ``train.run_name``.
    run_name
        The run's name when ``train.run_name`` gives none.
    run_id
        A run to continue; None makes a new one.

    Raises
    ------
    ConfigError
        When MLflow knows no such store or server, or it does not answer.
    """

    def __init__(self, config: ConfigDict, run_name: str, run_id: str | None = None) -> None:
        # before the import: MLflow reports its use otherwise
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["DO_NOT_TRACK"] = "true"
        # a server that is gone holds a training up for seconds, not for the minutes of MLflow's seven retries
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        results_dir = Path(config["general"]["results_dir"]).resolve()
        uri = config["mlflow"]["tracking_uri"] or f"sqlite:///{results_dir / STORE_FILE}"
        try:
            with _quiet_migrations(), _alone_in_store(uri):
                self._client = MlflowClient(uri)
                experiment = self._experiment(config["train"]["experiment_name"], config, results_dir)
                name = config["train"]["run_name"] or run_name
                run = (
                    self._client.get_run(run_id)
                    if run_id
                    else self._client.create_run(experiment, run_name=name)
                )
        except MlflowException as error:
            raise ConfigError(
                f"mlflow.tracking_uri = {uri!r} cannot be used: {str(error).splitlines()[0]}",
                hint="give the URI of a server or store that MLflow knows; false keeps an SQLite file in "
                "general.results_dir; mlflow.enabled=false tracks nothing",
            ) from error
        self.run_id: str = run.info.run_id
        self._uri, self._experiment_id, self._lost = uri, str(run.info.experiment_id), False

    def say_how_to_look(self) -> None:
        """Log the command, or the address, that shows the run."""
        if self._uri.startswith(("http://", "https://")):
            address = f"{self._uri.rstrip('/')}/#/experiments/{self._experiment_id}/runs/{self.run_id}"
            _log.info("MLflow shows this run: %s", address)
        else:
            _log.info("MLflow shows this run: mlflow ui --backend-store-uri %s", shlex.quote(self._uri))

    def start(self, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Log parameters, nested ones under dotted names, and tags."""
        from mlflow.entities import Param, RunTag

        flat = [Param(name, str(value)[:_LONGEST_PARAMETER]) for name, value in flattened(parameters)]
        self._client.log_batch(
            self.run_id, params=flat, tags=[RunTag(name, value) for name, value in tags.items()]
        )

    def epoch(self, record: Mapping[str, float]) -> None:
        """Log the figures of one epoch."""
        import time

        from mlflow.entities import Metric

        now, step = int(time.time() * 1000), int(record["epoch"])
        metrics = [Metric(name, float(value), now, step) for name, value in record.items() if name != "epoch"]
        self._tell(lambda: self._client.log_batch(self.run_id, metrics=metrics))

    def _tell(self, send: Callable[[], Any]) -> None:
        """Send something; where the server or the store is gone, say so once and train on without it."""
        from mlflow.exceptions import MlflowException

        if self._lost:
            return
        try:
            send()
        except (MlflowException, OSError) as error:
            self._lost = True
            _log.warning(
                "MLflow run %s: %s can no longer be reached (%s); the training continues, and its result "
                "has all figures",
                self.run_id,
                self._uri,
                str(error).splitlines()[0],
            )

    @contextmanager
    def ended_with(self, artifacts: Callable[[], list[Path]]) -> Iterator[Self]:
        """Return a context that logs artifacts and ends the run: finished, killed by Ctrl-C, or failed."""
        status = "FAILED"
        try:
            yield self
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            for path in artifacts():
                self._tell(partial(self._client.log_artifact, self.run_id, str(path)))
            self._tell(lambda: self._client.set_terminated(self.run_id, status=status))

    def _experiment(self, name: str, config: ConfigDict, results_dir: Path) -> str:
        """Return the experiment's id, made when it is new; a local store keeps artifacts beside it."""
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        local = not config["mlflow"]["tracking_uri"]
        place = (results_dir / ARTIFACTS_FOLDER).as_uri() if local else None
        try:
            return self._client.create_experiment(name, artifact_location=place)
        except MlflowException:
            # another training of the same server may have made it meanwhile
            found = self._client.get_experiment_by_name(name)
            if found is None:
                raise
            return found.experiment_id


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Walk nested parameters as ``("table.key", value)``.

    Examples
    --------
    >>> list(flattened({"model": {"hidden": [2, 3]}}))
    [('model.hidden', [2, 3])]
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def git_commit(folder: Path) -> str | None:
    """Return the commit that is checked out in `folder`, or None where there is no repository or no git."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def _alone_in_store(uri: str) -> AbstractContextManager[None]:
    """Return a context that one process at a time is in: two would make the tables of a new SQLite file."""
    scheme, _, file = uri.partition(":///")
    if scheme != "sqlite":
        return nullcontext()
    path = Path(file)
    return one_at_a_time(path.with_name(f".{path.name}.lock"))


@contextmanager
def _quiet_migrations() -> Iterator[None]:
    """Keep the making of a new store from printing dozens of migration lines."""
    import logging

    loggers = [logging.getLogger(name) for name in ("alembic", "mlflow.store.db.utils")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
