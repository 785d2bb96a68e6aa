"""`chemnet study`: each training once, judged on the same whole tracers, in the tables of CODES."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import chemnet
from made_tracers import make_tracers, write_uclchem_table
from trainings import train
from workspace import make_workspace

from chemnet.config import load_config
from chemnet.data.preprocessed import PreprocessedData
from chemnet.errors import ChemNetError, ConfigError, RunFailedError
from chemnet.evaluation.score_split import evaluate
from chemnet.models.emulators.emulator import Emulator
from chemnet.results import ResultDirectory, VerbResult, list_results, resolve_input
from chemnet.results.unfinished_runs import list_partial
from chemnet.verbs.study import Study, StudyResult

DIRECT = {
    "model.name": "DirectRelaxation",
    "model.DirectRelaxation.hidden": [8],
    "model.DirectRelaxation.use_dt": True,
    "train.component": "direct",
    "train.epochs": 1,
}
FEW = {
    "study.intervals": [4],
    "study.cutoffs": [0.5],
    "study.factors": [3],
    "study.batch_factors": [0.5],
    "study.ensemble_size": 2,
}


@pytest.fixture(autouse=True)
def _undrawn(undrawn: None) -> None:
    """Draw no learning curves."""


def study(config: Any, **arguments: Any) -> StudyResult:
    return Study(config).run(**arguments)


@pytest.fixture(scope="module")
def finished(tiny_preprocessed: ResultDirectory, tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """All five studies, one training each, and that on everything; read it only."""
    workspace = make_workspace(tmp_path_factory.mktemp("study"))
    shutil.copytree(tiny_preprocessed.path, workspace.results / tiny_preprocessed.name)
    return study(load_config([workspace.config]).replace({**DIRECT, **FEW}))


def records_of(result: StudyResult) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result.path / "trainings.jsonl").read_text().splitlines()]


def test_each_training_saw_what_its_study_says(finished: StudyResult) -> None:
    seen = {one["study"]: (one["tracers"], one["rows"]) for one in records_of(finished)}
    assert seen == {
        "main": (7, 7 * 30),
        "interpolation": (7, 7 * 8),
        "extrapolation": (7, 7 * 15),
        "sparse": (3, 3 * 30),
        "batch_size": (7, 7 * 30),
        "uncertainty": (7, 7 * 30),
    }
    recipes = {one["study"]: ResultDirectory.open(one["result"]).config for one in records_of(finished)}
    # half of the 21 windows that there are, not of the 64 that a batch might hold
    assert recipes["batch_size"]["train"]["batch_size"] == 10
    assert recipes["uncertainty"]["general"]["seed"] == 43
    assert recipes["sparse"]["general"]["seed"] == 42


def test_all_are_scored_on_the_same_whole_tracers_as_benchmark_scores(finished: StudyResult) -> None:
    from chemnet.evaluation.score_tracers import Judge, Options
    from chemnet.evaluation.scored_data import surrogate_to_score
    from chemnet.workers import ThisThread

    thinned = next(one for one in records_of(finished) if one["study"] == "interpolation")
    config = finished.directory.config.replace({"benchmark.surrogate": thinned["result"]})
    whole = PreprocessedData(finished.directory.parent("preprocess"))
    judge = Judge(surrogate_to_score(config), whole, Options.of(config), config)
    with ThisThread() as workers:
        scores = evaluate(judge, workers).scores["rollout"].to_dict()
    assert thinned["errors"]["mlae"] == pytest.approx(scores["mlae"], rel=1e-9)
    assert thinned["errors"]["lae99"] == pytest.approx(scores["lae99"], rel=1e-9)
    assert thinned["errors"]["by_step"] == pytest.approx(scores["by_step"]["mlae"], rel=1e-9)


def test_the_training_on_everything_is_the_plain_one(finished: StudyResult, tiny: Any) -> None:
    alone = train(tiny(DIRECT))
    main = ResultDirectory.open(finished.content["main"]["result"])
    assert main.summary["validate_loss"] == alone.summary["validate_loss"]


def test_tables_pictures_and_figures_are_left(finished: StudyResult) -> None:
    for name in ("interpolation", "extrapolation", "sparse", "batch_size", "uncertainty"):
        assert (finished.path / f"{name}.png").stat().st_size > 10_000
        with (finished.path / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["study"] for row in rows] == ["main", name]
        assert float(rows[1]["mlae"]) > 0.0
    told = str(finished)
    for words in (
        "MAE (log), mLAE [dex]",
        "99th Perc. AE (log), LAE99 [dex]",
        "MRE [%]",
        "every n-th row",
        "UQ-Error PCC",
    ):
        assert words in told
    assert "## sparse" in (finished.path / "tables.md").read_text()
    ensemble = finished.content["studies"]["uncertainty"]
    assert (ensemble["members"], ensemble["uncertainty"] > 0.0) == (2, True)
    assert [one["value"] for one in finished.content["studies"]["extrapolation"]] == [15, 30]
    assert finished.plot("sparse").axes
    assert finished.plot("uncertainty").axes
    assert isinstance(VerbResult.load(finished.path), StudyResult)


def test_no_other_verb_takes_its_parts_unasked(finished: StudyResult) -> None:
    results = list_results(finished.path.parent)
    assert {(one.verb, one.status) for one in results} == {
        ("preprocess", "done"), ("preprocess", "trial"), ("train", "trial"), ("study", "done")
    }  # fmt: skip
    config = load_config([finished.path.parents[1] / "tiny.toml"])
    whole = finished.directory.parent("preprocess")
    assert resolve_input(config, "train.preprocess_dir", "preprocess").path == whole.path
    outcome = chemnet("results", f"general.results_dir={finished.path.parent}")
    assert "study" in outcome.out


def failing_at(monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException) -> list[int]:
    """Let the emulator's training step number `step`, counted from 1, fail; count all of them."""
    steps, original = [0], Emulator.train_batch

    def train_batch(self: Any, batch: Any) -> Any:
        steps[0] += self.training
        if self.training and steps[0] == step:
            raise error
        return original(self, batch)

    monkeypatch.setattr(Emulator, "train_batch", train_batch)
    return steps


def test_an_interrupted_study_goes_on_where_it_was(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny({**DIRECT, **FEW, "study.studies": ["sparse", "uncertainty"], "train.epochs": 2})
    with monkeypatch.context() as patch:
        whole = failing_at(patch, 0, KeyboardInterrupt())
        undisturbed = study(config)
    wanted = records_of(undisturbed), undisturbed.content
    with monkeypatch.context() as patch:
        # in the last epoch of the last training
        failing_at(patch, whole[0], KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            study(config)
    assert len(list(list_partial(results_dir))) == 2
    with monkeypatch.context() as patch:
        again = failing_at(patch, 0, KeyboardInterrupt())
        resumed = study(tiny(), resume="latest")
    assert 0 < again[0] < whole[0] / 4, "the last epoch alone, of three trainings of two epochs each"
    assert not list(list_partial(results_dir))
    assert [one["errors"] for one in records_of(resumed)] == [one["errors"] for one in wanted[0]]
    assert resumed.content["studies"]["uncertainty"] == wanted[1]["studies"]["uncertainty"]


def test_an_emulator_of_latents_brings_an_autoencoder_of_the_same_thinned_tracers(
    tiny: Any, results_dir: Path
) -> None:
    train(tiny({"train.epochs": 1}))
    emulator = {
        "model.name": "LatentEmulator",
        "model.LatentEmulator.use_dt": True,
        "train.component": "emulator",
    }
    result = study(tiny({**emulator, **FEW, "train.epochs": 1, "study.studies": ["sparse", "batch_size"]}))
    by_study = {one["study"]: ResultDirectory.open(one["result"]) for one in records_of(result)}
    sparse = by_study["sparse"]
    assert sparse.parent("autoencoder").parent("preprocess").path == sparse.parent("preprocess").path
    assert sparse.parent("autoencoder").status == "trial"
    whole = {by_study[name].parent("autoencoder").path for name in ("main", "batch_size")}
    assert whole == {list_results(results_dir, "train")[0].path}


def test_a_training_that_fails_costs_the_study_nothing(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny({**DIRECT, **FEW, "study.studies": ["batch_size"]})
    with monkeypatch.context() as patch:
        steps = failing_at(patch, 0, KeyboardInterrupt())
        train(config)
    failing_at(monkeypatch, steps[0] + 1, RunFailedError("the loss is nan"))
    result = study(config)
    assert result.summary["failed"] == 1
    assert "the loss is nan" in str(result)
    assert result.plot("batch_size").axes


def test_without_the_training_on_everything_there_is_no_study(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        steps = failing_at(patch, 1, RunFailedError("the loss is nan"))
        with pytest.raises(RunFailedError, match="the training on everything failed: the loss is nan"):
            study(tiny({**DIRECT, **FEW, "study.studies": ["batch_size"]}))
    assert steps[0] == 1, "the others were not even tried"
    assert study(tiny(), resume="latest").summary["failed"] == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model.name": "Autoencoder"}, "is no emulator"),
        ({"train.start_from": "uclchem"}, "train.start_from is set"),
        ({"study.studies": ["sparsity"]}, "no study is called 'sparsity'"),
        ({"study.resume": "latest"}, "no unfinished `study`"),
    ],
)
def test_wrong_words_are_told_before_anything_is_trained(
    changes: dict[str, Any], told: str, tiny: Any, results_dir: Path
) -> None:
    with pytest.raises(ChemNetError, match=told):
        study(tiny({**DIRECT, **changes}))
    assert {one.verb for one in list_results(results_dir)} == {"preprocess"}


def test_tracers_that_changed_since_they_were_preprocessed_are_refused(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "changed")
    workspace.result("preprocess")
    write_uclchem_table(workspace.folder / "tracers.h5", make_tracers(seed=5))
    config = load_config([workspace.config]).replace({**DIRECT, **FEW, "study.studies": ["sparse"]})
    result = study(config)
    assert result.content["studies"]["sparse"][-1]["state"] == "failed"
    assert "the tracers have changed" in str(result)


def test_a_study_by_bare_words(tiny: Any, results_dir: Path) -> None:
    with pytest.raises(ConfigError, match="no study is called 'nothing'"):
        study(tiny(DIRECT), studies=["nothing"])
