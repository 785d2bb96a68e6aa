"""`chemnet export`: a surrogate as a folder or .zip that codes in C, C++ and Fortran build and call."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError
from chemnet.registry import chem_verb
from chemnet.results import Answer
from chemnet.verbs.dry_run import SECONDS, plan_answer
from chemnet.verbs.verb import Verb


@chem_verb
class Export(Verb):
    """Write a surrogate as source code and weights that need no Python."""

    cli_name = "export"
    description = "write a surrogate as a C and Fortran library that needs no Python"
    examples: ClassVar = (
        "chemnet export uclchem --output uclchem_library",
        "chemnet export emulator --output library.zip --embed",
        "chemnet export collapse --output collapse_library --format onnx pt2",
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
        parser.add_argument("--output", metavar="PATH", help="a folder or NAME.zip; wins over export.output")
        parser.add_argument(
            "--format",
            dest="formats",
            nargs="+",
            metavar="FORMAT",
            help="also write onnx or pt2 (torch.export); wins over export.formats",
        )
        parser.add_argument(
            "--embed", action="store_true", default=None, help="also write the weights as C source"
        )

    def run(
        self,
        surrogate: str | Path | None = None,
        output: str | Path | None = None,
        embed: bool | None = None,
        formats: Sequence[str] | None = None,
    ) -> Answer:
        """Write the bundle and return what it holds.

        Parameters
        ----------
        surrogate
            What `Surrogate.load` takes; wins over ``export.surrogate``.
        output
            The folder or .zip: new, empty or an older bundle; wins over ``export.output``.
        embed
            Whether weights are also written as C source; wins over ``export.embed``.
        formats
            Programs beside the library: ``"onnx"``, ``"pt2"``; wins over ``export.formats``.

        Raises
        ------
        ConfigError
            When surrogate or output is not named, or there is no such format.
        MissingPackageError
            When what writes ONNX is missing.
        ModelError
            When there is no such surrogate, it has no form that the library computes, or something else is
            where the bundle should be.
        """
        config = self._settled(surrogate=surrogate, output=output, embed=embed, formats=formats)
        table = config["export"]
        from chemnet.export.archive import unpacked
        from chemnet.export.bundle import write_bundle
        from chemnet.surrogate.surrogate import Surrogate

        loaded = Surrogate.load(table["surrogate"], config)
        bundle = write_bundle(loaded, Path(table["output"]), table["embed"], table["formats"])
        with unpacked(bundle) as folder:
            sizes = {
                path.relative_to(folder).as_posix(): path.stat().st_size
                for path in folder.rglob("*")
                if path.is_file()
            }
        weights = sizes["weights.bin"] / 1e6
        source = sum(size for name, size in sizes.items() if name.endswith((".c", ".h", ".f90", ".cpp")))
        source_folder = bundle.with_suffix("") if bundle.is_file() else bundle
        unzip = f"unzip {bundle} -d {bundle.parent} && " if bundle.is_file() else ""
        text = "\n".join(
            [
                f"{loaded!r}",
                f"bundle  {bundle}  ({source / 1000:.0f} kB of source, {weights:.1f} MB of weights)",
                f"build   {unzip}cmake -S {source_folder} -B {source_folder}/build && "
                f"cmake --build {source_folder}/build",
                f"check   chemnet verify {bundle}",
            ]
        )
        return Answer({"surrogate": loaded.name, "path": str(bundle), "files": sizes}, text, bundle)

    def plan(self, **given: Any) -> Answer:
        """Return what `run` would read and make of its arguments; nothing is written."""
        config = self._settled(**given)
        from chemnet.surrogate.surrogate import Surrogate

        table = config["export"]
        loaded = Surrogate.load(table["surrogate"], config)
        beside = [f"surrogate.{one}" for one in table["formats"]] + ["weights as C source"] * table["embed"]
        return plan_answer(
            {"export.surrogate": loaded},
            ", ".join([f"{table['output']}: C and Fortran source, weights, reference cells", *beside]),
            SECONDS,
        )

    def _settled(self, **given: Any) -> ConfigDict:
        """Return the configuration with the arguments of `run`; surrogate and output must be named."""
        config = self.with_arguments("export", given)
        for key in ("surrogate", "output"):
            if config["export"][key] is False:
                raise ConfigError(
                    f"export.{key} is not set",
                    hint="chemnet export uclchem --output uclchem_library",
                )
        return config
