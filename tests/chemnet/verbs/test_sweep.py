"""`chemnet sweep`: one training per combination, the best one kept, nothing trained twice."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from command_line import chemnet
from trainings import failing_at, interrupt, same, train, weights_of
from workspace import make_workspace

from chemnet.config import load_config
from chemnet.errors import ConfigError, ResultsError, RunFailedError
from chemnet.results import ResultDirectory, list_results, resolve_input
from chemnet.results.unfinished_runs import list_partial
from chemnet.sweeps.study import Study
from chemnet.verbs.sweep import Sweep, SweepResult

GRID = {"optimizer.lr": [1e-2, 1e-4], "model.Autoencoder.latent_dim": [2, 3]}
# four steps an epoch, three epochs
STEPS_PER_TRIAL = 12


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no learning curves of single trials."""
    monkeypatch.setattr("chemnet.training.loop.train_component.write_curves", lambda *_: None)


def sweep(config: Any, **arguments: Any) -> SweepResult:
    return Sweep(config).run(**arguments)


def trained_in(results_dir: Path, status: str) -> list[ResultDirectory]:
    return [result for result in list_results(results_dir, "train") if result.status == status]


@pytest.fixture(scope="module")
def grid(tiny_preprocessed: ResultDirectory, tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """A finished sweep over four combinations; read it only."""
    workspace = make_workspace(tmp_path_factory.mktemp("grid"))
    shutil.copytree(tiny_preprocessed.path, workspace.results / tiny_preprocessed.name)
    return sweep(load_config([workspace.config]), space=GRID)


def test_every_combination_is_one_training_result(grid: SweepResult) -> None:
    trained = trained_in(grid.path.parent, "trial")
    recipes = {
        (one.config["optimizer"]["lr"], one.config["model"]["Autoencoder"]["latent_dim"]) for one in trained
    }
    assert recipes == {(lr, width) for lr in GRID["optimizer.lr"] for width in (2, 3)}
    assert len(trained) == 4
    assert {one.result for one in grid.trials} == {str(one.path) for one in trained}
    uid = grid.path.name.rpartition("-")[2]
    assert {one.component for one in trained} == {f"autoencoder-{uid}-{number}" for number in range(4)}


def test_trials_are_ranked_by_their_best_validation_figure(grid: SweepResult) -> None:
    scores = [one.score for one in grid.trials]
    assert scores == sorted(scores)
    for one in grid.trials:
        metrics = ResultDirectory.open(one.result).file("metrics.jsonl").read_text().splitlines()
        assert one.score == min(json.loads(line)["validate_loss"] for line in metrics)
    assert grid.summary["best_values"] == grid.trials[0].values
    table = (grid.path / "trials.md").read_text().splitlines()
    assert table[0].startswith("| trial | optimizer.lr | model.Autoencoder.latent_dim | validate_loss |")
    assert [int(line.split("|")[1]) for line in table[2:]] == [one.number for one in grid.trials]
    assert (grid.path / "sweep.png").stat().st_size > 10_000
    assert str(grid).count("\n") >= 8


def test_a_trial_is_the_training_with_its_values(grid: SweepResult, tiny: Any) -> None:
    best = grid.trials[0]
    alone = train(tiny(best.values))
    assert same(weights_of(alone), weights_of(grid.best))


def test_the_best_is_left_for_the_verbs_that_follow_and_the_other_trials_are_not(grid: SweepResult) -> None:
    config = load_config([grid.path.parents[1] / "tiny.toml"])
    found = resolve_input(config, "infer.model_dir", "train")
    assert found.path == grid.best.path
    assert (found.component, found.status) == ("autoencoder", "done")
    assert found.parent("preprocess").verb == "preprocess"
    assert found.summary == ResultDirectory.open(grid.trials[0].result).summary
    by_name = config.replace({"infer.model_dir": ResultDirectory.open(grid.trials[-1].result).component})
    assert str(resolve_input(by_name, "infer.model_dir", "train").path) == grid.trials[-1].result


def test_an_interrupted_sweep_goes_on_where_it_was(
    tiny: Any, results_dir: Path, grid: SweepResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # in the third epoch of the second trial
        failing_at(patch, STEPS_PER_TRIAL + 10, interrupt)
        with pytest.raises(KeyboardInterrupt):
            sweep(tiny(), space=GRID)
    assert len(list(list_partial(results_dir))) == 2
    steps = [0]
    with monkeypatch.context() as patch:
        failing_at(patch, 10**9, interrupt)
        count_steps(patch, steps)
        resumed = sweep(tiny(), resume="latest")
    assert steps[0] == 4 + 2 * STEPS_PER_TRIAL, "the last epoch of the second trial, and two whole trials"
    assert not list(list_partial(results_dir))
    assert [(one.values, one.score) for one in resumed.trials] == [
        (one.values, one.score) for one in grid.trials
    ]


def count_steps(monkeypatch: pytest.MonkeyPatch, steps: list[int]) -> None:
    """Count the training steps of autoencoders."""
    from chemnet.models.autoencoders.autoencoder import Autoencoder

    original = Autoencoder.train_batch

    def train_batch(self: Autoencoder, batch: Any) -> Any:
        steps[0] += self.training
        return original(self, batch)

    monkeypatch.setattr(Autoencoder, "train_batch", train_batch)


def test_a_trial_that_fails_costs_the_sweep_nothing(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, 2, lambda: float("nan"))
    result = sweep(tiny(), space={"optimizer.lr": [1e-2, 1e-3]})
    failed = result.trials[-1]
    assert (failed.number, failed.state) == (0, "failed")
    assert "loss is nan" in failed.reason
    assert result.summary["failed"] == 1
    assert result.summary["best_trial"] == 1
    assert len(trained_in(results_dir, "trial")) == 1


def test_a_sweep_of_failures_fails_and_leaves_nothing(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chemnet.models.autoencoders.autoencoder import Autoencoder

    monkeypatch.setattr(
        Autoencoder, "train_batch", lambda self, batch: (self.weights[0].sum() * float("nan"), {})
    )
    with pytest.raises(RunFailedError, match="all 2 trials failed"):
        sweep(tiny(), space={"optimizer.lr": [1e-2, 1e-3]})
    assert not trained_in(results_dir, "trial")
    assert not list(list_partial(results_dir))


def test_drawn_trials_learn_from_the_ones_before_and_are_kept_in_a_database(
    tiny: Any, results_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {"optimizer.lr": "log:1e-4..1e-1", "model.Autoencoder.hidden": [[16, 12], [8]]}
    options = {"sweep.startup_trials": 1, "sweep.warmup_epochs": 0, "train.epochs": 4}
    whole = sweep(tiny(options), space=space, trials=5)
    assert whole.summary["trials"] == 5
    assert whole.summary["pruned"] >= 1, "of five random rates one is hopeless"
    for one in whole.trials:
        assert 1e-4 <= one.values["optimizer.lr"] <= 1e-1
        assert (one.state == "pruned") == (one.epochs < 4)
    query = "select state, count(*) from trials group by state"
    with contextlib.closing(sqlite3.connect(whole.path / "study.db")) as study:
        states = dict(study.execute(query).fetchall())
    assert states == {"COMPLETE": 5 - whole.summary["pruned"], "PRUNED": whole.summary["pruned"]}
    with monkeypatch.context() as patch:
        failing_at(patch, 22, interrupt)  # in the second trial
        with pytest.raises(KeyboardInterrupt):
            sweep(tiny(options), space=space, trials=5)
    resumed = sweep(tiny(options), resume="latest")
    drawn = {json.dumps(one.values) for one in resumed.trials}
    assert drawn == {json.dumps(one.values) for one in whole.trials}
    assert len(trained_in(results_dir, "trial")) == 10


def test_a_worker_that_died_after_its_trial_is_asked_again_and_trains_nothing(tmp_path: Path) -> None:
    from chemnet.sweeps.search_space import Choice, Range

    space = {"a": Range(0.0, 1.0, False, False), "b": Choice(((1, 2), (3,)))}
    study = Study(f"sqlite:///{tmp_path / 'study.db'}", "name", space, seed=1)
    study.create()
    first = study.begin(0)
    study.end(first, "done", 1.0)
    broken_off = study.begin(1)
    study.close()
    elsewhere = Study(f"sqlite:///{tmp_path / 'study.db'}", "name", space, seed=1)
    assert elsewhere.begin(0) == first
    assert elsewhere.begin(1) == broken_off
    elsewhere.end(broken_off, "done", 2.0)
    assert elsewhere.begin(2) != broken_off
    elsewhere.close()


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({}, ConfigError, "varies nothing"),
        ({"space": {"optimizer.lr": "1e-4..1e-2"}}, ConfigError, "number of trials must be known"),
        ({"space": {"optimizer.lr": [1e-3]}, "trials": 0}, ConfigError, r"sweep\.trials = 0"),
        ({"resume": "absent"}, ResultsError, "no unfinished `sweep` called 'absent'"),
    ],
)
def test_wrong_use_is_told_before_anything_is_trained(
    tiny: Any, results_dir: Path, arguments: dict[str, Any], error: type[Exception], told: str
) -> None:
    before = sorted(results_dir.iterdir())
    with pytest.raises(error, match=told):
        sweep(tiny(), **arguments)
    assert sorted(results_dir.iterdir()) == before


def test_a_figure_that_no_training_has_stops_the_sweep(tiny: Any) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.monitor = 'validate_los' is no figure"):
        sweep(tiny({"sweep.monitor": "validate_los"}), space=GRID)


def test_ranking_by_a_loss_that_changes_is_warned_of(tiny: Any, caplog: pytest.LogCaptureFixture) -> None:
    key = "'chemnet.models.losses.ChemistryLoss'.power"
    space = {key: [10.0, 20.0]}
    sweep(tiny({"train.epochs": 1, "sweep.monitor": "validate_mlae"}), space=space)
    assert "cannot be ranked" not in caplog.text
    sweep(tiny({"train.epochs": 1}), space=space)
    assert "cannot be ranked" in caplog.text


def test_the_command_line_takes_alternatives_and_ranges(tiny: Any, results_dir: Path) -> None:
    folder = results_dir.parent
    words = ("-c", folder / "tiny.toml", "--json", "train.epochs=1")
    done = chemnet("sweep", *words, "optimizer.lr=1e-3,5e-4", "model.Autoencoder.latent_dim=2,3")
    assert done.code == 0, done.err
    assert done.answer["summary"]["trials"] == 4
    drawn = chemnet("sweep", *words, "--trials", "2", "model.Autoencoder.latent_dim=2..4")
    assert drawn.code == 0, drawn.err
    assert drawn.answer["summary"]["trials"] == 2
    refused = chemnet("sweep", *words, "optimizer.lr=1e-3,fast")
    assert refused.code == 2
    assert "one of the values of optimizer.lr" in refused.err


@pytest.mark.slow
def test_dask_workers_train_and_score_the_same(tiny: Any, results_dir: Path) -> None:
    emulator = {"model.name": "DirectEmulator", "train.component": "direct", "sweep.compare": 2}
    local = {"general.dask": "local", "general.dask_workers": 2}
    space = {"optimizer.lr": [1e-2, 1e-3]}
    here = sweep(tiny({**emulator, "sweep.compare": 0}), space=space)
    there = sweep(tiny({**emulator, **local}), space=space)
    assert [one.score for one in there.trials] == [one.score for one in here.trials]
    assert len(list_results(results_dir, "benchmark")) == 2


@pytest.mark.slow
def test_the_best_emulators_are_benchmarked_and_compared(tiny: Any, results_dir: Path) -> None:
    emulator = tiny({"model.name": "DirectEmulator", "train.component": "direct", "sweep.compare": 2})
    result = sweep(emulator, space={"optimizer.lr": [1e-2, 1e-3, 1e-4]})
    (compared,) = list_results(results_dir, "compare")
    best = [ResultDirectory.open(one.result).component for one in result.trials[:2]]
    assert set(json.loads(compared.file("comparison.json").read_text())["values"]) == set(best)
    assert result.summary["compared"] == compared.name
    assert len(list_results(results_dir, "benchmark")) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_trials_are_runs_below_the_sweeps_own(tiny: Any, results_dir: Path) -> None:
    from chemnet.training.loop.tracking import STORE_FILE

    config = tiny({"mlflow.enabled": True, "train.experiment_name": "sweeps", "train.epochs": 1})
    result = sweep(config, space={"optimizer.lr": [1e-2, 1e-3]})
    with contextlib.closing(sqlite3.connect(results_dir / STORE_FILE)) as store:
        runs = dict(store.execute("select name, run_uuid from runs where status = 'FINISHED'").fetchall())
        query = "select run_uuid, value from tags where key = 'mlflow.parentRunId'"
        parents = dict(store.execute(query).fetchall())
        query = "select value from metrics where run_uuid = ? and key = 'validate_loss' order by step"
        prefix = f"autoencoder-{result.path.name.rpartition('-')[2]}"
        scores = [score for (score,) in store.execute(query, [runs[prefix]]).fetchall()]
    assert set(runs) == {prefix, f"{prefix}-0", f"{prefix}-1"}
    assert parents == {runs[f"{prefix}-{number}"]: runs[prefix] for number in (0, 1)}
    assert scores == [one.score for one in sorted(result.trials, key=lambda one: one.number)]
