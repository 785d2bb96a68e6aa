"""`chemnet simulate simulate.cloud=...`: UCLCHEM's models as an ordinary set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import chemnet, entries
from made_network import closed_form_solve, write_made_network

from chemnet import ChemNet
from chemnet.chemistry.network.network import Network

POINTS = 10
STATIC = ("simulate.cloud=cloud", f"simulate.uclchem.points={POINTS}", "simulate.uclchem.initialDens=1e4")


@pytest.fixture(autouse=True)
def _closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "solve", closed_form_solve)


def words_for(folder: Path, *words: str) -> tuple[str, ...]:
    network = write_made_network(folder / "made")
    return (
        f"general.results_dir={folder / 'results'}",
        f"simulate.network={network}",
        "simulate.n_steps=9",
        *words,
    )


def make_chemnet(folder: Path, *words: str) -> ChemNet:
    return ChemNet(overrides=words_for(folder, *words))


def test_a_cloud_is_an_ordinary_set_that_says_what_it_is(tmp_path: Path) -> None:
    result = make_chemnet(tmp_path, *STATIC).simulate()
    with result.open() as simulated:
        assert simulated.tracer_ids == tuple(str(point + 1) for point in range(POINTS))
        assert set(simulated.families) == {"cloud"}
        assert simulated.physical_names == ("Density", "Radfield", "Av", "gasTemp", "N_H2", "N_CO", "N_C")
        assert simulated.provenance["tracers"] == "cloud"
        assert json.loads(simulated.provenance["uclchem"])["initialDens"] == 1e4
        columns = np.array([simulated.physical(point)[:, 4] for point in simulated])
        assert (np.diff(columns, axis=0) < 0.0).all()
    assert result.summary["tracers"] == POINTS


def test_a_cloud_is_preprocessed_like_any_set(tmp_path: Path) -> None:
    chem = make_chemnet(tmp_path, *STATIC, "preprocess.window=4")
    simulated = chem.simulate()
    result = chem.preprocess()
    assert result.directory.parent("simulate").digest == simulated.directory.digest
    splits = [result.data.split(name).tracer_ids for name in ("train", "validate", "test")]
    assert sorted(len(ids) for ids in splits) == [1, 1, 8]


def test_the_model_may_be_named_in_python(tmp_path: Path) -> None:
    with make_chemnet(tmp_path).simulate(cloud="collapse").open() as simulated:
        assert simulated.families == ("collapse",)
        assert simulated.physical_names == ("Density", "Radfield", "Av", "gasTemp")


def test_a_cloud_that_was_broken_off_goes_on_with_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chem = make_chemnet(tmp_path, *STATIC)
    whole = chem.simulate()
    solved: list[float] = []

    def until_the_fourth(*arguments: Any, **options: Any) -> Any:
        if len(solved) == 4:
            raise KeyboardInterrupt
        solved.append(arguments[1]["Av"][0])
        return closed_form_solve(*arguments, **options)

    monkeypatch.setattr(Network, "solve", until_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        chem.simulate()
    assert solved == sorted(solved)  # the outermost point first

    def rest(*arguments: Any, **options: Any) -> Any:
        solved.append(arguments[1]["Av"][0])
        return closed_form_solve(*arguments, **options)

    monkeypatch.setattr(Network, "solve", rest)
    resumed = chem.simulate(resume="latest")
    assert len(solved) == len(set(solved)) == POINTS
    assert resumed.tracers_file.read_bytes() == whole.tracers_file.read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["simulate.cloud=hotcore"],
            "simulate.cloud = 'hotcore' is no model\n  hint: did you mean 'hot_core'?",
        ),
        (
            ["simulate.cloud=cloud", "simulate.uclchem.shock_vel=30"],
            "simulate.uclchem.shock_vel means nothing to simulate.cloud = 'cloud'\n"
            "  hint: it is a parameter of simulate.cloud = 'cshock'",
        ),
        (["simulate.uclchem.rout=0.1"], "simulate.uclchem.rout means nothing to tracers that are no cloud"),
        (["simulate.cloud=cloud", "simulate.tracers=a.csv"], "which of them?"),
        (["simulate.cloud=cloud", "simulate.uclchem.initialDensity=1e4"], "simulate.uclchem.initialDens"),
        (["simulate.cloud=hot_core", "simulate.uclchem.temp_indx=7"], "allowed: int >= 1 <= 6"),
        (["simulate.cloud=cloud", "simulate.uclchem.rin=0.2"], "rout = 0.05 pc does not exceed rin = 0.2 pc"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(
    tmp_path: Path, words: list[str], told: str
) -> None:
    outcome = chemnet("simulate", *words_for(tmp_path, *words))
    assert outcome.code == 2
    assert told in outcome.err
    assert not (tmp_path / "results").exists() or entries(tmp_path / "results") == []


def test_the_configuration_of_a_cloud_makes_it_again(tmp_path: Path) -> None:
    made = make_chemnet(tmp_path, *STATIC).simulate()
    again = ChemNet(made.path / "runtime_config.toml").simulate()
    assert again.tracers_file.read_bytes() == made.tracers_file.read_bytes()
