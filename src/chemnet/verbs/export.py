"""`chemnet export`: a surrogate as a folder that codes in C, C++ and Fortran build and call."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import ClassVar

from chemnet.errors import ConfigError
from chemnet.registry import chem_verb
from chemnet.results import Answer
from chemnet.verbs.verb import Verb


@chem_verb
class Export(Verb):
    """Write a surrogate as source code and weights that need no Python."""

    cli_name = "export"
    description = "write a surrogate as a C and Fortran library that needs no Python"
    examples: ClassVar = (
        "chemnet export uclchem --output uclchem_library",
        "chemnet export emulator --output library --embed",
    )

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take the surrogate as a bare word, and ``--output`` and ``--embed``."""
        parser.add_argument(
            "surrogate",
            nargs="?",
            metavar="SURROGATE",
            help="a shipped one, a component, a result or a saved folder; wins over export.surrogate",
        )
        parser.add_argument("--output", metavar="DIR", help="the folder to write; wins over export.output")
        parser.add_argument(
            "--embed", action="store_true", default=None, help="also write the weights as C source"
        )

    def run(
        self,
        surrogate: str | Path | None = None,
        output: str | Path | None = None,
        embed: bool | None = None,
    ) -> Answer:
        """Write the bundle and return what it holds.

        Parameters
        ----------
        surrogate
            What `Surrogate.load` takes; wins over ``export.surrogate``.
        output
            The folder, new, empty or an older bundle; wins over ``export.output``.
        embed
            Whether weights are also written as C source; wins over ``export.embed``.

        Raises
        ------
        ConfigError
            When surrogate or folder is not named.
        ModelError
            When there is no such surrogate, it has no form that the library computes, or the folder holds
            something else.
        """
        config = self.with_arguments("export", {"surrogate": surrogate, "output": output, "embed": embed})
        table = config["export"]
        for key, example in (("surrogate", "uclchem"), ("output", "uclchem_library")):
            if table[key] is False:
                raise ConfigError(
                    f"export.{key} is not set",
                    hint=f"chemnet export uclchem --output uclchem_library ({example})",
                )
        from chemnet.export.bundle import write_bundle
        from chemnet.surrogate.surrogate import Surrogate

        loaded = Surrogate.load(table["surrogate"], config)
        folder = write_bundle(loaded, Path(table["output"]), table["embed"])
        sizes = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in folder.rglob("*")
            if path.is_file()
        }
        weights = sizes["weights.bin"] / 1e6
        source = sum(size for name, size in sizes.items() if name.endswith((".c", ".h", ".f90", ".cpp")))
        text = "\n".join(
            [
                f"{loaded!r}",
                f"bundle  {folder}  ({source / 1000:.0f} kB of source, {weights:.1f} MB of weights)",
                f"build   cmake -S {folder} -B {folder}/build && cmake --build {folder}/build",
                f"check   chemnet verify {folder}",
            ]
        )
        return Answer({"surrogate": loaded.name, "path": str(folder), "files": sizes}, text, folder)
