"""`chemnet verify`: whether an exported surrogate answers on this machine as it did where it was made."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import ClassVar

from chemnet.errors import ConfigError
from chemnet.registry import chem_verb
from chemnet.results import Answer
from chemnet.verbs.verb import Verb


@chem_verb
class Verify(Verb):
    """Check a bundle's files, build its callers and compare them with the reference cells."""

    cli_name = "verify"
    description = "check an exported surrogate: files, C and Fortran against its reference cells"
    tables: ClassVar = ()
    examples: ClassVar = ("chemnet verify uclchem_library",)

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take the bundle as a bare word."""
        parser.add_argument(
            "bundle", nargs="?", metavar="BUNDLE", help="the folder or .zip from `chemnet export`"
        )

    def run(self, bundle: str | Path | None = None) -> Answer:
        """Return a table of checks.

        Parameters
        ----------
        bundle
            The folder or .zip that `chemnet export` wrote.

        Raises
        ------
        ConfigError
            When none is named.
        ModelError
            When it is no bundle, or a check says that it must not be used.
        """
        if bundle is None:
            raise ConfigError(
                "no bundle is named", hint="chemnet verify BUNDLE, which `chemnet export` wrote"
            )
        from dataclasses import asdict

        from chemnet.export.verify import require_good, verify_bundle
        from chemnet.text_tables import aligned

        checks = verify_bundle(Path(bundle))
        rows = [
            (check.what, check.verdict, _dex(check.step_dex), _dex(check.rollout_dex), check.remark)
            for check in checks
        ]
        table = [("backend", "verdict", "one step [dex]", "all steps [dex]", ""), *rows]
        text = "\n".join(aligned(table))
        if any(check.is_bad for check in checks):
            print(text)
        require_good(checks, Path(bundle))
        return Answer({"checks": [asdict(check) for check in checks]}, text, Path(bundle))


def _dex(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"
