"""Opening result directories: what one holds, and what it was made from."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from chemnet.config import ConfigDict
from chemnet.config.schema import read_toml
from chemnet.config.toml_text import read_toml_text
from chemnet.config.whole_file import is_as_written
from chemnet.errors import ResultsError, suggest
from chemnet.progress import get_logger
from chemnet.results.digests import FileRecord, ParentRef, file_digest
from chemnet.results.layout import CONFIG_FILE, FORMAT, PARTIAL_PREFIX, RESULT_FILE

# characters at the start of a result's description that hold its format, status and verb
_GLANCE = 300
# files up to this size are read again whenever a result is used; of larger ones the size must do [bytes]
_QUICK_DIGEST_LIMIT = 4 * 2**20
_NAMED_AS_RESULT = re.compile(r"\d{8}-\d{6}-\w+-[0-9a-f]{6}")
_T = TypeVar("_T")
_log = get_logger(__name__)


@dataclass(frozen=True)
class ResultDirectory:
    """One whole result directory.

    Attributes
    ----------
    path
        Where it stands.
    verb, component, status, created
        Who made it, under what name, how it ended (``"done"`` or ``"interrupted"``) and when (UTC, ISO 8601).
    digest
        Digest over its files and its parents' digests.
    summary
        What the verb noted: a few plain values.
    parents
        The results that it was made from, by role.
    config_digest
        Digest of its configuration; empty in older results.
    verify_inputs
        Whether `file` compares a large file with its digest; of small ones it always does.
    """

    path: Path
    verb: str
    component: str | None
    status: str
    created: str
    wall_time_s: float
    digest: str
    versions: dict[str, str]
    summary: dict[str, Any]
    parents: dict[str, ParentRef]
    files: dict[str, FileRecord] = field(repr=False)
    config_digest: str = ""
    verify_inputs: bool = True

    @classmethod
    def open(cls, path: str | Path) -> ResultDirectory:
        """Read a result's description.

        Raises
        ------
        ResultsError
            When there is no such directory, or it is unfinished or damaged.
        """
        info = _read_info(Path(path))
        path = Path(path).resolve()
        try:
            return cls(
                path=path,
                verb=_typed(info, "verb", str),
                component=_typed(info, "component", str) or None,
                status=_typed(info, "status", str),
                created=_typed(info, "created", str),
                wall_time_s=float(info["wall_time_s"]),
                digest=_typed(info, "digest", str),
                versions=_typed(info, "versions", dict),
                summary=_typed(info, "summary", dict),
                parents={
                    name: ParentRef(Path(_typed(p, "path", str)), _typed(p, "digest", str))
                    for name, p in _typed(info, "parents", dict).items()
                },
                files={
                    _inside(name): FileRecord(_typed(f, "size", int), _typed(f, "digest", str))
                    for name, f in _typed(info, "files", dict).items()
                },
                config_digest=str(info.get("config_digest", "")),
            )
        except KeyError as error:
            what = f"has no entry {error}"
        except (TypeError, ValueError, OverflowError) as error:
            what = f"is damaged: {error}"
        raise ResultsError(f"{path / RESULT_FILE} {what}", hint="the result is damaged; make it again")

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.path.name

    @cached_property
    def config(self) -> ConfigDict:
        """The configuration that made this result, as it was: keys may have come and gone since."""
        return ConfigDict(read_toml(self.file(CONFIG_FILE)))

    @property
    def keeps_config(self) -> bool:
        """Whether the configuration is there still."""
        return (self.path / CONFIG_FILE).is_file()

    def file(self, name: str) -> Path:
        """Return the path of one of the result's files, which holds what the verb wrote.

        Raises
        ------
        ResultsError
            When the file is missing or holds something else than it did.
        """
        fault = self._fault(name, self.verify_inputs)
        if fault is not None:
            raise fault
        return self.path / name

    def verify(self, every_byte: bool = True) -> None:
        """Compare the files with their records.

        Parameters
        ----------
        every_byte
            Read large files and the configuration too; of the files the size must do otherwise.

        Raises
        ------
        ResultsError
            When a file is missing or holds something else than it did.
        """
        for fault in self.faults(every_byte):
            raise fault

    def faults(self, every_byte: bool = True) -> Iterator[ResultsError]:
        """Yield what `verify` would raise, for each file."""
        for name in (*self.files, *([CONFIG_FILE] if every_byte and self.config_digest else [])):
            fault = self._fault(name, every_byte)
            if fault is not None:
                yield fault

    def _fault(self, name: str, every_byte: bool) -> ResultsError | None:
        """Return what is wrong with a file, if anything; see `verify`."""
        path = self.path / name
        if not _is_there(path, Path.exists):
            return ResultsError(
                f"{self.path} has no file '{name}'",
                hint=f"a result of `{self.verb}` holds: {', '.join(sorted(self.files)) or 'nothing'}",
            )
        if name == CONFIG_FILE:
            # of older results it has no digest; keys may have come and gone, but nobody was to change it
            whole = not self.config_digest or file_digest(path) == self.config_digest
        elif name in self.files:
            record = self.files[name]
            read = every_byte or record.size <= _QUICK_DIGEST_LIMIT
            whole = path.is_file() and (
                record.described(path) if read else path.stat().st_size == record.size
            )
        else:
            whole = True  # a database, which lives
        return None if whole else self._changed(path)

    def _changed(self, path: Path) -> ResultsError:
        """Return the error for a file that is not what it was."""
        return ResultsError(
            f"{path} changed after `{self.verb}` wrote it (other size or digest)",
            hint=f"run `chemnet {self.verb}` again; results are never edited in place",
        )

    def parent(self, role: str) -> ResultDirectory:
        """Return the result that this one was made from: the very one, by digest, wherever it stands now.

        Raises
        ------
        ResultsError
            When this result has no such parent, or the parent is gone or was made again with other content.
        """
        if role not in self.parents:
            raise ResultsError(f"{self.name} has no parent '{role}'", hint=suggest(role, self.parents))
        reference = self.parents[role]
        for candidate in chain(self._near(reference), _all_in(self.path.parent)):
            if candidate is not None and candidate.digest == reference.digest:
                candidate.verify(every_byte=False)
                return replace(candidate, verify_inputs=self.verify_inputs)
        raise ResultsError(
            f"{self.name} was made from {reference.path} (digest {reference.digest[:12]}), "
            "which is gone or has changed",
            hint=f"bring that result back, or run `chemnet {self.verb}` again on the new one",
        )

    def lineage(self) -> Iterator[ResultDirectory]:
        """Yield this result and all that it was made from, nearest first, as far as that is still there."""
        generation, seen = [self], {self.digest}
        while generation:
            yield from generation
            found = (
                one for child in generation for ref in child.parents.values() for one in child._near(ref)
            )
            generation = list({one.digest: one for one in found if one.digest not in seen}.values())
            seen.update(one.digest for one in generation)

    def _near(self, reference: ParentRef) -> Iterator[ResultDirectory]:
        """Yield what a reference means, by digest, where it was and beside this result."""
        for place in dict.fromkeys([reference.path, self.path.parent / reference.path.name]):
            found = _opened(place)
            if found is not None and found.digest == reference.digest:
                yield found


def _read_info(path: Path) -> dict[str, Any]:
    """Return the content of a result's `result.toml`."""
    if not _is_there(path, Path.is_dir):
        raise ResultsError(f"no such result directory: {path}", hint="`chemnet results` lists what there is")
    if path.name.startswith(PARTIAL_PREFIX) or not (path / RESULT_FILE).is_file():
        raise ResultsError(
            f"{path} is not a finished result (no {RESULT_FILE})",
            hint="`chemnet results` lists finished results; an unfinished training goes on with train.resume",
        )
    try:
        text = (path / RESULT_FILE).read_text(encoding="utf-8")
        info = read_toml_text(text)
    except (OSError, ValueError) as error:
        raise ResultsError(
            f"{path / RESULT_FILE} is damaged: {error}", hint="make the result again"
        ) from error
    if info.get("format") != FORMAT:
        raise ResultsError(
            f"{path} has format {info.get('format', 'unknown')}; this chemnet reads format {FORMAT}",
            hint="make the result again, or use the version of chemnet that wrote it",
        )
    if not is_as_written(text):
        raise ResultsError(
            f"{path / RESULT_FILE} is damaged: it is not what was written (other checksum)",
            hint="make the result again",
        )
    return info


def _is_there(path: Path, test: Callable[[Path], bool]) -> bool:
    """Return whether a test of a path holds; one that no file can have, out of a damaged file, does not."""
    try:
        return test(path)
    except (OSError, ValueError):
        return False


def _typed(table: Any, key: str, kind: type[_T]) -> _T:
    """Return an entry of a table, which must be of this type."""
    if not isinstance(table, dict):
        raise TypeError(f"{table!r} stands where a table is expected")
    if not isinstance(table[key], kind):
        raise TypeError(f"{key} = {table[key]!r} is no {kind.__name__}")
    return table[key]


def _inside(name: str) -> str:
    """Return the name of a file of the result: who copies one would write to where another name leads."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"the file {name!r} lies outside of the result")
    return name


def _opened(path: Path) -> ResultDirectory | None:
    """Open a result, or return None when there is none."""
    try:
        return ResultDirectory.open(path)
    except ResultsError:
        return None


@functools.cache
def _say_left_out(message: str) -> None:
    _log.warning("left out: %s", message)


def _listed(path: Path) -> ResultDirectory | None:
    """Open a folder of the results folder, or return None; one that should be a result is named."""
    try:
        return ResultDirectory.open(path)
    except ResultsError as error:
        if (path / RESULT_FILE).exists():
            _say_left_out(error.message)
        return None


def list_results(results_dir: str | Path, verb: str | None = None) -> list[ResultDirectory]:
    """Return every whole result under `results_dir`, oldest first; what is broken is left out, and named.

    Parameters
    ----------
    results_dir
        The folder that holds the results.
    verb
        Only the results of this verb, without reading those of others.
    """
    results_dir = Path(results_dir)
    if not results_dir.is_dir():
        return []
    paths = (path for path in results_dir.iterdir() if not path.name.startswith("."))
    opened = (_listed(path) for path in paths if verb is None or _seems_of(path, verb))
    found = (result for result in opened if result is not None and verb in (None, result.verb))
    return sorted(found, key=lambda result: result.created)


def broken_results(results_dir: str | Path) -> Iterator[tuple[Path, ResultsError]]:
    """Yield the folders that should be results and cannot be opened, with the reason."""
    folders = sorted(Path(results_dir).iterdir()) if Path(results_dir).is_dir() else []
    for path in folders:
        if (path / RESULT_FILE).exists() or (_NAMED_AS_RESULT.fullmatch(path.name) and path.is_dir()):
            try:
                ResultDirectory.open(path)
            except ResultsError as error:
                yield path, error


def _all_in(results_dir: Path) -> Iterator[ResultDirectory]:
    """Yield every whole result of a folder, which is read when the first one is asked for."""
    yield from list_results(results_dir)


def _seems_of(path: Path, verb: str) -> bool:
    """Return whether the first lines of a result's description name `verb`: a glance instead of a parse."""
    try:
        with (path / RESULT_FILE).open(encoding="utf-8", errors="replace") as stream:
            return f'verb = "{verb}"' in stream.read(_GLANCE)
    except OSError:
        return False


def meant_by(reference: ParentRef, results: Sequence[ResultDirectory]) -> ResultDirectory | None:
    """Return the listed result that a reference means: with its digest, the one at its path first."""
    same = [result for result in results if result.digest == reference.digest]
    return next((result for result in same if result.name == reference.path.name), same[0] if same else None)
