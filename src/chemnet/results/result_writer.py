"""Making a result directory: hidden until whole."""

from __future__ import annotations

import errno
import functools
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from chemnet.config import ConfigDict
from chemnet.config.manager import write_config
from chemnet.config.toml_text import toml_text
from chemnet.config.whole_file import with_checksum
from chemnet.errors import ResultsError, RunFailedError
from chemnet.progress import get_logger
from chemnet.results.digests import combined_digest, file_digest, parent_table, record_files
from chemnet.results.directory import ResultDirectory
from chemnet.results.layout import CONFIG_FILE, FORMAT, LOG_FILE, PARTIAL_PREFIX, RESULT_FILE
from chemnet.results.log_file import LogFile
from chemnet.results.unfinished_runs import OwnedRun

_DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
_FULL, _TOO_LARGE = os.strerror(errno.ENOSPC), os.strerror(errno.EFBIG)
_SIGNS_OF_DISK = {
    _FULL: _FULL,
    _TOO_LARGE: _TOO_LARGE,
    "disk is full": _FULL,
    "disk I/O error": os.strerror(errno.EIO),
    " requested and ": _FULL,
}
_PACKAGES = ("chemnet", "numpy", "torch", "numba", "h5py")
_log = get_logger(__name__)


class ResultWriter:
    """A context in which a verb writes its one result directory.

    The directory is ``.partial-<final name>`` until the block ends; then its files are hashed, `result.toml`
    is written and synced, and the directory takes its name. An exception removes it (`keep_on_error`:
    leaves it hidden for a later resume).

    Parameters
    ----------
    config
        The merged configuration; written into the directory as `runtime_config.toml`.
    verb
        Name of the verb that writes.
    component
        Name of the trained component, where the result is one.
    parents
        The results that were read, by role.
    keep_on_error
        Leave the hidden directory on an exception.
    living
        Subfolders whose files change in normal use and carry no digest.
    resume
        An unfinished run to resume, which this process owns.

    Raises
    ------
    ResultsError
        When the results directory cannot be written.

    Examples
    --------
    >>> with ResultWriter(config, verb="infer", parents={"train": trained}) as writer:  # doctest: +SKIP
    ...     np.save(writer.path / "latents.npy", latents)
    ...     writer.summary["rows"] = len(latents)
    >>> writer.result.path  # doctest: +SKIP
    """

    def __init__(
        self,
        config: ConfigDict,
        verb: str,
        component: str | None = None,
        parents: Mapping[str, Any] | None = None,
        keep_on_error: bool = False,
        living: tuple[str, ...] = (),
        resume: OwnedRun | None = None,
    ) -> None:
        self.config = config
        self.verb = verb
        self.component = component
        self.parents = dict(parents or {})
        self.summary: dict[str, Any] = {}
        self.keep_on_error = keep_on_error
        self._result: ResultDirectory | None = None
        self._living = living
        self.path = resume.path if resume else self._make(Path(config["general"]["results_dir"]))
        self._final = self.path.with_name(self.path.name.removeprefix(PARTIAL_PREFIX))
        try:
            self._run = resume or OwnedRun(self.path, verb)
            write_config(config, self.path / CONFIG_FILE)
        except OSError as error:
            if resume is None:
                shutil.rmtree(self.path, ignore_errors=True)
            raise _cannot_write(self.path, str(error.strerror)) from error
        self._log = LogFile(self.path / LOG_FILE)

    @property
    def seconds(self) -> float:
        """Time since the command that makes this result began [s]."""
        return time.perf_counter() - self._log.began

    @property
    def result(self) -> ResultDirectory:
        """The finished result: after the block, or after `finish`."""
        assert self._result is not None, "the result is not finished yet"
        return self._result

    def _make(self, results_dir: Path) -> Path:
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        name = f"{PARTIAL_PREFIX}{stamp}-{self.verb}-{uuid.uuid4().hex[:6]}"
        try:
            (results_dir / name).mkdir(parents=True)
        except OSError as error:
            raise ResultsError(
                f"cannot make a result directory in {results_dir}: {error.strerror}",
                hint="set general.results_dir to a folder that can be written",
            ) from error
        return results_dir / name

    def __enter__(self) -> ResultWriter:
        self._log.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._result is not None:
            return
        if kind is None:
            try:
                self.finish()
                return
            except BaseException as failure:
                self._leave(failure)
                self._tell_of_disk(failure)
                raise
        self._leave(error)
        self._tell_of_disk(error)

    def _leave(self, error: BaseException | None) -> None:
        """Keep or remove the hidden directory of a run that failed."""
        self._log.end("ERROR", f"stopped after {self.seconds:.1f} s: {str(error) or type(error).__name__}")
        if self.keep_on_error:
            self._run.end()
            _log.info("unfinished result kept in %s", self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)
            self._run.end()

    def _tell_of_disk(self, error: BaseException | None) -> None:
        """Raise the error of a library again in plain words, where the disk is what failed."""
        while error is not None:
            told = disk_fault(error)
            if told:
                raise _cannot_write(self.path, told) from error
            error = error.__cause__ or error.__context__

    def finish(self, status: str = "done") -> ResultDirectory:
        """Hash, describe and reveal the directory; after this `path` is its final place."""
        files = record_files(self.path, self._living)
        identity = (self.verb, *sorted(parent.digest for parent in self.parents.values()))
        info = {
            "format": FORMAT,
            "status": status,
            "verb": self.verb,
            "component": self.component or "",
            "created": datetime.now(UTC).isoformat(timespec="microseconds"),
            "wall_time_s": round(self.seconds, 3),
            "digest": combined_digest(files, *identity),
            # apart: equal results may have been asked for in other words
            "config_digest": file_digest(self.path / CONFIG_FILE),
            "versions": dict(_versions()),
            "summary": _toml_ready(self.summary),
            "parents": parent_table(self.parents),
            "files": {name: {"size": record.size, "digest": record.digest} for name, record in files.items()},
        }
        self._log.end("INFO", f"{status} after {self.seconds:.1f} s")
        _write_synced(self.path / RESULT_FILE, info)
        self._run.reveal(self._final)
        _sync_folder(self._final.parent)
        self.path = self._final
        self._result = ResultDirectory.open(self._final)
        return self._result


def disk_fault(error: BaseException) -> str | None:
    """Return what the disk refused, in words, or None for any other error."""
    if isinstance(error, OSError) and error.errno in _DISK_FAULTS:
        return os.strerror(error.errno)
    # HDF5, safetensors and SQLite have errors of their own, NumPy counts what was written
    text = str(error)
    return next((told for sign, told in _SIGNS_OF_DISK.items() if sign in text), None)


def _cannot_write(path: Path, why: str) -> RunFailedError:
    return RunFailedError(
        f"cannot write in {path}: {why}",
        hint="free some space there, or set general.results_dir to another disk",
    )


def create_results_dir(config: ConfigDict, verb: str, **kwargs: Any) -> ResultWriter:
    """Return a `ResultWriter`; the name that Hyrax users know."""
    return ResultWriter(config, verb, **kwargs)


def _write_synced(path: Path, info: Mapping[str, Any]) -> None:
    """Write TOML and wait until it has reached the disk."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write(with_checksum(toml_text(info)))
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Wait until a rename inside `folder` has reached the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@functools.cache
def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _toml_ready(value: Any) -> Any:
    """Return `value` as TOML can hold it: plain types, no None, no paths."""
    if isinstance(value, Mapping):
        return {str(key): _toml_ready(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_toml_ready(item) for item in value]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    return value if isinstance(value, (bool, int, float, str)) else str(value)
