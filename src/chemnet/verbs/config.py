"""`chemnet config`: what the merged configuration says, and who said it."""

from __future__ import annotations

import argparse
from typing import Any

from chemnet.config import ConfigManager
from chemnet.config.toml_text import toml_text
from chemnet.registry import chem_verb
from chemnet.results import Answer
from chemnet.verbs.verb import Verb


@chem_verb
class Config(Verb):
    """Print the merged configuration, or explain one key."""

    cli_name = "config"
    description = "print the merged configuration, or explain one key"
    tables = ("general",)
    examples = ("chemnet config --explain train.epochs", "chemnet config train.epochs=20 > run.toml")

    #: set by whoever built the configuration, so that origins can be told
    manager: ConfigManager | None = None

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Add ``--explain KEY``."""
        parser.add_argument(
            "--explain", metavar="KEY", help="meaning, value and origin of one key: train.epochs"
        )

    def run(self, explain: str | None = None) -> Answer:
        """Return the merged configuration as TOML text, or what is known of the key `explain`."""
        if explain is None:
            content = self.config.to_dict()
            return Answer(content, toml_text(content).rstrip())
        manager = self.manager or ConfigManager()
        return _explanation(manager.explain(explain))


def _explanation(facts: dict[str, Any]) -> Answer:
    """Lay the facts of one key out as aligned lines."""
    labels = {"set_by": "set by"}
    width = max(len(labels.get(name, name)) for name in facts)
    lines = [f"{labels.get(name, name):<{width}}  {value}" for name, value in facts.items()]
    return Answer(facts, "\n".join(lines))
