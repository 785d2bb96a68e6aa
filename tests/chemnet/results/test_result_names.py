"""A result is called by path, by directory name or by component; a run by its hidden name too."""

from __future__ import annotations

from pathlib import Path

import pytest

from chemnet.config import load_config
from chemnet.results import ResultDirectory, ResultWriter
from chemnet.results.result_names import (
    names_and_components,
    newest_of_component,
    result_folder,
    run_folder,
    suggest_result,
)


@pytest.fixture
def made(tmp_path: Path) -> list[ResultDirectory]:
    """Two results of one component, and one of another verb with the same component."""
    config = load_config().replace({"general.results_dir": str(tmp_path / "results")})
    results = []
    for verb in ("train", "train", "infer"):
        with ResultWriter(config, verb=verb, component="encoder") as writer:
            pass
        results.append(writer.result)
    return results


def test_path_and_directory_name_mean_the_same_folder(made: list[ResultDirectory]) -> None:
    first = made[0].path
    assert result_folder(first.parent, str(first)) == result_folder(first.parent, first.name) == first
    assert result_folder(first.parent, "encoder") is None


def test_a_component_means_its_newest_result_of_the_verb(made: list[ResultDirectory]) -> None:
    results_dir = made[0].path.parent
    newest = newest_of_component(results_dir, "train", "encoder")
    assert newest is not None
    assert newest.path == made[1].path
    assert newest_of_component(results_dir, "train", "emulator") is None


def test_only_a_run_is_found_under_its_future_name(tmp_path: Path) -> None:
    hidden = tmp_path / ".partial-20260101-000000-train-abc"
    hidden.mkdir()
    assert run_folder(tmp_path, "20260101-000000-train-abc") == run_folder(tmp_path, hidden.name) == hidden
    assert result_folder(tmp_path, "20260101-000000-train-abc") is None


def test_every_name_of_a_result_is_listed(made: list[ResultDirectory]) -> None:
    names, components = names_and_components(made[0].path.parent, "train")
    assert names == [made[0].path.name, made[1].path.name]
    assert components == {"encoder"}
    assert len(names_and_components(made[0].path.parent)[0]) == 3


def test_of_many_results_a_hint_tells_the_newest_and_how_many_there_are() -> None:
    names = [f"20260101-0000{i:02d}-train-aaaaaa" for i in range(40)]
    hint = suggest_result("emulator", names, ["encoder_grav"])
    assert hint == f"the newest of 40: {names[39]}, {names[38]}, {names[37]}; `chemnet results` lists them"
    assert suggest_result("encoder_gra", names, ["encoder_grav"]) == "did you mean 'encoder_grav'?"
    assert suggest_result("emulator", names[:1]) == f"there is {names[0]}; `chemnet results` lists them"
    assert suggest_result("emulator", []) == ""
