"""`chemnet download`: fetch a public data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from chemnet.registry import chem_verb
from chemnet.results import Answer
from chemnet.verbs.dry_run import plan_answer
from chemnet.verbs.verb import Verb


@chem_verb
class Download(Verb[Answer]):
    """Fetch a public data set by name, DOI or address."""

    cli_name = "download"
    description = "fetch a public data set by name, DOI or address, with checksum and resumption"
    examples = (
        "chemnet download                      # what there is",
        "chemnet download codes_cloud --output data",
        "chemnet download doi:10.5281/zenodo.13749089/data.hdf5",
        "chemnet download https://example.org/tracers.h5 --sha256 9f86d08...",
    )

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take the set as a bare word."""
        parser.add_argument(
            "name", nargs="?", metavar="NAME|DOI|URL", help="the set; without it they are listed"
        )
        parser.add_argument("--output", metavar="DIR", help="where it goes; wins over download.folder")
        parser.add_argument("--sha256", metavar="HEX", help="the checksum that it must have")

    def run(
        self, name: str | None = None, output: str | Path | None = None, sha256: str | None = None
    ) -> Answer:
        """Fetch a set and return where it is; without a name return the list.

        Parameters
        ----------
        name
            Name in the list, ``doi:10.5281/zenodo.RECORD/FILE``, or an address.
        output
            Folder; wins over ``download.folder``.
        sha256
            The checksum that it must have; wins over the list's.

        Raises
        ------
        ConfigError
            No such set.
        RunFailedError
            It cannot be reached, or the connection broke.
        DataError
            The checksum is wrong.
        """
        from chemnet.data.download import fetch, known_sets, wanted_set

        table = self.with_arguments("download", {"folder": output})["download"]
        known = known_sets(table["list"])
        if name is None:
            width = max(map(len, known))
            rows = [f"{one.name:<{width}}  {one.what}" for one in known.values()]
            return Answer({one.name: one.url for one in known.values()}, "\n".join(rows))
        chosen = wanted_set(name, known)
        path = fetch(chosen, Path(table["folder"]), sha256)
        lines = [str(path), f"next: chemnet preprocess data_set.path={path}"]
        if chosen.cite:
            lines.insert(1, f"cite: {chosen.cite}")
        return Answer({"path": str(path), "url": chosen.url, "cite": chosen.cite}, "\n".join(lines), path)

    def plan(
        self, name: str | None = None, output: str | Path | None = None, sha256: str | None = None
    ) -> Answer:
        """Return what `run` would fetch and where to; nothing is fetched."""
        from chemnet.data.download import known_sets, wanted_set

        if name is None:
            return self.run()
        table = self.with_arguments("download", {"folder": output})["download"]
        chosen = wanted_set(name, known_sets(table["list"]))
        checksum = sha256 or chosen.sha256 or "none is known: the one that is found is told"
        return plan_answer(
            {"address": chosen.url, "checksum": checksum},
            str(Path(table["folder"]) / chosen.file_name),
            "not known: the server tells the size when it is asked",
        )
