"""`chemnet compare`: several results of one verb side by side, as tables, a picture and a page."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chemnet.config import ConfigDict
from chemnet.errors import ResultsError
from chemnet.progress import get_logger
from chemnet.registry import chem_verb
from chemnet.results import Answer, ResultDirectory, ResultWriter, VerbResult, list_results
from chemnet.results.result_names import names_and_components, result_folder, suggest_result
from chemnet.verbs.dry_run import SECONDS, in_results, plan_answer
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chemnet.evaluation.comparisons.comparison import Comparison

COMPARISON_FILE, TABLE_FILE = "comparison.json", "comparison.md"
PICTURE_FILE, PAGE_FILE = "comparison.png", "comparison.html"
# a component means its newest result of the first verb here of which all named components have one
_COMPARABLE = ("benchmark", "train", "sweep", "simulate")
_log = get_logger(__name__)


class CompareResult(VerbResult):
    """Results side by side."""

    verb = "compare"

    @cached_property
    def comparison(self) -> Comparison:
        """Tables, remarks and the numbers behind them."""
        from chemnet.evaluation.comparisons.comparison import Comparison

        stored = json.loads(self.directory.file(COMPARISON_FILE).read_text(encoding="utf-8"))
        try:
            return Comparison.from_dict(stored)
        except (KeyError, TypeError) as error:
            raise ResultsError(
                f"{self.path.name} was made by an older chemnet, which compared benchmarks alone",
                hint="compare them again; its tables are in comparison.md",
            ) from error

    @property
    def page(self) -> Path:
        """The self-contained page."""
        return self.directory.file(PAGE_FILE)

    def plot(self) -> Figure:
        """Draw learning curves, errors against the step, or the species that differ."""
        return _picture(self.comparison)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return super().to_dict() | {"comparison": self.comparison.to_dict()}

    def __str__(self) -> str:
        return f"{self.comparison.as_text()}\n\nwith a picture: {self.page}"


@chem_verb
class Compare(Verb[CompareResult]):
    """Put results of one verb side by side."""

    cli_name = "compare"
    description = "put trainings, benchmarks, sweeps or simulations side by side: table, picture, page"
    tables = ("compare",)
    examples = (
        "chemnet compare results/*-train-*          # learning curves, best figures, the keys that differ",
        "chemnet compare emulator_a emulator_b      # the newest benchmarks of two components",
        "chemnet compare 20260101-120000-simulate-abcdef 20260102-120000-simulate-fedcba --json",
    )

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take the results as bare words."""
        parser.add_argument(
            "results",
            nargs="*",
            metavar="RESULT",
            help="two or more results of one verb: paths, names or components; win over compare.results",
        )

    def run(self, results: str | Path | Sequence[str | Path] | None = None) -> CompareResult:
        """Compare and write the result.

        Parameters
        ----------
        results
            Results of `train`, `benchmark`, `sweep` or `simulate`, all of one of them: paths, directory names
            or component names; wins over ``compare.results``.

        Raises
        ------
        ResultsError
            When fewer than two are named, one is missing, they are of different verbs, or they have nothing
            in common that could be compared.
        """
        return CompareResult(compare(self._settled(results)))

    def plan(self, results: str | Path | Sequence[str | Path] | None = None) -> Answer:
        """Return what `run` would read and make; nothing is written."""
        config = self._settled(results)
        return plan_answer(
            {name: one.path for name, one in _named(_find(config)).items()},
            in_results(config, "compare", f"{TABLE_FILE}, {PICTURE_FILE}, {PAGE_FILE} and {COMPARISON_FILE}"),
            SECONDS,
        )

    def _settled(self, results: str | Path | Sequence[str | Path] | None) -> ConfigDict:
        """Return the configuration with the argument of `run`."""
        named = [results] if isinstance(results, (str, Path)) else results
        given = [str(one) for one in named] if named else None
        return self.with_arguments("compare", {"results": given})


def compare(config: ConfigDict) -> ResultDirectory:
    """Read the results, and write tables, picture and page."""
    found = _named(_find(config))
    comparison = _compared(found, config)
    from chemnet.figure_style import save_figure

    parents = {f"result_{number}": one for number, one in enumerate(found.values())}
    with ResultWriter(config, "compare", parents=parents) as writer:
        text = json.dumps(comparison.to_dict())
        (writer.path / COMPARISON_FILE).write_text(text, encoding="utf-8")
        save_figure(_picture(comparison), writer.path / PICTURE_FILE, config)
        (writer.path / TABLE_FILE).write_text(comparison.as_markdown(PICTURE_FILE), encoding="utf-8")
        page = comparison.as_html(writer.path / PICTURE_FILE)
        (writer.path / PAGE_FILE).write_text(page, encoding="utf-8")
        writer.summary.update({"verb": comparison.verb, "results": len(found)} | comparison.summary)
    return writer.result


def _compared(found: dict[str, ResultDirectory], config: ConfigDict) -> Comparison:
    """Compare in the way of the results' verb."""
    verb = next(iter(found.values())).verb
    if verb == "train":
        from chemnet.evaluation.comparisons.trainings import compare_trainings

        return compare_trainings(found)
    if verb == "sweep":
        from chemnet.evaluation.comparisons.sweeps import compare_sweeps

        return compare_sweeps(found)
    if verb == "simulate":
        from chemnet.evaluation.comparisons.simulations import compare_simulations

        return compare_simulations(found, config)
    from chemnet.evaluation.comparisons.benchmarks import compare_benchmarks

    return compare_benchmarks(found)


def _picture(comparison: Comparison) -> Figure:
    from chemnet.plots.comparison_figures import draw_compared

    return draw_compared(comparison.verb, comparison.values)


def _find(config: ConfigDict) -> list[ResultDirectory]:
    """Return the results that are asked for, which are two or more of one verb."""
    wanted, results_dir = config["compare"]["results"], config["general"]["results_dir"]
    folders = {str(one): result_folder(results_dir, str(one)) for one in wanted}
    opened = {name: ResultDirectory.open(folder) for name, folder in folders.items() if folder}
    components = [name for name, folder in folders.items() if folder is None]
    opened |= _newest_of(components, results_dir, {one.verb for one in opened.values()})
    found = list({opened[str(one)].path: opened[str(one)] for one in wanted}.values())
    if len(found) < 2:
        counted = f"{len(found)} result{'s' * (len(found) != 1)}"
        raise ResultsError(
            f"compare.results names {counted}; a comparison takes two or more",
            hint="chemnet compare RESULT RESULT; `chemnet results` lists what there is",
        )
    verbs = sorted({one.verb for one in found})
    if len(verbs) > 1 or verbs[0] not in _COMPARABLE:
        what = f"results of {' and '.join(f'`{verb}`' for verb in verbs)} cannot be compared"
        raise ResultsError(
            f"{what} with one another", hint=f"name results of one of {', '.join(_COMPARABLE)}"
        )
    return found


def _newest_of(components: Sequence[str], results_dir: str, verbs: set[str]) -> dict[str, ResultDirectory]:
    """Return the newest result of each component: of the others' verb, or of the first that all have."""
    if not components:
        return {}
    for verb in verbs or _COMPARABLE:
        newest = {one.component: one for one in list_results(results_dir, verb) if one.component}
        if all(name in newest for name in components):
            _log.info("compare.results: taking the newest `%s` of %s", verb, ", ".join(components))
            return {name: newest[name] for name in components}
    names, known = names_and_components(results_dir, *_COMPARABLE)
    missing = next((name for name in components if name not in known), None)
    if missing is None:
        raise ResultsError(
            f"compare.results: {', '.join(components)} have no results of one verb",
            hint="`chemnet results` lists results with their verbs",
        )
    raise ResultsError(
        f"compare.results: {missing!r} is no path, result or component",
        hint=suggest_result(missing, names, known) or "run `chemnet train` first",
    )


def _named(found: Sequence[ResultDirectory]) -> dict[str, ResultDirectory]:
    """Return the results by the name of their component, or where two share one by their own."""
    names = [one.component or one.name for one in found]
    if len(set(names)) < len(names):
        names = [one.name for one in found]
    if len(set(names)) < len(names):  # of several folders of results
        names = [str(one.path) for one in found]
    return dict(zip(names, found, strict=True))
