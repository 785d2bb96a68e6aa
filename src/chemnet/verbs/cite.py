"""`chemnet cite`: what a result, a network or a surrogate was made from, as BibTeX."""

from __future__ import annotations

import argparse
from pathlib import Path

from chemnet.errors import ResultsError
from chemnet.registry import chem_verb
from chemnet.results import Answer, ResultDirectory
from chemnet.results.result_names import names_and_components, result_folder, suggest_result
from chemnet.verbs.verb import Verb


@chem_verb
class Cite(Verb[Answer]):
    """Print the BibTeX entries of what a result was made from."""

    cli_name = "cite"
    description = "what a result, a network or a shipped surrogate was made from, as BibTeX"
    tables = ("general",)
    examples = ("chemnet cite 20260101-120000-train-abcd > chemnet.bib", "chemnet cite uclchem")

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take the result as a bare word."""
        parser.add_argument(
            "result", metavar="RESULT", help="path, name or component of a result, or what chemnet ships"
        )

    def run(self, result: str | Path = "") -> Answer:
        """Return the entries; what nothing is known of is named in comments.

        Parameters
        ----------
        result
            Path, directory name or component of any result, or the name of a shipped network or surrogate.

        Raises
        ------
        ResultsError
            There is no such result.
        """
        from chemnet.evaluation.citations import citations, shipped_citations

        shipped = shipped_citations(str(result))
        entries, unknown = (shipped, []) if shipped else citations(self._found(str(result)))
        comments = [f"% cite besides: {one}" for one in unknown]
        text = "\n\n".join(["\n".join(comments), *entries] if comments else entries)
        return Answer({"bibtex": entries, "cite_besides": unknown}, text)

    def _found(self, wanted: str) -> ResultDirectory:
        """Return the result of that path or name, or the newest of that component."""
        from chemnet.results import list_results

        results_dir = self.config["general"]["results_dir"]
        folder = result_folder(results_dir, wanted)
        if folder is not None:
            return ResultDirectory.open(folder)
        named = [one for one in list_results(results_dir) if one.component == wanted]
        if not named:
            known = names_and_components(results_dir)
            raise ResultsError(f"no result {wanted!r}", hint=suggest_result(wanted, *known))
        return named[-1]
