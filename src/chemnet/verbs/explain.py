"""`chemnet explain`: what a figure in a table means."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from chemnet.registry import chem_verb
from chemnet.results import Answer
from chemnet.verbs.verb import Verb


@chem_verb
class Explain(Verb[Answer]):
    """Say what a figure means: its unit and one sentence."""

    cli_name = "explain"
    description = "what a figure means, such as mlae: its unit and one sentence"
    tables = ("general",)
    examples = ("chemnet explain mlae", "chemnet explain        # all of them")

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take the figure as a bare word."""
        parser.add_argument("metric", nargs="?", metavar="METRIC", help="its name; all of them without one")

    def run(self, metric: str | None = None) -> Answer:
        """Return the meaning of one figure, or of all.

        Raises
        ------
        NotFoundError
            There is no such figure.
        """
        from chemnet.data.metric_meanings import METRICS, meaning_of

        chosen = [meaning_of(metric)] if metric else list(METRICS.values())
        text = "\n".join(map(str, chosen))
        return Answer({one.name: asdict(one) for one in chosen}, text)
