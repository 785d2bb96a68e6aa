"""What a verb returns: a result that prints, plots and reloads itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from chemnet.errors import ResultsError
from chemnet.registry import VERBS
from chemnet.results.directory import ResultDirectory


class VerbResult:
    """A finished result directory with the face of the verb that made it.

    Subclasses set `verb` and add what their result offers; `VerbResult.load(path)` opens any result as the
    class of its verb.

    Parameters
    ----------
    directory
        The result directory.
    """

    verb: ClassVar[str] = ""
    _by_verb: ClassVar[dict[str, type[VerbResult]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.verb:
            VerbResult._by_verb[cls.verb] = cls

    def __init__(self, directory: ResultDirectory) -> None:
        self.directory = directory

    @classmethod
    def load(cls, path: str | Path) -> VerbResult:
        """Open a result from its path.

        Raises
        ------
        ResultsError
            When there is no whole result, or it belongs to another verb than this class.
        """
        directory = ResultDirectory.open(path)
        if cls.verb and directory.verb != cls.verb:
            raise ResultsError(
                f"{path} is a result of `{directory.verb}`, not of `{cls.verb}`",
                hint="VerbResult.load opens a result of any verb",
            )
        if directory.verb in VERBS:
            VERBS.get(directory.verb)  # importing the verb announces its result class
        kind = cls if cls.verb else VerbResult._by_verb.get(directory.verb, VerbResult)
        return kind(directory)

    @property
    def path(self) -> Path:
        """Where the result stands."""
        return self.directory.path

    @property
    def summary(self) -> dict[str, Any]:
        """The few values that the verb noted."""
        return self.directory.summary

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "verb": self.directory.verb,
            "status": self.directory.status,
            "component": self.directory.component,
            "path": str(self.path),
            "summary": self.summary,
        }

    def plot(self) -> Any:
        """Return a matplotlib figure of the result.

        Raises
        ------
        ResultsError
            When this verb's results have no figure.
        """
        raise ResultsError(f"a result of `{self.directory.verb}` has no figure", hint="print it instead")

    def __str__(self) -> str:
        rows = [("result", str(self.path))]
        rows += [(name, _short(value)) for name, value in self.summary.items()]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_short(item) for item in value)
    return str(value)


class Answer:
    """What a verb returns that reads and writes nothing: it prints itself.

    Parameters
    ----------
    content
        The answer for ``--json`` and for Python.
    text
        The answer for the screen.
    path
        The result or folder that it speaks of, where there is one.
    exit_code
        Of the command line.
    """

    def __init__(self, content: Any, text: str, path: Path | None = None, exit_code: int = 0) -> None:
        self.content = content
        self.text = text
        self.path = path
        self.exit_code = exit_code

    def to_dict(self) -> Any:
        """Return what ``--json`` prints."""
        return self.content

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.content!r})"
