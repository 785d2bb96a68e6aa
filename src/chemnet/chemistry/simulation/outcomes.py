"""The outcome of each tracer of a simulation, kept on disk so that a killed run can resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Outcome:
    """The outcome of one tracer.

    Attributes
    ----------
    index
        Its position in the set.
    abundances
        Shape ``(steps, n_species)``, float32; None when it failed.
    reason
        Why it failed; empty when it did not.
    statistics
        The solver's counts over the tracer and its phase before.
    """

    index: int
    abundances: NDArray[np.float32] | None
    reason: str = ""
    statistics: Mapping[str, float] = field(default_factory=dict)


class FinishedTracers:
    """Outcomes on disk, one file per tracer; a file appears whole or not at all.

    Parameters
    ----------
    folder
        Where the files are; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*"):
            leftover.unlink()
        self._held = {int(path.stem) for path in folder.glob("*.npz")}

    def __contains__(self, index: int) -> bool:
        return index in self._held

    def __len__(self) -> int:
        return len(self._held)

    def drop_damaged(self) -> list[int]:
        """Delete the outcomes that cannot be read any more, and return their positions."""
        damaged = [index for index in sorted(self._held) if not self._is_whole(index)]
        for index in damaged:
            self._path(index).unlink()
            self._held.remove(index)
        return damaged

    def _is_whole(self, index: int) -> bool:
        """Return whether an outcome can be read: its file has checksums of all that it holds."""
        try:
            self.load(index)
        except Exception:  # whatever zipfile, zlib, NumPy and json make of damaged bytes
            return False
        return True

    def store(self, outcome: Outcome) -> None:
        """Write one outcome under a hidden name, then give it its own."""
        path = self._path(outcome.index)
        hidden = path.with_name(f".{path.name}")
        empty = np.empty((0, 0), dtype=np.float32)
        with hidden.open("wb") as stream:
            np.savez(
                stream,
                abundances=empty if outcome.abundances is None else outcome.abundances,
                reason=np.array(outcome.reason),
                statistics=np.array(json.dumps(dict(outcome.statistics))),
            )
        hidden.replace(path)
        self._held.add(outcome.index)

    def load(self, index: int) -> Outcome:
        """Read one outcome back."""
        path = self._path(index)
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            reason = str(stored["reason"])
            return Outcome(
                index=index,
                abundances=None if reason else stored["abundances"],
                reason=reason,
                statistics=json.loads(str(stored["statistics"])),
            )

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:07d}.npz"
