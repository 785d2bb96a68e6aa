"""The contract of a verb."""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from chemnet import plugins
from chemnet.config import ConfigDict
from chemnet.registry import check_names
from chemnet.results.verb_result import Answer

Result = TypeVar("Result")


class Verb(ABC, Generic[Result]):
    """One thing that chemnet does, on the command line and as a method of `chemnet.ChemNet`.

    ``class Count(Verb[CountResult])`` says what its `run` returns: a `VerbResult` or an `Answer`.

    Register a subclass with `@chem_verb`. Heavy packages are imported inside `run`: listing verbs stays fast.

    Attributes
    ----------
    cli_name
        Its name: ``chemnet <cli_name>`` and ``ChemNet().<cli_name>()``.
    description
        One line for ``--help``.
    inputs
        Configuration key -> verb whose results it reads there.
    tables
        Configuration tables whose keys ``chemnet VERB --help`` lists; the one named like the verb by default.
    examples
        Command lines for ``--help``.
    in_group
        Whether several processes, started by ``torchrun``, can do it together.
    add_parser_kwargs
        Further keyword arguments of its `argparse.ArgumentParser` (an `epilog` with examples, for one).
    """

    cli_name: ClassVar[str]
    description: ClassVar[str] = ""
    inputs: ClassVar[Mapping[str, str]] = {}
    tables: ClassVar[tuple[str, ...]] = ()
    examples: ClassVar[tuple[str, ...]] = ()
    in_group: ClassVar[bool] = False
    add_parser_kwargs: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, config: ConfigDict) -> None:
        self.config = config
        check_names(config, self.tables or (self.cli_name,))

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Add the options that only this verb has; their `dest` are keyword arguments of `run`."""

    @staticmethod
    def configuration_words(words: Sequence[str]) -> list[str]:
        """Return the ``table.key=value`` words of the command line as the configuration is to read them."""
        return list(words)

    def with_arguments(self, table: str, given: Mapping[str, Any]) -> ConfigDict:
        """Return the configuration with those arguments of `run` that are not None set in ``[table]``."""
        values = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
        changes = {f"{table}.{key}": value for key, value in values.items() if value is not None}
        plugins.trust(*plugins.class_names(table, changes))
        return self.config.replace(changes) if changes else self.config

    @abstractmethod
    def run(self, *args: Any, **kwargs: Any) -> Result:
        """Do the work and return a result that prints itself; an argument wins over the configuration key."""

    def plan(self, *args: Any, **kwargs: Any) -> Answer:
        """Return what `run` with the same arguments would read and make; nothing is written.

        A verb that states it has the option ``--dry-run``; see `chemnet.verbs.dry_run`.
        """
        raise NotImplementedError(f"{self.cli_name} has no dry run")

    @classmethod
    def has_plan(cls) -> bool:
        """Return whether the verb states `plan`."""
        return cls.plan is not Verb.plan

    def run_cli(self, args: argparse.Namespace) -> Any:
        """Call `run` with this verb's own options."""
        return self.run(**_given(args))

    def plan_cli(self, args: argparse.Namespace) -> Answer:
        """Call `plan` with this verb's own options."""
        return self.plan(**_given(args))


def in_full(path: str | None) -> str | None:
    """Return an existing path in full, as the configuration holds paths; names stay as they are."""
    return str(Path(path).resolve()) if path is not None and Path(path).exists() else path


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options that were given, as keyword arguments."""
    return {name: value for name, value in vars(args).items() if value is not None}
