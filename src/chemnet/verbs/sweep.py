"""`chemnet sweep`: train one component many times with other values, and keep the best."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from chemnet.config import ConfigDict, load_result_config
from chemnet.errors import ResultsError
from chemnet.extras import require
from chemnet.progress import get_logger
from chemnet.registry import MODELS, VERBS, chem_verb
from chemnet.results import Answer, ResultDirectory, ResultWriter, VerbResult
from chemnet.results.unfinished_runs import OwnedRun, unfinished
from chemnet.sweeps.search_space import Choice, Range, Space, grid, read_space, with_space_words
from chemnet.verbs.dry_run import in_results, plan_answer, refuse_resume
from chemnet.verbs.train import (
    Train,
    TrainResult,
    data_at_hand,
    find_inputs,
    planned_inputs,
    refuse_wrong_names,
    training_time,
)
from chemnet.verbs.train_choices import settled
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chemnet.sweeps.trial import TrialRecord

TABLE_FILE, FIGURE_FILE = "trials.md", "sweep.png"
# of an unfinished sweep that goes on, these are today's
_TODAY = ("general.device", "general.threads", "general.dask", "general.dask_workers", "sweep.compare")
_log = get_logger(__name__)


class SweepResult(VerbResult):
    """A finished sweep."""

    verb = "sweep"

    @cached_property
    def trials(self) -> list[TrialRecord]:
        """How each trial ended, best first."""
        from chemnet.sweeps.ranking import ranked, read_trials

        return ranked(read_trials(self.path))

    @property
    def best(self) -> TrainResult:
        """The best component, as the sweep left it for the verbs that follow."""
        return TrainResult(self.directory.parent("best"))

    def plot(self) -> Figure:
        """Draw the learning curves of all trials, and the score against each value that was varied."""
        from chemnet.plots.sweep_figures import draw_sweep

        return draw_sweep([one.to_dict() for one in self.trials], self.summary["monitor"])

    def __str__(self) -> str:
        from chemnet.sweeps.ranking import trial_table
        from chemnet.text_tables import aligned

        table = aligned(trial_table(self.trials, self.summary["monitor"]))
        return "\n".join([*table, "", super().__str__()])


@chem_verb
class Sweep(Verb[SweepResult]):
    """Train with every combination of some values, or with values that Optuna draws."""

    cli_name = "sweep"
    description = "train a component with many values of some keys: a grid, or trials drawn by Optuna"
    inputs: ClassVar = Train.inputs
    tables = ("sweep", *Train.tables)
    examples = (
        "chemnet sweep optimizer.lr=1e-3,5e-4 model.Autoencoder.latent_dim=8,12,14",
        "chemnet sweep --trials 30 optimizer.lr=log:1e-4..1e-2 model.Autoencoder.latent_dim=8..20",
        "chemnet sweep sweep.resume=latest",
    )

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Add ``--trials N``."""
        parser.add_argument(
            "--trials", type=int, metavar="N", help="draw N trials with Optuna; wins over sweep.trials"
        )

    @staticmethod
    def configuration_words(words: Sequence[str]) -> list[str]:
        """Take ``key=a,b`` and ``key=1..9`` for what is varied."""
        return with_space_words(words)

    def run(
        self,
        space: Mapping[str, Any] | None = None,
        trials: int | None = None,
        resume: str | Path | None = None,
    ) -> SweepResult:
        """Train all trials; each argument wins over the key of its name in ``[sweep]``.

        Parameters
        ----------
        space
            Key -> list of alternatives, or the text that the command line takes: ``{"optimizer.lr": [1e-3,
            5e-4], "model.Autoencoder.latent_dim": "8..20"}``.
        trials
            Trials that Optuna draws; without it every combination of the alternatives is one.
        resume
            An unfinished sweep to resume: ``"latest"``, a path or a name.

        Raises
        ------
        ConfigError
            For values that a key does not take, and for ranges without a number of trials.
        ResultsError
            When an input is missing; the hint names the verb that makes it.
        RunFailedError
            When every trial failed.
        """
        given = {"space": dict(space) if space else None, "trials": trials, "resume": resume}
        config = self.with_arguments("sweep", given)
        begun = _unfinished_sweep(config)
        if begun is not None:
            config = _config_to_go_on_with(begun.path, config)
        return SweepResult(_sweep(config, begun))

    def plan(
        self,
        space: Mapping[str, Any] | None = None,
        trials: int | None = None,
        resume: str | Path | None = None,
    ) -> Answer:
        """Return what `run` would read and make; nothing is written."""
        given = {"space": dict(space) if space else None, "trials": trials, "resume": resume}
        config = self.with_arguments("sweep", given)
        refuse_resume(config, "sweep.resume")
        varied = read_space(config)
        count = config["sweep"]["trials"] or len(grid(varied))
        first = config.replace(_first_of(varied))
        refuse_wrong_names(first)
        data = data_at_hand(first)
        return plan_answer(
            {
                **planned_inputs(first, data),
                **{f"varied: {key}": _shown(domain) for key, domain in varied.items()},
            },
            in_results(
                config,
                "sweep",
                f"{TABLE_FILE}, {FIGURE_FILE}; {count} results of `train`, and the best again",
            ),
            training_time(first, data, count),
        )


def _unfinished_sweep(config: ConfigDict) -> OwnedRun | None:
    """Return the run that ``sweep.resume`` names, or None."""
    wanted = config["sweep"]["resume"]
    return None if wanted is False else unfinished(config, "sweep", str(wanted))


def _config_to_go_on_with(begun: Path, config: ConfigDict) -> ConfigDict:
    """Return the configuration that a sweep began with, with today's workers, tracker and number of trials.

    Raises
    ------
    ResultsError
        When its study is in a storage that today's configuration does not name.
    """
    today = [*_TODAY, *(f"mlflow.{key}" for key in config["mlflow"])]
    today += ["sweep.trials"] if ("sweep", "trials") in config.chosen else []
    began_with = load_result_config(begun / "runtime_config.toml")
    storage = began_with["sweep"]["storage"]
    if storage and storage != config["sweep"]["storage"]:
        raise ResultsError(
            f"{begun.name} keeps its study in {storage}, which your configuration does not name",
            hint=f"if it is yours, set sweep.storage={storage}",
        )
    return began_with.replace({key: config.lookup(key) for key in today})


def _sweep(config: ConfigDict, begun: OwnedRun | None) -> ResultDirectory:
    """Check everything, train the trials that are left, and write the result."""
    space = read_space(config)
    if config["sweep"]["trials"] is False:
        grid(space)  # refuses ranges
    else:
        require("optuna", "drawing trials (sweep.trials)")
    _warn_of_moving_scores(config, space)
    config, inputs = _with_inputs(config, space)
    from chemnet.sweeps.run_trials import run_trials, tracked
    from chemnet.training.loop.tracking import tracked_where_possible

    # a sweep that goes on is what one in one go would be
    config = tracked_where_possible(config.replace({"sweep.resume": False}))
    component = config["train"]["component"] or config["model"]["name"]
    with ResultWriter(config, "sweep", component, parents=inputs, resume=begun) as writer:
        try:
            with tracked(config, space, writer.path) as tracker:
                writer.keep_on_error = True
                records = run_trials(config, space, writer.path, tracker)
                writer.keep_on_error = False
                _finish(config, records, writer)
        except KeyboardInterrupt:
            _log.warning("interrupted; to resume:\n  chemnet sweep sweep.resume=latest")
            raise
    return writer.result


def _warn_of_moving_scores(config: ConfigDict, space: Space) -> None:
    """Warn when trials are ranked by a loss that means something else in each."""
    from chemnet.config.overrides import split_key

    monitor = config["sweep"]["monitor"] or config["train"]["monitor"]
    criteria = {"criterion", config["criterion"]["name"]}
    moving = [key for key in space if split_key(key)[0] in criteria]
    if moving and monitor.endswith("loss"):
        _log.warning(
            "%s changes what %s measures: trials cannot be ranked by it; set sweep.monitor=validate_mlae",
            moving[0],
            monitor,
        )


def _shown(domain: Choice | Range) -> str:
    """Return what is varied of a key, as people type it."""
    return ",".join(map(str, domain.values)) if isinstance(domain, Choice) else str(domain)


def _first_of(space: Space) -> dict[str, Any]:
    """Return the first alternative of each key."""
    return {key: domain.values[0] for key, domain in space.items() if isinstance(domain, Choice)}


def _with_inputs(config: ConfigDict, space: Space) -> tuple[ConfigDict, dict[str, ResultDirectory]]:
    """Return the configuration with the inputs that every trial uses, and those inputs."""
    first = _first_of(space)
    refuse_wrong_names(config.replace(first))
    inputs = find_inputs(config.replace(first))
    if "model.name" not in space:
        config, _ = settled(config, inputs["preprocess"])
    shared = {
        role: result
        for role, result in inputs.items()
        # other models may be fed otherwise: each trial then finds its own
        if f"train.{role}_dir" not in space and "model.name" not in space
    }
    return config.replace({f"train.{role}_dir": str(one.path) for role, one in shared.items()}), shared


def _finish(config: ConfigDict, records: list[TrialRecord], writer: ResultWriter) -> None:
    """Write table and figure, compare the best emulators, and leave the best component behind."""
    from chemnet.figure_style import save_figure
    from chemnet.plots.sweep_figures import draw_sweep
    from chemnet.sweeps.ranking import best_of, keep_best, ranked, trial_table
    from chemnet.sweeps.run_trials import monitor_of
    from chemnet.text_tables import markdown_table

    best, monitor = best_of(records), monitor_of(config)
    table = markdown_table(trial_table(records, monitor))
    (writer.path / TABLE_FILE).write_text("\n".join(table) + "\n", encoding="utf-8")
    figure = draw_sweep([one.to_dict() for one in ranked(records)], monitor)
    save_figure(figure, writer.path / FIGURE_FILE, config)
    compared = _compare(config, ranked(records))
    kept = keep_best(best, config["train"]["component"])
    for one in records:
        if one.result:
            writer.parents[f"trial_{one.number}"] = ResultDirectory.open(one.result)
    writer.parents["best"] = kept
    writer.summary |= {
        "monitor": monitor,
        "trials": len(records),
        **{state: sum(one.state == state for one in records) for state in ("pruned", "failed")},
        "best_trial": best.number,
        "best_score": best.score,
        "best_values": best.values,
        "best": kept.name,
        "compared": compared.name if compared else None,
    }


def _compare(config: ConfigDict, trials: Sequence[TrialRecord]) -> ResultDirectory | None:
    """Benchmark the best emulators and put them side by side; None where there are none or few."""
    scored = [
        one
        for one in trials
        if one.result and MODELS.get(_model_of(one, config)).role in ("emulator", "direct_emulator")
    ][: config["sweep"]["compare"]]
    if len(scored) < 2:
        return None
    # no solver: its speed is the same beside each
    solverless = {"benchmark.solver_tracers": 0, "benchmark.cost_tracers": 0}
    config = config.replace({**solverless, "benchmark.preprocess_dir": False})
    benchmarks = [
        VERBS.get("benchmark")(config.replace({"benchmark.surrogate": one.result})).run().path
        for one in scored
    ]
    return VERBS.get("compare")(config).run(results=benchmarks).directory


def _model_of(trial: TrialRecord, config: ConfigDict) -> str:
    return trial.values.get("model.name", config["model"]["name"])
