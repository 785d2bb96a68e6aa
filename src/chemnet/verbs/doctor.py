"""`chemnet doctor`: whether this machine has what chemnet needs, and what to do where it has not."""

from __future__ import annotations

import argparse

from chemnet.errors import RunFailedError
from chemnet.registry import chem_verb
from chemnet.results import Answer
from chemnet.verbs.verb import Verb

_SIGNS = {"ok": "ok", "advice": "note", "problem": "MEND"}


@chem_verb
class Doctor(Verb[Answer]):
    """Look at versions, device, threads, caches, disk and speed."""

    cli_name = "doctor"
    description = "look at versions, device, threads, caches, disk and speed, and say what to mend"
    tables = ("general",)
    examples = ("chemnet doctor", "chemnet doctor --no-speed --json")

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Add ``--no-speed``."""
        parser.add_argument(
            "--no-speed", dest="speed", action="store_false", default=None, help="measure no speed"
        )

    def run(self, speed: bool = True) -> Answer:
        """Return the checks as a table.

        Parameters
        ----------
        speed
            Whether to measure the speed of solver, matrix products and copying: about a second.

        Raises
        ------
        RunFailedError
            When something keeps chemnet from working; the table stands in the message.
        """
        from chemnet.evaluation.machine_checks import PROBLEM, machine_checks, summary_line

        checks = list(machine_checks(self.config, speed))
        width = max(len(one.name) for one in checks)
        lines = []
        for one in checks:
            lines.append(f"{_SIGNS[one.state]:<4}  {one.name:<{width}}  {one.found}")
            if one.advice:
                lines.append(f"{'':<4}  {'':<{width}}  -> {one.advice}")
        text = "\n".join([*lines, "", summary_line(checks)])
        if any(one.state == PROBLEM for one in checks):
            raise RunFailedError(f"something is to be mended\n{text}")
        return Answer({"checks": [vars(one) for one in checks]}, text)
