"""`chemnet compare`: several benchmarks side by side, as a table and as curves."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from chemnet.config import ConfigDict
from chemnet.errors import ResultsError
from chemnet.registry import chem_verb
from chemnet.results import ResultDirectory, ResultWriter, VerbResult, named_result
from chemnet.verbs.benchmark import METRICS_FILE
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMPARISON_FILE, TABLE_FILE, CURVES_FILE = "comparison.json", "comparison.md", "comparison.png"


class CompareResult(VerbResult):
    """Benchmarks side by side."""

    verb = "compare"

    @property
    def scores(self) -> dict[str, Any]:
        """The `scores` of each benchmark, by its name in the table."""
        return {name: measured["scores"] for name, measured in self.benchmarks.items()}

    @property
    def benchmarks(self) -> dict[str, Any]:
        """The `scores` and the `trust` of each benchmark, by its name in the table."""
        return json.loads(self.directory.file(COMPARISON_FILE).read_text(encoding="utf-8"))

    def plot(self) -> Figure:
        """Draw the error of the full rollout against the step, one line per benchmark."""
        from chemnet.plots.benchmark_figures import draw_comparison

        return draw_comparison(self.scores)

    def __str__(self) -> str:
        from chemnet.plots.benchmark_tables import comparison_table
        from chemnet.text_tables import aligned

        return "\n".join([*aligned(comparison_table(self.benchmarks)), "", f"result  {self.path}"])


@chem_verb
class Compare(Verb[CompareResult]):
    """Put benchmarks side by side."""

    cli_name = "compare"
    description = "put several benchmarks side by side: table and curves"
    inputs: ClassVar = {"compare.benchmarks": "benchmark"}

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take the benchmarks as bare words."""
        parser.add_argument(
            "benchmarks",
            nargs="*",
            metavar="RESULT",
            help="results of `benchmark`: paths, names or components; win over compare.benchmarks",
        )

    def run(self, benchmarks: Sequence[str | Path] | None = None) -> CompareResult:
        """Compare and write the result.

        Parameters
        ----------
        benchmarks
            Results of `benchmark`: paths, directory names or component names; wins over
            ``compare.benchmarks``.

        Raises
        ------
        ResultsError
            When fewer than two are named, one is missing, or they were scored on different tracers.
        """
        given = [str(one) for one in benchmarks] if benchmarks else None
        config = self.with_arguments("compare", {"benchmarks": given})
        return CompareResult(compare(config))


def compare(config: ConfigDict) -> ResultDirectory:
    """Read the benchmarks and write table, curves and figures of all."""
    from chemnet.figure_style import save_figure
    from chemnet.plots.benchmark_figures import draw_comparison
    from chemnet.plots.benchmark_tables import comparison_table
    from chemnet.text_tables import markdown_table

    wanted = config["compare"]["benchmarks"]
    found = [named_result(config, str(one), "compare.benchmarks", "benchmark") for one in wanted]
    if len(found) < 2:
        raise ResultsError(
            f"compare.benchmarks names {len(found)} results; a comparison takes two or more",
            hint="chemnet compare RESULT RESULT; `chemnet results` lists what there is",
        )
    metrics = [json.loads(one.file(METRICS_FILE).read_text(encoding="utf-8")) for one in found]
    _check_same_tracers(found, metrics)
    measured = {
        name: {"scores": one["scores"], "trust": one["trust"]}
        for name, one in zip(_names(found), metrics, strict=True)
    }
    scores = {name: one["scores"] for name, one in measured.items()}
    parents = {f"benchmark_{number}": one for number, one in enumerate(found)}
    with ResultWriter(config, "compare", parents=parents) as writer:
        (writer.path / COMPARISON_FILE).write_text(json.dumps(measured), encoding="utf-8")
        table = markdown_table(comparison_table(measured))
        (writer.path / TABLE_FILE).write_text("\n".join(table) + "\n", encoding="utf-8")
        save_figure(draw_comparison(scores), writer.path / CURVES_FILE, config)
        writer.summary.update({name: score["rollout"]["mlae"] for name, score in scores.items()})
    return writer.result


def _check_same_tracers(found: Sequence[ResultDirectory], metrics: Sequence[dict[str, Any]]) -> None:
    """Raise when two benchmarks scored different tracers: their figures say nothing of each other."""
    for one, measured in zip(found, metrics, strict=True):
        if set(measured["scores"]["rollout"]["by_tracer"]) != set(
            metrics[0]["scores"]["rollout"]["by_tracer"]
        ):
            raise ResultsError(
                f"{one.name} and {found[0].name} were scored on different tracers",
                hint="run `chemnet benchmark` on the same split: benchmark.preprocess_dir",
            )


def _names(found: Sequence[ResultDirectory]) -> list[str]:
    """Return the component name of each benchmark, or its own name where two share one."""
    names = [one.component or one.name for one in found]
    return [name if names.count(name) == 1 else one.name for name, one in zip(names, found, strict=True)]
