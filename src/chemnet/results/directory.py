"""Opening result directories: what one holds, and what it was made from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from chemnet.config import ConfigDict
from chemnet.config.schema import read_toml
from chemnet.errors import ResultsError, suggest
from chemnet.results.lineage import FileRecord, ParentRef

RESULT_FILE, CONFIG_FILE = "result.toml", "runtime_config.toml"
# of the files that verbs write; raised when an older chemnet's results can no longer be read
FORMAT = 1
PARTIAL_PREFIX = ".partial-"
DONE = "done"
# characters at the start of a result's description that hold its format, status and verb
_GLANCE = 300
# files up to this size are read again whenever a result is used; of larger ones the size must do [bytes]
_QUICK_DIGEST_LIMIT = 4 * 2**20


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

    @classmethod
    def open(cls, path: str | Path) -> ResultDirectory:
        """Read a result's description.

        Raises
        ------
        ResultsError
            When there is no such directory, or it is unfinished or damaged.
        """
        path = Path(path).resolve()
        info = _read_info(path)
        try:
            return cls(
                path=path,
                verb=info["verb"],
                component=info["component"] or None,
                status=info["status"],
                created=info["created"],
                wall_time_s=float(info["wall_time_s"]),
                digest=info["digest"],
                versions=info["versions"],
                summary=info["summary"],
                parents={
                    name: ParentRef(Path(p["path"]), p["digest"]) for name, p in info["parents"].items()
                },
                files={name: FileRecord(f["size"], f["digest"]) for name, f in info["files"].items()},
            )
        except KeyError as error:
            raise ResultsError(
                f"{path / RESULT_FILE} has no entry {error}", hint="the result is damaged; make it again"
            ) from error

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
        """Return the path of one of the result's files.

        Raises
        ------
        ResultsError
            When the file is missing.
        """
        path = self.path / name
        if not path.exists():
            raise ResultsError(
                f"{self.path} has no file '{name}'",
                hint=f"a result of `{self.verb}` holds: {', '.join(sorted(self.files)) or 'nothing'}",
            )
        return path

    def verify(self, every_byte: bool = True) -> None:
        """Compare the files with their records.

        Parameters
        ----------
        every_byte
            Read large files too; otherwise their size must do.

        Raises
        ------
        ResultsError
            When a file is missing or holds something else than it did.
        """
        for name, record in self.files.items():
            path = self.file(name)
            read = every_byte or record.size <= _QUICK_DIGEST_LIMIT
            if not (record.describes(path) if read else path.stat().st_size == record.size):
                raise ResultsError(
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
                return candidate
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
    if not path.is_dir():
        raise ResultsError(f"no such result directory: {path}", hint="`chemnet results` lists what there is")
    if path.name.startswith(PARTIAL_PREFIX) or not (path / RESULT_FILE).is_file():
        raise ResultsError(
            f"{path} is not a finished result (no {RESULT_FILE})",
            hint="`chemnet results` lists finished results; an unfinished training goes on with train.resume",
        )
    try:
        info = tomllib.loads((path / RESULT_FILE).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ResultsError(
            f"{path / RESULT_FILE} is damaged: {error}", hint="make the result again"
        ) from error
    if info.get("format") != FORMAT:
        raise ResultsError(
            f"{path} has format {info.get('format', 'unknown')}; this chemnet reads format {FORMAT}",
            hint="make the result again, or use the version of chemnet that wrote it",
        )
    return info


def _opened(path: Path) -> ResultDirectory | None:
    """Open a result, or return None when there is none."""
    try:
        return ResultDirectory.open(path)
    except ResultsError:
        return None


def list_results(results_dir: str | Path, verb: str | None = None) -> list[ResultDirectory]:
    """Return every whole result under `results_dir`, oldest first; what is broken is left out.

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
    opened = (_opened(path) for path in paths if verb is None or _seems_of(path, verb))
    found = (result for result in opened if result is not None and verb in (None, result.verb))
    return sorted(found, key=lambda result: result.created)


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
