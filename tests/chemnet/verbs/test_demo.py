"""`chemnet demo`: one command runs the chain, leaves something to open and says what to do next."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from command_line import chemnet, chemnet_process
from made_network import closed_form_solve, write_made_network

from chemnet import ChemNet
from chemnet.chemistry.network.network import Network
from chemnet.config import load_config
from chemnet.results import Answer, list_results
from chemnet.verbs import demo as demo_module

EXAMPLES = Path(__file__).resolve().parents[3] / "example_configs"
STAGES = {"simulate", "preprocess", "train", "benchmark", "infer", "umap", "visualize", "save_to_database"}


def tiny_words(folder: Path) -> list[str]:
    return [
        f"simulate.network={write_made_network(folder / 'made')}",
        "simulate.n_tracers=16",
        "simulate.n_steps=12",
        "simulate.heating_share=0",
        "preprocess.window=5",
        "train.epochs=2",
        "model.Autoencoder.hidden=[8]",
        "model.Autoencoder.latent_dim=2",
        "umap.reducer=pca",
        "benchmark.solver_tracers=0",
        "benchmark.cost_tracers=0",
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def answer(folder: Path) -> Answer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "solve", closed_form_solve)
        patch.chdir(folder)
        return ChemNet(overrides=tiny_words(folder)).demo(folder=folder / "demo")


@pytest.fixture(scope="module")
def told(answer: Answer) -> str:
    return str(answer)


def test_the_whole_chain_runs_and_every_result_is_whole(answer: Answer, folder: Path) -> None:
    results = list_results(folder / "demo" / "results")
    assert {result.verb for result in results} == STAGES
    assert {result.component for result in results if result.verb == "train"} == {
        "demo_autoencoder",
        "demo_emulator",
    }
    assert all(result.status == "done" for result in results)


def test_everything_that_it_says_it_made_is_there(told: str, folder: Path) -> None:
    made = told.split("It made")[1].split("From the initial state")[0]
    places = [line.split()[-1] for line in made.splitlines() if line.strip()]
    assert len(places) == 8
    for place in places:
        assert (folder / place).exists(), place
    assert sum(place.endswith((".png", ".html")) for place in places) == 7


def test_the_commands_that_it_recommends_work(
    told: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    commands = re.findall(r"chemnet ((?:lookup|results) .*)", told)
    assert len(commands) == 2
    for command in commands:
        outcome = chemnet(*shlex.split(command))
        assert outcome.code == 0, outcome.err
        assert "demo_emulator" in outcome.out or "distance" in outcome.out


def test_it_compares_the_emulator_with_the_nearest_known_state(told: str) -> None:
    assert re.search(r"follows 11 steps .* training never\nsaw to \d+\.\d\d dex", told)
    assert re.search(r"the nearest state that\ntraining saw gives \d+\.\d\d dex", told)


def test_the_recipes_stay_beside_the_results(answer: Answer, folder: Path) -> None:
    autoencoder, emulator = (
        load_config([folder / "demo" / name]) for name in (demo_module.RECIPE, demo_module.EMULATOR_RECIPE)
    )
    assert autoencoder["model"]["name"] == "Autoencoder"
    assert emulator["model"]["name"] == "LatentEmulator"
    assert emulator["general"]["results_dir"] == str(folder / "demo" / "results")


def test_python_gets_paths_and_figures(answer: Answer, folder: Path) -> None:
    content: dict[str, Any] = answer.to_dict()
    json.dumps(content)
    assert Path(content["results"]["autoencoder"]).parent == folder / "demo" / "results"
    assert set(content["rollout_error_dex"]) == {"rollout", "nearest_neighbour", "persistence"}
    assert content["lookup"]["query"]["kind"] == "id"


@pytest.mark.parametrize("name", [demo_module.RECIPE, demo_module.EMULATOR_RECIPE])
def test_example_configs_show_the_recipes_of_the_demo(name: str) -> None:
    packaged = Path(demo_module.__file__).parents[1] / "config" / name
    with packaged.open("rb") as one, (EXAMPLES / name).open("rb") as other:
        assert tomllib.load(one) == tomllib.load(other)


@pytest.mark.slow
def test_the_real_demo_runs_within_five_minutes(tmp_path: Path) -> None:
    outcome = chemnet_process("demo", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    seconds = int(re.search(r"the whole chain in (\d+) s", outcome.out)[1])  # type: ignore[index]
    assert seconds < 300
