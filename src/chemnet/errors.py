"""The errors that chemnet shows to its users, and the exit codes they stand for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# words that a hint lists at most
_LISTED = 20


class ChemNetError(Exception):
    """Base of every error that a user can cause or must see.

    Parameters
    ----------
    message
        What is wrong and where: the file, key, row or column, what was found and what is allowed.
    hint
        The next step, in one sentence.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class ConfigError(ChemNetError, KeyError):
    """An unknown key, a wrong type, an unknown registered name or a file that is not TOML."""

    # KeyError would print the repr of the message
    __str__ = ChemNetError.__str__


class UntrustedNameError(ConfigError):
    """A class that a result names and that the user has not let in; nothing was imported."""


class DataError(ChemNetError):
    """Input data that chemnet refuses: missing columns, NaN, negative abundances, truncated files."""


class ResultsError(ChemNetError):
    """A result directory that is missing, unfinished, changed or of the wrong kind."""


class ModelError(ChemNetError):
    """Weights, shapes or roles of a model that do not fit."""


class NotFoundError(ChemNetError):
    """A search that was well formed and found nothing."""

    exit_code = 1


class MissingPackageError(ChemNetError):
    """A package that a plain install leaves out and this configuration needs."""


class RunFailedError(ChemNetError):
    """A computation that was well posed and failed: a loss that is not finite, a solver that gave up."""

    exit_code = 3


def nearest(word: str, allowed: Iterable[str], count: int = 3) -> list[str]:
    """Return up to `count` of the `allowed` words that look like `word`, best first."""
    by_lower = {name.lower(): name for name in allowed}
    matches = difflib.get_close_matches(word.lower(), by_lower, n=count, cutoff=0.5)
    return [by_lower[match] for match in matches]


def suggest(word: str, allowed: Iterable[str]) -> str:
    """Return a hint with the near misses of `word` and the allowed words; empty where none are.

    Of many words near misses stand alone, and without any only the first words are listed.
    """
    names = sorted(set(allowed))
    if not names:
        return ""
    near = nearest(word, names)
    listed = ", ".join(names[:_LISTED])
    if not near:
        more = f", ... ({len(names)} in all)" if len(names) > _LISTED else ""
        return f"allowed: {listed}{more}"
    meant = f"did you mean {' or '.join(repr(name) for name in near)}?"
    return f"{meant} (all: {listed})" if len(names) <= _LISTED else meant
