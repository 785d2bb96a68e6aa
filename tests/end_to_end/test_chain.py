"""The whole chain from raw tracers to a lookup and a rollout, with nothing but `-c`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import chemnet_process, entries
from workspace import Workspace

import chemnet
from chemnet.results import ResultDirectory, resolve_input


@pytest.mark.parametrize(
    ("stage", "parents"),
    [
        ("train", {"preprocess"}),
        ("infer", {"preprocess", "train"}),
        ("umap", {"infer"}),
        ("visualize", {"umap"}),
        ("save_to_database", {"infer"}),
        ("train_emulator", {"preprocess", "train"}),
        ("infer_emulator", {"preprocess", "train_emulator"}),
    ],
)
def test_each_verb_finds_the_results_before_it(chain: Any, stage: str, parents: set[str]) -> None:
    found = {reference.path for reference in ResultDirectory.open(chain.path(stage)).parents.values()}
    assert {chain.path(parent) for parent in parents} <= found


def test_every_result_is_whole_and_nothing_else_is_left(chain: Any) -> None:
    assert set(entries(chain.results)) == {path.name for path in chain.paths.values()}
    for path in chain.paths.values():
        result = ResultDirectory.open(path)
        result.verify()
        assert result.status == "done"


def test_each_result_holds_the_configuration_that_made_it(chain: Any) -> None:
    for path in chain.paths.values():
        config = ResultDirectory.open(path).config
        assert config["train"]["epochs"] == 3
        assert Path(config["data_set"]["path"]) == chain.folder / "tracers.h5"


def test_training_leaves_weights_metrics_summary_and_curves(chain: Any) -> None:
    for stage in ("train", "train_emulator"):
        path = chain.path(stage)
        epochs = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        assert len(epochs) == 3
        assert {"weights.safetensors", "summary.json", "curves.png"} <= set(entries(path))


def test_latents_of_every_state_of_the_split_are_inferred(chain: Any) -> None:
    states = chemnet.InferenceDataset(chain.path("infer"))
    assert states.latents.shape == (len(states), 3)
    assert np.isfinite(states.latents).all()
    assert len(set(states.ids())) == len(states)


def test_an_emulator_rolls_out_every_step_of_whole_tracers(chain: Any) -> None:
    states = chemnet.InferenceDataset(chain.path("infer_emulator"))
    steps = np.asarray(states.rows["step"])
    tracers = np.asarray(states.rows["tracer"])
    for tracer in np.unique(tracers):
        assert steps[tracers == tracer].tolist() == list(range(30))
    assert np.isfinite(states.field("abundance")).all()
    assert (np.asarray(states.field("abundance")) >= 0.0).all()


def test_a_known_state_is_its_own_nearest_neighbour(chain: Any) -> None:
    known = chemnet.InferenceDataset(chain.path("infer")).ids()[7]
    outcome = chain.run("lookup", "--id", known, "lookup.k=3")
    assert outcome.code == 0, outcome.err
    assert known in outcome.out


def test_a_lookup_that_finds_nothing_exits_with_one(chain: Any) -> None:
    outcome = chain.run("lookup", "--id", "nobody-5")
    assert outcome.code == 1
    assert "nobody-5" in outcome.err
    assert "Traceback" not in outcome.err


def test_the_listing_shows_the_lineage(chain: Any) -> None:
    listed = chain.run("results").answer["results"]
    assert {row["name"] for row in listed} == {path.name for path in chain.paths.values()}
    tree = chemnet.ChemNet(chain.config).results(tree=True)
    assert str(tree).splitlines()[0].startswith(chain.path("preprocess").name)


def test_a_model_is_summarised(chain: Any) -> None:
    outcome = chain.run("model")
    assert outcome.code == 0, outcome.err
    assert "Autoencoder" in outcome.out


def test_the_first_steps_work_from_a_shell_in_the_users_folder(workspace: Workspace) -> None:
    (workspace.folder / "chemnet_config.toml").write_text(workspace.config.read_text(), encoding="utf-8")
    for verb in ("preprocess", "train", "infer"):
        outcome = chemnet_process(verb, cwd=workspace.folder)
        assert outcome.code == 0, outcome.err
        assert verb in outcome.out
    assert len(workspace.made) == 3


def test_python_runs_the_same_chain_and_its_results_print_and_reload(workspace: Workspace) -> None:
    chem = chemnet.ChemNet(workspace.config)
    preprocessed = chem.preprocess()
    trained = chem.train()
    inferred = chem.infer(model_dir=trained.path)
    assert str(trained.path) in str(trained)
    assert type(trained).load(trained.path).summary == trained.summary
    assert ResultDirectory.open(inferred.path).parents["train"].path == trained.path
    assert workspace.made == sorted(result.path.name for result in (preprocessed, trained, inferred))


def test_a_named_component_wins_over_the_newest_result(chain: Any) -> None:
    chosen = chemnet.ChemNet(chain.config, overrides=["infer.model_dir=autoencoder"]).config
    assert resolve_input(chosen, "infer.model_dir", verb="train").path == chain.path("train")
    newest = chemnet.ChemNet(chain.config, overrides=["train.component=false"]).config
    assert resolve_input(newest, "infer.model_dir", verb="train").path == chain.path("train_emulator")
    # the file names the component that it trains
    assert resolve_input(chemnet.ChemNet(chain.config).config, "infer.model_dir", "train").path == chain.path(
        "train"
    )
