"""Fetching public data sets: by name, DOI or address, with checksum, progress and resumption."""

from __future__ import annotations

import hashlib
import re
import tomllib
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from chemnet.errors import ConfigError, DataError, RunFailedError, suggest
from chemnet.progress import get_logger, progress

LIST = Path(__file__).with_name("public_sets.toml")
_DOI = re.compile(r"(?:doi:|https?://(?:dx\.)?doi\.org/)?(10\.\d{4,9}/\S+)")
_SCHEMES = ("https", "http")
_CHUNK = 2**20
_PATIENCE = 60  # seconds without a byte
_AGENT = {"User-Agent": "chemnet"}
_log = get_logger(__name__)


class _Reply(Protocol):
    """What a server answered."""

    status: int
    headers: Any

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class PublicSet:
    """A file that can be fetched.

    Parameters
    ----------
    name
        What the file is called on disk, without its ending.
    url
        Where it is.
    sha256
        Its checksum, or None where none is known.
    what, cite
        What it holds, and what to cite for it.
    """

    name: str
    url: str
    sha256: str | None = None
    what: str = ""
    cite: str = ""

    @property
    def file_name(self) -> str:
        """The name on disk: never a path, whatever the address says."""
        ending = PurePosixPath(unquote(urlsplit(self.url).path)).suffix
        return re.sub(r"[^\w.+-]", "_", self.name) + (ending if re.fullmatch(r"\.\w{1,8}", ending) else "")


def known_sets(further: str | Path | None = None) -> dict[str, PublicSet]:
    """Return chemnet's list of public sets by name, with those of a further list.

    Raises
    ------
    ConfigError
        The further list cannot be read, or an entry has no address.
    """
    found: dict[str, PublicSet] = {}
    for path in [LIST, *([Path(further)] if further else [])]:
        try:
            entries = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(
                f"download.list: {path}: {error}", hint="write it like chemnet's own list"
            ) from error
        for name, entry in entries.items():
            if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
                raise ConfigError(f"{path}: [{name}] has no url", hint='url = "https://..."')
            checksum = entry.get("sha256") or None
            found[name] = PublicSet(
                name, entry["url"], checksum, str(entry.get("what", "")), str(entry.get("cite", ""))
            )
    return found


def wanted_set(wanted: str, known: dict[str, PublicSet]) -> PublicSet:
    """Return the set that a name, a DOI or an address means.

    Raises
    ------
    ConfigError
        It is none of the three, or the address is of another kind than http and https.
    """
    if wanted in known:
        return known[wanted]
    doi = _DOI.fullmatch(wanted)
    if doi and not doi[1].startswith("10.5281/zenodo."):
        raise ConfigError(
            f"{wanted}: only DOIs of Zenodo can be followed to a file",
            hint="give the address of the file itself",
        )
    if doi:
        record, _, file = doi[1].removeprefix("10.5281/zenodo.").partition("/")
        if not record.isdigit() or not file:
            raise ConfigError(
                f"{wanted} names no file of the record", hint=f"doi:10.5281/zenodo.{record or 'RECORD'}/FILE"
            )
        return PublicSet(Path(file).stem, f"https://zenodo.org/records/{record}/files/{file}?download=1")
    parts = urlsplit(wanted)
    if parts.scheme in _SCHEMES and parts.netloc:
        return PublicSet(PurePosixPath(unquote(parts.path)).stem or parts.netloc, wanted)
    if "://" in wanted:
        raise ConfigError(f"{wanted}: addresses begin with https:// or http://")
    raise ConfigError(f"no public set is called {wanted!r}", hint=suggest(wanted, known))


def fetch(chosen: PublicSet, folder: Path, sha256: str | None = None) -> Path:
    """Fetch a file, or go on with one that broke off, and return its path; one that is there and right stays.

    What arrives is written to a hidden ``.NAME.part`` and renamed when it is whole and its checksum is right.

    Parameters
    ----------
    chosen
        The set.
    folder
        Where it goes.
    sha256
        The checksum to demand; wins over the list's.

    Raises
    ------
    RunFailedError
        No connection, or it broke; the part that arrived is kept for the next try.
    DataError
        The checksum is wrong; the file is kept aside as ``NAME.wrong``.
    """
    demanded = (sha256 or chosen.sha256 or "").lower() or None
    target = folder / chosen.file_name
    if target.is_file():
        if demanded is None or _digest(target) == demanded:
            _log.info(
                "%s exists already%s",
                target,
                "" if demanded else "; no checksum is known to compare it with",
            )
            return target
        raise DataError(
            f"{target} has another checksum than {demanded}", hint="move it away and download again"
        )
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{chosen.file_name}.part"
    _receive(chosen.url, part)
    found = _digest(part)
    if demanded and found != demanded:
        aside = folder / f"{chosen.file_name}.wrong"
        part.replace(aside)
        raise DataError(
            f"{chosen.url}: the checksum is {found}, {demanded} was expected; what came is kept as {aside}",
            hint="try again; if it stays so, the file was changed or the list is old",
        )
    if not demanded:
        _log.warning("no checksum is known for %s; this file has sha256 %s", chosen.name, found)
    part.replace(target)
    return target


def _receive(url: str, part: Path) -> None:
    """Append what is missing of a file to its part."""
    have = part.stat().st_size if part.is_file() else 0
    headers = _AGENT | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_PATIENCE) as reply:
            _append(reply, part, have if reply.status == 206 else 0)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send
            return
        raise RunFailedError(f"{url}: the server answers {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise RunFailedError(
            f"{url}: {reason}", hint="is there a connection? The next try goes on with what has arrived"
        ) from error


def _append(reply: _Reply, part: Path, have: int) -> None:
    """Write the rest of a file behind its first `have` bytes, with progress; a short answer is an error."""
    left = reply.headers.get("Content-Length")
    total = None if left is None else have + int(left)
    if have:
        _log.info("continuing after %.1f MB", have / 1e6)
    with part.open("ab" if have else "wb") as file, progress(total=total, desc="download", unit="B") as bar:
        bar.update(have)
        while block := reply.read(_CHUNK):
            file.write(block)
            have += len(block)
            bar.update(len(block))
    if total is not None and have != total:
        raise OSError(f"the connection broke after {have / 1e6:.1f} of {total / 1e6:.1f} MB")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
