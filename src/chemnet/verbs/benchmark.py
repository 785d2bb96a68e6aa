"""`chemnet benchmark`: score a surrogate on tracers that it never saw, against the raw truth."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from chemnet.config import ConfigDict
from chemnet.registry import chem_verb
from chemnet.results import Answer, ResultDirectory, ResultWriter, VerbResult
from chemnet.verbs.dry_run import at_the_pace, in_results, plan_answer
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chemnet.data.preprocessed import PreprocessedData
    from chemnet.evaluation.score_split import Evaluation
    from chemnet.plots.benchmark_figures import Trajectories
    from chemnet.surrogate.surrogate import Surrogate

METRICS_FILE = "metrics.json"
MARKDOWN_FILE, PAGE_FILE = "report.md", "report.html"
# figures of the full rollout that `result.toml` holds
_SUMMARY = (
    "mlae", "lae99", "mlae_visible", "lae99_visible", "mlae_abundant", "lae99_abundant", "solver_share",
    "element_drift",
)  # fmt: skip


class BenchmarkResult(VerbResult):
    """How good a surrogate is."""

    verb = "benchmark"

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Everything that was measured: `surrogate`, `data`, `settings`, `scores` by method, `trust`, ..."""
        return json.loads(self.directory.file(METRICS_FILE).read_text(encoding="utf-8"))

    @property
    def report(self) -> Path:
        """The self-contained page."""
        return self.directory.file(PAGE_FILE)

    def plot(self) -> Figure:
        """Draw the error against the step, for the surrogate and its rivals."""
        from chemnet.plots.benchmark_figures import draw_error_by_step

        return draw_error_by_step(self.metrics["scores"], self.metrics["surrogate"]["name"])

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {**super().to_dict(), "metrics": str(self.path / METRICS_FILE)}

    def __str__(self) -> str:
        from chemnet.plots.benchmark_report import as_text

        return f"{as_text(self.metrics)}\n\nthe whole report: {self.report}"


@chem_verb
class Benchmark(Verb[BenchmarkResult]):
    """Score a surrogate."""

    cli_name = "benchmark"
    description = "score a surrogate against the raw truth, simple rivals and the solver"
    inputs: ClassVar = {"benchmark.surrogate": "train", "benchmark.preprocess_dir": "preprocess"}
    tables = ("benchmark", "surrogate")
    examples = ("chemnet benchmark", "chemnet benchmark benchmark.surrogate=collapse")

    def run(
        self,
        surrogate: str | Path | None = None,
        preprocess_dir: str | Path | None = None,
        split: str | None = None,
    ) -> BenchmarkResult:
        """Score and write the report; each argument wins over the key of its name in ``[benchmark]``.

        Parameters
        ----------
        surrogate
            A saved surrogate's folder, a shipped name, or a training result or component.
        preprocess_dir
            The preprocess result to score on; by default the one that the surrogate was trained on.
        split
            ``"test"``, ``"validate"`` or ``"train"``.

        Raises
        ------
        ResultsError, ModelError
            When there is no such surrogate or no data for it.
        DataError
            When the data lack species, parameters or tracers.
        """
        given = {"surrogate": surrogate, "preprocess_dir": preprocess_dir, "split": split}
        config = self.with_arguments("benchmark", given)
        return BenchmarkResult(benchmark(config))

    def plan(self, **given: Any) -> Answer:
        """Return what `run` would read and make of its arguments; nothing is written."""
        config = self.with_arguments("benchmark", given)
        from chemnet.data.preprocessed import PreprocessedData
        from chemnet.evaluation.scored_data import data_for, surrogate_to_score

        scored = surrogate_to_score(config)
        data, split = data_for(config, scored), config["benchmark"]["split"]
        tracers = len(PreprocessedData(data).split(split).tracer_ids)
        return plan_answer(
            {
                "benchmark.surrogate": f"{scored.name}, {len(scored.species)} species",
                "benchmark.preprocess_dir": f"{data.path}: {tracers:,} tracers of the {split} split",
            },
            in_results(config, "benchmark", f"{PAGE_FILE}, {MARKDOWN_FILE}, {METRICS_FILE} and pictures"),
            at_the_pace(
                config, "benchmark", "tracers", tracers, lambda one: one.summary["surrogate"] == scored.name
            ),
        )


def benchmark(config: ConfigDict) -> ResultDirectory:
    """Find surrogate and data, score, and write the result."""
    from chemnet.data.preprocessed import PreprocessedData
    from chemnet.evaluation.advice import next_steps
    from chemnet.evaluation.network_origin import named_network
    from chemnet.evaluation.report_examples import check_species
    from chemnet.evaluation.scored_data import data_for, surrogate_to_score, trained_emulator
    from chemnet.surrogate.loading import shipped_with

    surrogate = surrogate_to_score(config)
    data_result = data_for(config, surrogate)
    check_species(config["benchmark"]["species"], surrogate.species)
    named_network(config, surrogate.species)  # a wrong one is told before anything is scored
    parents = {"preprocess": data_result}
    emulator = trained_emulator(config, surrogate)
    if emulator is not None:
        parents["train"] = emulator
        if not config["surrogate"]["members"]:
            # workers elsewhere are to find the same one, whatever is trained meanwhile
            config = config.replace({"surrogate.emulator": str(emulator.path)})
    with ResultWriter(config, "benchmark", surrogate.name, parents=parents) as writer:
        metrics = _measure(config, surrogate, PreprocessedData(data_result), writer.path)
        training = None if emulator is None else emulator.summary
        metrics["next_steps"] = next_steps(metrics, training, shipped_with(surrogate.species))
        (writer.path / METRICS_FILE).write_text(json.dumps(metrics, indent=1), encoding="utf-8")
        _write_report(metrics, writer.path)
        rollout = metrics["scores"]["rollout"]
        writer.summary.update(
            {name: rollout[name] for name in _SUMMARY},
            first_step=rollout["at_step"]["1"]["mlae"],
            surrogate=surrogate.name,
            tracers=metrics["data"]["tracers"],
        )
    return writer.result


def _measure(
    config: ConfigDict, surrogate: Surrogate, data: PreprocessedData, folder: Path
) -> dict[str, Any]:
    """Score, take the times and draw the figures; return the content of `metrics.json`."""
    from chemnet.evaluation.error_against_cost import error_against_cost
    from chemnet.evaluation.long_rollout import long_rollout
    from chemnet.evaluation.score_split import evaluate
    from chemnet.evaluation.score_tracers import Judge, Options
    from chemnet.evaluation.speed import speeds
    from chemnet.figure_style import save_figure
    from chemnet.workers import ThisThread, open_workers

    table, options = config["benchmark"], Options.of(config)
    judge = Judge(surrogate, data, options, config)
    with open_workers(config, ThisThread) as workers:
        evaluation = evaluate(judge, workers)
    scores = {name: score.to_dict() for name, score in evaluation.scores.items()}
    trust = _trust(evaluation)
    endurance = long_rollout(surrogate, evaluation.source, options.floor)
    priced = error_against_cost(surrogate, judge, data, config)
    figures = _figures(surrogate, evaluation, scores, table)
    figures |= _further_figures(trust, endurance, priced)
    for name, figure in figures.items():
        save_figure(figure, folder / name, config)
    return {
        "surrogate": _describe(surrogate),
        "data": {
            "preprocess": data.directory.name,
            "digest": data.digest,
            "split": options.split,
            "tracers": len(evaluation.source),
            "rows": int(evaluation.source.lengths.sum()),
            "steps": evaluation.source.longest,
            "inside_domain": evaluation.inside,
            "known_tracers": len(data.split("train").tracer_ids),
        },
        "settings": {name: getattr(options, name) for name in ("floor", "visible", "abundant")},
        "scores": scores,
        "trust": trust,
        "long_rollout": endurance,
        "error_against_cost": priced,
        "speed": speeds(surrogate, data, evaluation.source, config),
    }


def _trust(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return what trust in states is worth and, as `by_species`, that in single species."""
    if evaluation.risk is None:
        return None
    species = evaluation.species_risk
    return {**evaluation.risk.to_dict(), "by_species": None if species is None else species.to_dict()}


def _describe(surrogate: Surrogate) -> dict[str, Any]:
    """Return what the report says of the surrogate."""
    networks = surrogate.parts.named
    return {
        "name": surrogate.name,
        "direct": surrogate.is_direct,
        "species": len(surrogate.species),
        "latents": surrogate.latent_dim // surrogate.components.size,
        "members": surrogate.components.size,
        "networks": {role: type(network).__name__ for role, network in networks.items()},
        "member": type(surrogate.parts.emulators[0]).__name__,
        "parameters": sum(p.numel() for network in networks.values() for p in network.parameters()),
        "provenance": surrogate.provenance,
    }


def _figures(
    surrogate: Surrogate, evaluation: Evaluation, scores: dict[str, Any], table: ConfigDict
) -> dict[str, Figure]:
    """Return the figures of where, when and in which species the surrogate is wrong, by their file's name."""
    import numpy as np

    from chemnet.plots import benchmark_figures as plots

    states = np.concatenate(evaluation.scores["rollout"].states)
    figures = {
        "error_by_step.png": plots.draw_error_by_step(scores, surrogate.name),
        "trajectories.png": plots.draw_trajectories(_trajectories(surrogate, evaluation, scores, table)),
        "worst_species.png": plots.draw_worst_species(scores["rollout"]["by_species"]),
        "error_map.png": plots.draw_error_map(states[:, :-1], states[:, -1], surrogate.physical_names),
        "conservation.png": plots.draw_conservation(scores),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def _further_figures(
    trust: dict[str, Any] | None, endurance: dict[str, Any], priced: dict[str, Any] | None
) -> dict[str, Figure]:
    """Return the figures of trust, endurance and cost, as far as they were measured, by their file's name."""
    from chemnet.plots.cost_figures import draw_error_against_cost
    from chemnet.plots.trust_figures import draw_long_rollout, draw_risk_coverage

    figures = {"long_rollout.png": draw_long_rollout(endurance)}
    if trust is not None:
        figures["risk_coverage.png"] = draw_risk_coverage(trust)
    if priced is not None:
        figures["error_against_cost.png"] = draw_error_against_cost(priced)
    return figures


def _trajectories(
    surrogate: Surrogate, evaluation: Evaluation, scores: dict[str, Any], table: ConfigDict
) -> Trajectories:
    """Return a typical and the worst tracer, truth and surrogate."""
    import numpy as np

    from chemnet.chemistry.network.species_sums import summed_abundances
    from chemnet.evaluation.report_examples import example_species, example_tracers
    from chemnet.plots.benchmark_figures import Trajectories

    rollout = scores["rollout"]
    chosen = example_tracers(rollout["by_tracer"])
    ids = evaluation.source.split.tracer_ids
    histories = evaluation.source.read(np.array([ids.index(tracer) for tracer in chosen.values()]))
    species = example_species(table["species"], surrogate.species, rollout["by_species"])
    predicted = surrogate.emulate(histories.physical, histories.abundance[:, 0], histories.dt)
    ended = ~histories.valid[..., None]
    return Trajectories(
        names=[
            f"{title} tracer {tracer} ({rollout['by_tracer'][tracer]:.2f} dex)"
            for title, tracer in chosen.items()
        ],
        time=histories.time,
        truth=np.where(ended, np.nan, summed_abundances(histories.abundance, species, surrogate.species)),
        predicted=np.where(ended, np.nan, summed_abundances(predicted, species, surrogate.species)),
        species=species,
        floor=table["floor"],
    )


def _write_report(metrics: dict[str, Any], folder: Path) -> None:
    """Write the report as Markdown and as one page."""
    from chemnet.plots.benchmark_report import FIGURES, as_html, as_markdown

    figures = [name for name in FIGURES if (folder / name).is_file()]
    (folder / MARKDOWN_FILE).write_text(as_markdown(metrics, figures), encoding="utf-8")
    (folder / PAGE_FILE).write_text(as_html(metrics, folder, figures), encoding="utf-8")
