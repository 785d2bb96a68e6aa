"""`chemnet study`: the studies of the CODES benchmark, on any data set."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from chemnet.config import ConfigDict, load_result_config
from chemnet.errors import ConfigError
from chemnet.progress import get_logger
from chemnet.registry import MODELS, chem_verb
from chemnet.results import Answer, ResultDirectory, ResultWriter, VerbResult
from chemnet.results.unfinished_runs import OwnedRun, unfinished
from chemnet.verbs.dry_run import in_results, plan_answer, refuse_resume
from chemnet.verbs.train import (
    Train,
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

    from chemnet.studies.trainings import StudyPlan, TrainingRecord

STUDIES_FILE, TABLES_FILE = "studies.json", "tables.md"
UNCERTAINTY = "uncertainty"
# of an unfinished study that goes on, these are today's
_TODAY = ("general.device", "general.threads", "general.dask", "general.dask_workers")
_log = get_logger(__name__)


class StudyResult(VerbResult):
    """Finished studies."""

    verb = "study"

    @cached_property
    def content(self) -> dict[str, Any]:
        """All figures: `name`, `settings`, `main`, and by study the trainings or the ensemble."""
        return json.loads(self.directory.file(STUDIES_FILE).read_text(encoding="utf-8"))

    def plot(self, study: str | None = None) -> Figure:
        """Draw one of the studies; the first by default."""
        wanted = next(iter(self.content["studies"]), "") if study is None else study
        if wanted not in self.content["studies"]:
            raise ConfigError(
                f"there is no study {wanted!r} here", hint=f"there are: {', '.join(self.content['studies'])}"
            )
        return _drawn(wanted, self.content)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {**super().to_dict(), "studies": str(self.path / STUDIES_FILE)}

    def __str__(self) -> str:
        from chemnet.text_tables import aligned

        parts = [
            [title, *aligned(table), *(f"  {line}" for line in _failures(title, self.content)), ""]
            for title, table in _tables(self.content).items()
        ]
        return "\n".join([line for part in parts for line in part] + [super().__str__()])


@chem_verb
class Study(Verb[StudyResult]):
    """Train a model on less than everything, in other batches and several times, and score each training."""

    cli_name = "study"
    description = (
        "CODES' studies of a model: interpolation, extrapolation, sparse data, batch size, uncertainty"
    )
    inputs: ClassVar = Train.inputs
    tables = ("study", *Train.tables, "benchmark")
    examples = (
        "chemnet study model.name=emulator                # all five",
        "chemnet study interpolation sparse study.factors=[2,4]",
        "chemnet study study.resume=latest",
    )

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take the studies as bare words."""
        parser.add_argument("studies", nargs="*", metavar="STUDY", help="the studies; win over study.studies")

    def run(self, studies: Sequence[str] | None = None, resume: str | Path | None = None) -> StudyResult:
        """Train, score and write the tables; each argument wins over the key of its name in ``[study]``.

        Parameters
        ----------
        studies
            ``"interpolation"``, ``"extrapolation"``, ``"sparse"``, ``"batch_size"``, ``"uncertainty"``.
        resume
            An unfinished study to resume: ``"latest"``, a path or a name.

        Raises
        ------
        ConfigError
            For an unknown study, values that leave nothing to train on, or a model that is no emulator.
        ResultsError
            When an input is missing; the hint names the verb that makes it.
        RunFailedError
            When the training on everything failed.
        """
        config = self.with_arguments(
            "study", {"studies": list(studies) if studies else None, "resume": resume}
        )
        begun = _unfinished_study(config)
        if begun is not None:
            keys = [*_TODAY, *(f"mlflow.{key}" for key in config["mlflow"])]
            today = {key: config.lookup(key) for key in keys}
            config = load_result_config(begun.path / "runtime_config.toml").replace(today)
        return StudyResult(_study(config, begun))

    def plan(self, studies: Sequence[str] | None = None, resume: str | Path | None = None) -> Answer:
        """Return what `run` would read and make; nothing is written."""
        given = {"studies": list(studies) if studies else None, "resume": resume}
        config = self.with_arguments("study", given)
        refuse_resume(config, "study.resume")
        refuse_wrong_names(config)
        data, names = data_at_hand(config), ", ".join(config["study"]["studies"])
        return plan_answer(
            planned_inputs(config, data),
            in_results(config, "study", f"{STUDIES_FILE}, {TABLES_FILE} and pictures of {names}"),
            f"several trainings for each study, of which one takes: {training_time(config, data, 1)}",
        )


def _unfinished_study(config: ConfigDict) -> OwnedRun | None:
    """Return the run that ``study.resume`` names, or None."""
    wanted = config["study"]["resume"]
    return None if wanted is False else unfinished(config, "study", str(wanted))


def _study(config: ConfigDict, begun: OwnedRun | None) -> ResultDirectory:
    """Check everything, train what is left, and write the result."""
    if config["train"]["start_from"] is not False:
        raise ConfigError(
            "train.start_from is set, and a study tells what a training from nothing makes of less data",
            hint="leave train.start_from out",
        )
    refuse_wrong_names(config)
    inputs = find_inputs(config)
    config, _ = settled(config, inputs["preprocess"])
    _check_model(config)
    from chemnet.data.preprocessed import PreprocessedData
    from chemnet.studies.trainings import StudyPlan, run_trainings
    from chemnet.studies.variants import variants
    from chemnet.training.loop.tracking import tracked_where_possible

    data = PreprocessedData(inputs["preprocess"])
    batch_size = _batch_size(config, inputs["preprocess"])
    wanted = variants(config, data, batch_size)
    used = {f"train.{role}_dir": str(one.path) for role, one in inputs.items()}
    config = tracked_where_possible(config.replace({**used, "study.resume": False, "train.resume": False}))
    component = config["train"]["component"] or config["model"]["name"].rpartition(".")[2]
    with ResultWriter(config, "study", component, parents=inputs, resume=begun) as writer:
        prefix = f"{component}-{writer.path.name.rpartition('-')[2]}"
        autoencoder = str(inputs["autoencoder"].path) if "autoencoder" in inputs else None
        plan = StudyPlan(config, prefix, batch_size, str(data.path), autoencoder)
        try:
            writer.keep_on_error = True
            records = run_trainings(plan, wanted, writer.path)
            _finish(plan, records, writer)
        except KeyboardInterrupt:
            _log.warning("interrupted; to resume:\n  chemnet study study.resume=latest")
            raise
    return writer.result


def _check_model(config: ConfigDict) -> None:
    """Refuse a model that advances nothing; warn of one that does not look at the length of a step."""
    name = config["model"]["name"]
    if MODELS.get(name).role not in ("emulator", "direct_emulator"):
        raise ConfigError(
            f"model.name = {name!r} is no emulator: a study scores predictions along tracers",
            hint="model.name=emulator takes the one that suits the data",
        )
    from chemnet.models.contract import member_tables, own_table

    for table in (own_table(config, name), *member_tables(config, name).values()):
        if "interpolation" in config["study"]["studies"] and table.get("use_dt") is False:
            _log.warning(
                "%s takes every time step for the usual one (use_dt = false), and the interpolation study "
                "trains it on longer steps than it is scored on: set use_dt = true",
                name,
            )


def _batch_size(config: ConfigDict, data: ResultDirectory) -> int:
    """Return the rows or windows per step of the training on everything: no more than there are."""
    from chemnet.training.feeds.split_feeds import training_data

    table, feed = config["train"], MODELS.get(config["model"]["name"]).feed
    split = training_data(data, config).split("train")
    n_items = len(split.window_start) if feed == "windows" else split.n_rows
    return min(table["batch_size"] or table[f"{feed}_per_batch"], n_items)


def _finish(plan: StudyPlan, records: Sequence[TrainingRecord], writer: ResultWriter) -> None:
    """Judge the ensemble, and write figures, tables and pictures."""
    from dataclasses import asdict

    from chemnet.figure_style import save_figure
    from chemnet.studies.tables import write_csv
    from chemnet.text_tables import markdown_table

    content = _content(plan, [asdict(one) for one in records])
    (writer.path / STUDIES_FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")
    lines = [
        line
        for title, table in _tables(content).items()
        for line in [f"## {title}", "", *markdown_table(table), "", *_failures(title, content), ""]
    ]
    (writer.path / TABLES_FILE).write_text("\n".join(lines), encoding="utf-8")
    for study in content["studies"]:
        of_study = [asdict(one) for one in records if one.study == study]
        write_csv(writer.path / f"{study}.csv", [content["main"], *of_study])
        save_figure(_drawn(study, content), writer.path / f"{study}.png", writer.config)
    for one in records:
        if one.result:
            writer.parents[f"{one.study}_{one.value}"] = ResultDirectory.open(one.result)
    writer.summary |= {
        "studies": ", ".join(content["studies"]),
        "trainings": len(records),
        "failed": sum(one.state == "failed" for one in records),
        "mlae": content["main"]["errors"]["mlae"],
        "lae99": content["main"]["errors"]["lae99"],
    }


def _content(plan: StudyPlan, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what `studies.json` holds."""
    from chemnet.studies.trainings import judge_ensemble

    main, table = records[0], plan.config["benchmark"]
    found: dict[str, Any] = {}
    for study in dict.fromkeys(plan.config["study"]["studies"]):
        of_study = [one for one in records if one["study"] == study]
        if study == UNCERTAINTY:
            members = [one["result"] for one in (main, *of_study) if one["state"] == "done"]
            if len(members) > 1:
                found[study] = judge_ensemble(plan, members)
            else:
                _log.warning("no ensemble of one member: the other trainings of '%s' failed", study)
        else:
            found[study] = sorted([_as_value(main, study, plan), *of_study], key=lambda one: one["value"])
    return {
        "name": plan.config["model"]["name"],
        "settings": {
            "floor": table["floor"],
            "relative_threshold": plan.config["study"]["relative_threshold"],
            "preprocess": Path(plan.preprocess).name,
        },
        "main": main,
        "studies": found,
    }


def _as_value(main: dict[str, Any], study: str, plan: StudyPlan) -> dict[str, Any]:
    """Return the training on everything as one of a study's, with the value that it stands for there."""
    if study == "extrapolation":
        return {**main, "value": len(main["errors"]["by_step"]) + 1}
    return {**main, "value": plan.batch_size if study == "batch_size" else 1}


def _tables(content: dict[str, Any]) -> dict[str, list[list[str]]]:
    """Return the tables by title."""
    from chemnet.studies.tables import accuracy_table, ensemble_table, study_table

    main, name = content["main"], content["name"]
    tables = {"accuracy": accuracy_table(main, name)}
    for study, found in content["studies"].items():
        of_ensemble = study == UNCERTAINTY
        tables[study] = ensemble_table(found, main, name) if of_ensemble else study_table(study, found)
    return tables


def _failures(title: str, content: dict[str, Any]) -> list[str]:
    """Return a line for each training of a study that failed."""
    from chemnet.studies.tables import failures

    found = content["studies"].get(title, [])
    return failures(found) if isinstance(found, list) else []


def _drawn(study: str, content: dict[str, Any]) -> Figure:
    """Return the picture of a study."""
    from chemnet.plots.study_figures import draw_ensemble, draw_study
    from chemnet.studies.tables import VARIED

    found = content["studies"][study]
    if study == UNCERTAINTY:
        return draw_ensemble(found)
    return draw_study(study, VARIED[study], [one for one in found if one["state"] == "done"])
