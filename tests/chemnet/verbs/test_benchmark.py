"""`chemnet benchmark` and `chemnet compare` on made tracers: whole reports, honest figures."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from workspace import TINY, Workspace, make_workspace

from chemnet.config import load_config
from chemnet.data.preprocessed import PreprocessedData
from chemnet.evaluation.score_tracers import Judge, Options
from chemnet.evaluation.scored_data import data_for, surrogate_to_score
from chemnet.plots.benchmark_report import as_html, as_markdown, as_text
from chemnet.results import VerbResult

FIGURES = (
    "conservation.png",
    "error_against_cost.png",
    "error_by_step.png",
    "error_map.png",
    "long_rollout.png",
    "risk_coverage.png",
    "trajectories.png",
    "worst_species.png",
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Made tracers, an autoencoder and an emulator of one epoch, and a benchmark."""
    made = make_workspace(tmp_path_factory.mktemp("benchmark"))
    made.result("preprocess")
    made.result("train", "train.epochs=1")
    made.result("train", "train.epochs=1", 'model.name="LatentEmulator"', 'train.component="emulator"')
    return made


@pytest.fixture(scope="module")
def result(workspace: Workspace) -> VerbResult:
    return VerbResult.load(workspace.result("benchmark"))


def test_it_writes_the_whole_report(result):
    written = {"metrics.json", "report.md", "report.html", "result.toml", "runtime_config.toml", "log.txt"}
    expected = {*FIGURES, *written}
    assert {path.name for path in result.path.iterdir()} == expected
    assert result.summary["surrogate"] == "emulator"
    assert set(result.directory.parents) == {"preprocess", "train"}


def test_every_way_to_predict_is_scored_against_the_raw_truth(result):
    scores = result.metrics["scores"]
    assert list(scores) == [
        "rollout",
        "rollout_unconserved",
        "one_step",
        "reconstruction",
        "pca",
        "nearest_neighbour",
        "persistence",
        "one_step_persistence",
        "truth",
    ]
    assert scores["truth"]["mlae"] == 0.0
    assert scores["rollout"]["element_drift"] <= 1e-6 < scores["rollout_unconserved"]["element_drift"]
    assert scores["one_step_persistence"]["mlae"] < scores["persistence"]["mlae"]
    assert list(scores["rollout"]["at_step"]) == ["1", "10", "29"]


def test_persistence_is_what_the_raw_data_say(result):
    from chemnet.data.preprocessed import PreprocessedData

    test = PreprocessedData(result.directory.parent("preprocess")).split("test")
    logs = np.log10(np.clip(test.raw_abundance(), 1e-20, 1.0)).reshape(len(test.tracer_ids), 30, -1)
    expected = np.abs(logs[:, 1:] - logs[:, :1]).mean()
    assert result.metrics["scores"]["persistence"]["mlae"] == pytest.approx(expected)


def test_it_says_what_trust_is_worth_and_how_a_long_rollout_fares(result):
    trust, endurance = result.metrics["trust"], result.metrics["long_rollout"]
    rollout = result.metrics["scores"]["rollout"]
    assert trust["at_coverage"]["1"]["mlae"] == pytest.approx(rollout["mlae"], rel=1e-3)
    assert trust["at_coverage"]["1"]["lae99"] == pytest.approx(rollout["lae99"], rel=1e-3)
    assert len(trust["coverage"]) == len(trust["lae99"]) == len(trust["oracle_lae99"])
    assert endurance["steps"] == 10 * 29
    assert endurance["element_drift"] <= 1e-6
    for text in (str(result), (result.path / "report.md").read_text(encoding="utf-8")):
        assert "the best 80 %" in text
        assert "Ten times as long as the tracers" in text


def test_states_outside_the_trained_ranges_have_a_row_of_their_own(result):
    outside = {"states": 1234, "found": 2.5}
    metrics = {**result.metrics, "trust": {**result.metrics["trust"], "outside": outside}}
    for report in (as_text(metrics), as_markdown(metrics, []), as_html(metrics, result.path, [])):
        assert re.search(r"outside the trained ranges: 1,234 states\W+(td\W+)*2\.500", report)
    assert "outside the trained ranges" not in as_text(
        {**metrics, "trust": {**metrics["trust"], "outside": {"states": 0, "found": 0.0}}}
    )


def test_without_a_network_it_says_so_and_times_the_surrogate_alone(result):
    speed = result.metrics["speed"]
    assert "no network at hand" in speed["note"]
    assert speed["surrogate_1_core"] > 0
    assert "solver_1_core" not in speed


def test_the_page_needs_no_other_file(result):
    page = result.report.read_text(encoding="utf-8")
    assert len(re.findall(r'src="data:image/png;base64,', page)) == len(FIGURES)
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    for name in re.findall(r"\]\((\w+\.png)\)", (result.path / "report.md").read_text(encoding="utf-8")):
        assert (result.path / name).is_file()


def test_it_prints_and_draws_itself(result):
    text = str(result)
    assert "surrogate, full rollout" in text
    assert f"{result.metrics['scores']['rollout']['mlae']:.3f}" in text
    assert result.plot().axes


def test_a_saved_surrogate_scores_as_the_results_that_it_was_made_of(workspace, result, tmp_path):
    import chemnet

    emulator = result.directory.parent("train")
    saved = chemnet.Surrogate.load(emulator.path).save(tmp_path / "saved")
    again = VerbResult.load(workspace.result("benchmark", f"benchmark.surrogate={saved}"))
    assert again.metrics["scores"]["rollout"] == result.metrics["scores"]["rollout"]


def test_a_new_split_of_the_training_tracers_is_called_dishonest(workspace, result, tmp_path):
    import chemnet

    saved = chemnet.Surrogate.load(result.directory.parent("train").path).save(tmp_path / "saved")
    other = Workspace(tmp_path / "other")
    other.folder.mkdir()
    (other.folder / "tiny.toml").write_text(TINY, encoding="utf-8")
    shutil.copy(workspace.folder / "tracers.h5", other.folder / "tracers.h5")
    other.result("preprocess", "general.seed=5")
    outcome = other.run("benchmark", f"benchmark.surrogate={saved}")
    assert outcome.code == 0, outcome.err
    assert "is not an independent test" in outcome.err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("benchmark.surrogate=nothing", "no surrogate is called 'nothing'"),
        ("benchmark.species=['H2O2']", "the surrogate has no species 'H2O2'"),
        ("benchmark.split=tets", "one of 'test', 'validate', 'train'"),
        ("surrogate.emulator=autoencoder", "is not a trained emulator"),
    ],
)
def test_wrong_use_is_explained_and_leaves_no_result(workspace, result, word, message):
    before = workspace.made
    outcome = workspace.run("benchmark", word)
    assert outcome.code == 2
    assert message in outcome.err
    assert workspace.made == before


def test_an_unknown_species_is_refused_before_anything_is_scored(workspace, monkeypatch):
    def score(*arguments: object) -> None:
        raise AssertionError("the evaluation was begun")

    monkeypatch.setattr("chemnet.evaluation.score_split.evaluate", score)
    outcome = workspace.run("benchmark", "benchmark.species=['XX']")
    assert outcome.code == 2
    assert "the surrogate has no species 'XX'" in outcome.err


def test_a_judge_that_is_sent_elsewhere_judges_the_same(workspace, result):
    config = load_config([workspace.config])
    surrogate = surrogate_to_score(config)
    data = PreprocessedData(data_for(config, surrogate))
    judge = Judge(surrogate, data, Options.of(config), config)
    one, other = (made.score(made.batches[0]) for made in (judge, pickle.loads(pickle.dumps(judge))))
    assert {name: score.to_dict() for name, score in one.scores.items()} == {
        name: score.to_dict() for name, score in other.scores.items()
    }
    assert one.risk.to_dict() == other.risk.to_dict()


def test_compare_puts_benchmarks_side_by_side(workspace, result):
    other = workspace.result("benchmark", "benchmark.neighbour_rows=50")
    compared = VerbResult.load(workspace.result("compare", str(result.path), other.name))
    assert set(compared.comparison.values) == {result.path.name, other.name}
    main, species, keys = (section.table for section in compared.comparison.sections)
    head, first, _ = main
    assert f"{result.metrics['scores']['rollout']['mlae']:.3f}" in first
    kept = result.metrics["trust"]["at_coverage"]
    assert head[-1] == "LAE99 of the trusted 80 %, beside all"
    assert float(first[-1]) == pytest.approx(kept["0.8"]["lae99"] / kept["1"]["lae99"], abs=0.006)
    # one surrogate on one split: only a rival has changed
    assert {row[-1] for row in species[1:]} == {"0.000"}
    assert "benchmark.neighbour_rows" in str(keys)
    assert (compared.path / "comparison.png").is_file()


def test_compare_refuses_one_result_and_results_of_different_tracers(workspace, result):
    outcome = workspace.run("compare", str(result.path))
    assert outcome.code == 2
    assert "takes two or more" in outcome.err
    validated = workspace.result("benchmark", "benchmark.split=validate")
    outcome = workspace.run("compare", str(result.path), str(validated))
    assert outcome.code == 2
    assert "scored on different tracers" in outcome.err


def test_the_metrics_are_plain_json(result):
    def fail(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    text = Path(result.path / "metrics.json").read_text(encoding="utf-8")
    assert "rollout" in json.loads(text, parse_constant=fail)["scores"]


# last: it leaves a newer emulator behind
def test_an_ensemble_is_trained_saved_and_scored_like_any_emulator(workspace, result, tmp_path):
    import chemnet

    trained = workspace.result(
        "train", "train.epochs=1", "model.name=LatentEnsemble", "model.LatentEnsemble.size=2",
        "train.component=ensemble", "model.LatentEmulator.hidden=[8]",
    )  # fmt: skip
    saved = chemnet.Surrogate.load(trained).save(tmp_path / "ensemble")
    measured = VerbResult.load(workspace.result("benchmark", f"benchmark.surrogate={saved}")).metrics
    assert measured["surrogate"]["latents"] == 3
    assert measured["surrogate"]["members"] == 2
    assert measured["scores"]["rollout"]["element_drift"] <= 1e-6
