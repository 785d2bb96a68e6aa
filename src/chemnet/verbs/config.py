"""`chemnet config`: what the merged configuration says, who said it, and editing a file."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chemnet.config import ConfigManager
from chemnet.config.toml_text import toml_text, toml_value
from chemnet.errors import ConfigError
from chemnet.registry import chem_verb
from chemnet.results import Answer
from chemnet.verbs.verb import Verb


@chem_verb
class Config(Verb[Answer]):
    """Print the merged configuration, explain a key or a table, or set a key in a file."""

    cli_name = "config"
    description = "print the merged configuration, explain a key or a table, or set a key in a file"
    tables = ("general",)
    examples = (
        "chemnet config --explain train.epochs",
        "chemnet config --explain model.LatentEmulator",
        "chemnet config train.epochs=20 > run.toml",
        "chemnet config --set train.epochs 20 -c run.toml",
        "chemnet config --migrate -c older.toml",
    )

    #: set by the builder of the configuration, so that origins can be shown
    manager: ConfigManager | None = None

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Add ``--explain NAME`` and ``--set KEY VALUE``."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--explain",
            metavar="NAME",
            help="meaning, unit, value and origin of a key (train.epochs) or of every key of a table (train)",
        )
        what.add_argument(
            "--set",
            dest="setting",
            nargs=2,
            metavar=("KEY", "VALUE"),
            help="write one key into the file after -c, whose comments and order stay as they are",
        )
        what.add_argument(
            "--migrate",
            action="store_true",
            default=None,
            help="rewrite what the file after -c says in an older chemnet's words; comments stay",
        )

    def run(
        self, explain: str | None = None, setting: Sequence[Any] | None = None, migrate: bool = False
    ) -> Answer:
        """Return the merged configuration as TOML text, what is known of keys, or the file that was changed.

        Parameters
        ----------
        explain
            A dotted key, or a table.
        setting
            A dotted key and the value that the configuration file is to give it.
        migrate
            Rewrite keys of the configuration file that have moved, and values that are spelt anew.

        Raises
        ------
        ConfigError
            For a key that does not exist, a value of the wrong type, or no single file to write into.
        """
        manager = self.manager or ConfigManager()
        if setting is not None:
            return _set(manager, *setting)
        if migrate:
            return _migrate(manager)
        if explain is not None:
            return _explanation(manager, explain)
        content = self.config.to_dict()
        return Answer(content, toml_text(content).rstrip())


def _set(manager: ConfigManager, key: str, value: Any) -> Answer:
    from chemnet.config.edit import set_in_file

    path = _one_file(manager, f"--set {key}", f"--set {key} {value}")
    written = set_in_file(path, key, value)
    return Answer({"path": str(path), "key": key, "value": written}, f"{path}: {key} = {written!r}", path)


def _migrate(manager: ConfigManager) -> Answer:
    from chemnet.config.edit import migrate_file

    path = _one_file(manager, "--migrate", "--migrate")
    changes = migrate_file(path)
    told = [f"{path}: {change}" for change in changes] or [f"{path} says everything in today's words"]
    return Answer({"path": str(path), "changes": changes}, "\n".join(told), path)


def _one_file(manager: ConfigManager, what: str, words: str) -> Path:
    """Return the one configuration file that is to be written."""
    if len(manager.files) != 1:
        raise ConfigError(
            f"{what}: {len(manager.files) or 'no'} configuration files are given, one is written",
            hint=f"chemnet config {words} -c FILE",
        )
    return manager.files[0]


def _explanation(manager: ConfigManager, name: str) -> Answer:
    keys, tables = manager.members(name)
    if not (keys or tables):
        facts = manager.explain(name)
        return Answer(facts, _of_one_key(facts))
    every = [manager.explain(key) for key in keys]
    parts = [_of_table_key(facts) for facts in every]
    if tables:
        parts.append(f"tables inside, each to be explained by itself: {', '.join(tables)}")
    return Answer({"table": name, "keys": every, "tables": tables}, "\n\n".join(parts))


def _of_one_key(facts: dict[str, Any]) -> str:
    labels = {"set_by": "set by"}
    width = max(len(labels.get(name, name)) for name in facts)
    told = {name: value for name, value in facts.items() if (name, value) != ("unit", None)}
    return "\n".join(f"{labels.get(name, name):<{width}}  {value}" for name, value in told.items())


def _of_table_key(facts: dict[str, Any]) -> str:
    """Return a key with its value, what it takes, its unit, who set it if somebody did, and its meaning."""
    unit = f" [{facts['unit']}]" if facts["unit"] else ""
    head = f"{facts['key']} = {toml_value(facts['value'])}  ({facts['allowed']}){unit}"
    if not facts["set_by"].startswith("default ("):
        default = "" if facts["default"] is None else f"default {toml_value(facts['default'])}; "
        head += f"\n    {default}set by {facts['set_by']}"
    meaning = textwrap.wrap(facts["meaning"], 110, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([head, *meaning])
