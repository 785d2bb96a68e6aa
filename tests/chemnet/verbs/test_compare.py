"""`chemnet compare`: results of one verb side by side, whatever the verb; what cannot be matched is said."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from command_line import chemnet
from trainings import train
from workspace import Workspace, make_workspace

from chemnet.chemistry.tracers import generate_tracers
from chemnet.config import ConfigDict, load_config
from chemnet.data.simulated_set import SimulatedWriter
from chemnet.errors import ResultsError
from chemnet.evaluation.comparisons.changed_keys import RECIPE, changed_keys, keys_table
from chemnet.results import ResultDirectory, ResultWriter, VerbResult
from chemnet.verbs.compare import Compare, CompareResult
from chemnet.verbs.sweep import Sweep

SPECIES = ("H2", "CO", "#CO", "HCO+")
RATES = (1e-2, 1e-4, 3e-3)


@pytest.fixture(scope="module")
def workspace(tiny_preprocessed: ResultDirectory, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A folder with a preprocess result."""
    made = make_workspace(tmp_path_factory.mktemp("compare"))
    shutil.copytree(tiny_preprocessed.path, made.results / tiny_preprocessed.name)
    return made


@pytest.fixture(scope="module")
def trainings(workspace: Workspace) -> list[str]:
    """Names of three trainings that differ in their rate alone."""
    config = load_config([workspace.config])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chemnet.training.loop.train_component.write_curves", lambda *_: None)
        return [train(config.replace({"optimizer.lr": rate})).path.name for rate in RATES]


@pytest.fixture(scope="module")
def compared(workspace: Workspace, trainings: list[str]) -> CompareResult:
    """The trainings side by side."""
    return Compare(load_config([workspace.config])).run(trainings)


def test_trainings_are_ranked_by_what_they_reached(compared: CompareResult, workspace: Workspace) -> None:
    values = compared.comparison.values
    assert values["ranking"] == "validate_mlae"
    best = [one["best"]["validate_mlae"] for one in values["trainings"].values()]
    assert best == sorted(best)
    summaries = [ResultDirectory.open(workspace.results / name).summary for name in values["trainings"]]
    assert best == [one["validate_mlae"] for one in summaries]
    assert compared.summary["best"] == next(iter(values["trainings"]))


def test_only_the_keys_that_differ_are_told(compared: CompareResult, trainings: list[str]) -> None:
    assert compared.summary["changed_keys"] == ["optimizer.lr"]
    (table,) = [one.table for one in compared.comparison.sections if "apart" in one.title]
    assert {row[0]: float(row[1]) for row in table[1:]} == dict(zip(trainings, RATES, strict=True))


def test_curves_run_over_epochs_and_over_cpu_seconds(compared: CompareResult) -> None:
    values = compared.comparison.values
    assert values["clock"] == "CPU time [s]"
    for one in values["trainings"].values():
        assert one["curves"]["epoch"] == [1, 2, 3]
        assert one["seconds"] == sorted(one["seconds"])
    left, right = compared.plot().axes
    assert (left.get_xlabel(), right.get_xlabel()) == ("epoch", "CPU time [s]")
    assert len(left.lines) == len(right.lines) == 3


def test_trainings_without_cpu_time_are_timed_by_the_clock(
    workspace: Workspace, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from chemnet.evaluation.comparisons import trainings as module

    def older(path: Path) -> list[dict[str, float]]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [{key: value for key, value in json.loads(line).items() if key != "cpu_s"} for line in lines]

    monkeypatch.setattr(module, "read_records", older)
    found = {name: ResultDirectory.open(workspace.results / name) for name in trainings}
    comparison = module.compare_trainings(found)
    assert comparison.values["clock"] == "wall time [s]"
    assert any("wall time" in note for note in comparison.notes)


def test_table_page_and_json_say_the_same(compared: CompareResult, trainings: list[str]) -> None:
    assert VerbResult.load(compared.path).comparison == compared.comparison
    page = compared.page.read_text(encoding="utf-8")
    told = compared.to_dict()["comparison"]["sections"][0]["table"]
    for text in (str(compared), page, (compared.path / "comparison.md").read_text(encoding="utf-8")):
        assert all(name in text for name in trainings)
        assert all(cell in text for cell in told[1])
    assert "data:image/png;base64," in page
    assert f"<title>Comparison of {' and '.join(compared.comparison.names)} of chemnet train</title>" in page
    assert not re.search(r"(?:src|href)=\"?https?:", page)


def test_a_comparison_of_an_older_chemnet_is_told_as_such(tmp_path: Path) -> None:
    with ResultWriter(load_config([]).replace({"general.results_dir": str(tmp_path)}), "compare") as writer:
        (writer.path / "comparison.json").write_text('{"emulator": {"scores": {}, "trust": null}}')
    with pytest.raises(ResultsError, match="made by an older chemnet"):
        str(VerbResult.load(writer.result.path))


def test_many_trainings_keep_colours_for_the_best(compared: CompareResult) -> None:
    from chemnet.plots.comparison_figures import draw_compared

    values = compared.comparison.values
    first = next(iter(values["trainings"].values()))
    many = {f"training {number}": first for number in range(12)}
    figure = draw_compared("train", {**values, "trainings": many})
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [*(f"training {number}" for number in range(7)), "5 others"]


def test_a_table_of_keys_has_as_few_columns_as_may_be() -> None:
    tall = keys_table({"a": [1, 2], "b": [1, None], "c": [[1], "x" * 50]}, ["one", "other"])
    assert tall[0] == ["key", "one", "other"]
    assert tall[2] == ["b", "1", "-"]
    assert len(tall[3][2]) == 32
    assert keys_table({"a": [1, 2, 3]}, ["x", "y", "z"])[0] == ["", "a"]


def made_result(digest: str, *behind: tuple[str, dict[str, Any]], lr: float = 1e-3) -> Any:
    """Return what `changed_keys` reads of a result and of what is behind its data."""
    config = {"optimizer": {"lr": lr}, "train": {"component": digest}, "general": {"seed": 1}}
    result = SimpleNamespace(verb="train", config=ConfigDict(config))
    result.parents = {"preprocess": SimpleNamespace(digest=digest)}
    ancestors = [
        SimpleNamespace(verb=verb, config=ConfigDict(one), keeps_config=True) for verb, one in behind
    ]
    result.lineage = lambda: [result, *ancestors]
    return result


def test_keys_behind_the_data_are_told_where_all_results_have_them() -> None:
    def prepared(window: int) -> tuple[str, dict[str, Any]]:
        return "preprocess", {"data_set": {"path": "x", "network": False}, "preprocess": {"window": window}}

    simulated = ("simulate", {"simulate": {"rtol": 1e-4, "families": {"static": 1.0}}})
    one, other = made_result("a", prepared(8), simulated), made_result("b", prepared(16), lr=1e-2)
    changed = changed_keys({"one": one, "other": other}, RECIPE)
    assert changed == {"optimizer.lr": [1e-3, 1e-2], "preprocess.window": [8, 16]}
    # the same data: what made them does not matter
    assert changed_keys({"one": one, "same": made_result("a", prepared(16))}, RECIPE) == {}


def test_a_component_means_its_newest_result_of_the_verb_of_the_others(
    workspace: Workspace, trainings: list[str]
) -> None:
    outcome = workspace.run("compare", trainings[0], "autoencoder")
    assert outcome.code == 0, outcome.err
    assert set(outcome.answer["comparison"]["values"]["trainings"]) == {trainings[0], trainings[-1]}


def test_sweeps_are_compared_by_their_best_trials(workspace: Workspace, tmp_path: Path) -> None:
    config = load_config([workspace.config]).replace(
        {"train.epochs": 1, "general.results_dir": str(tmp_path), "train.preprocess_dir": str(
            next(workspace.results.glob("*-preprocess-*")))}
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chemnet.training.loop.train_component.write_curves", lambda *_: None)
        swept = [
            Sweep(config.replace({"model.Autoencoder.latent_dim": width})).run(
                space={"optimizer.lr": [1e-2, 1e-4]}
            )
            for width in (2, 3)
        ]
    result = Compare(config).run([one.path for one in swept])
    values = result.comparison.values
    scores = {one.path.name: one.summary["best_score"] for one in swept}
    assert {name: one["best_score"] for name, one in values.items()} == scores
    assert list(values) == sorted(scores, key=lambda name: scores[name])
    text = str(result)
    assert "optimizer.lr" in text
    assert "model.Autoencoder.latent_dim" in text


def simulated(
    folder: Path,
    species: tuple[str, ...] = SPECIES,
    steps: int = 6,
    changed: float = 0.0,
    denser: float = 1.0,
) -> Path:
    """Write a simulated set of three tracers; CO of the second is `changed` dex higher at the end."""
    factors = [denser, 1.0, 1.0, 1.0]
    config = load_config([]).replace({"general.results_dir": str(folder)})
    tracers = generate_tracers(3, 1, n_steps=steps, end_time=1e5 * (steps - 1))
    with ResultWriter(config, "simulate") as writer:
        with SimulatedWriter(writer.path / "tracers.h5", species, 3, steps, {"network": "made"}) as output:
            for number, tracer in enumerate(tracers):
                values = np.full((steps, len(species)), 1e-5)
                if "HCO+" in species:
                    values[:, species.index("HCO+")] = 1e-16
                if changed and number == 1:
                    values[-1, species.index("CO")] *= 10.0**changed
                dense = dataclasses.replace(tracer, physical=tracer.physical * factors)
                output.add(dense, number, values)
        writer.summary["tracers"] = 3
    return writer.result.path


def test_simulations_tell_which_species_differ_and_where(tmp_path: Path) -> None:
    first, other = simulated(tmp_path), simulated(tmp_path, changed=1.5)
    outcome = chemnet("compare", first, other, f"general.results_dir={tmp_path}", "--json")
    assert outcome.code == 0, outcome.err
    (pair,) = outcome.answer["comparison"]["values"]["pairs"].values()
    assert (pair["tracers"], pair["states"], pair["species"]) == (3, 18, 4)
    co, hco = pair["by_species"]["CO"], pair["by_species"]["HCO+"]
    assert co["mean"] == pytest.approx(1.5 / 18, abs=1e-6)
    assert co["signed"] == pytest.approx(1.5 / 18, abs=1e-6)
    assert co["worst"]["dex"] == pytest.approx(1.5, abs=1e-5)
    assert (co["worst"]["tracer"], co["worst"]["time"]) == (generate_tracers(3, 1)[1].tracer_id, 5e5)
    assert pair["by_step"]["mean"][-1] == pytest.approx(1.5 / 9, abs=1e-6)
    # below both thresholds it is not compared
    assert (hco["states"], hco["worst"]) == (0, None)
    assert pair["by_species"]["H2"]["mean"] == 0.0


def test_what_two_simulations_do_not_share_is_said(tmp_path: Path) -> None:
    first, other = simulated(tmp_path), simulated(tmp_path, species=("CO", "HCO+", "H2O"), steps=4)
    config = load_config([]).replace({"general.results_dir": str(tmp_path)})
    result = Compare(config).run([first, other])
    (told,) = [note for note in result.comparison.notes if note.startswith("Not matched")]
    assert "6 of the states of shared tracers" in told
    assert f"2 species of {first.name} (H2, #CO)" in told
    assert f"1 species of {other.name} (H2O)" in told
    assert f"No species of {other.name} differs from {first.name} where they are compared." in (
        result.comparison.notes
    )


def test_other_conditions_along_the_same_tracers_are_said(tmp_path: Path) -> None:
    first, other = simulated(tmp_path), simulated(tmp_path, denser=1.25)
    config = load_config([]).replace({"general.results_dir": str(tmp_path)})
    notes = Compare(config).run([first, other]).comparison.notes
    assert any("Density by up to 20 %" in note for note in notes)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "names 0 results; a comparison takes two or more"),
        (("TRAIN",), "names 1 result; a comparison takes two or more"),
        (("TRAIN", "TRAIN"), "names 1 result; a comparison takes two or more"),
        (("TRAIN", "PREPROCESS"), "results of `preprocess` and `train` cannot be compared"),
        (("TRAIN", "nothing"), "'nothing' is no path, result or component"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    workspace: Workspace, trainings: list[str], words: tuple[str, ...], message: str
) -> None:
    names = {"TRAIN": trainings[0], "PREPROCESS": next(workspace.results.glob("*-preprocess-*")).name}
    before = workspace.made
    outcome = workspace.run("compare", *(names.get(word, word) for word in words))
    assert outcome.code == 2
    assert message in outcome.err
    assert workspace.made == before


def test_simulations_without_a_common_species_are_refused(tmp_path: Path) -> None:
    first, other = simulated(tmp_path), simulated(tmp_path, species=("N2", "NH3"))
    with pytest.raises(ResultsError, match="share no species"):
        Compare(load_config([]).replace({"general.results_dir": str(tmp_path)})).run([first, other])
