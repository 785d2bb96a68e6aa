"""`chemnet analyse`: what it prints and draws, for solved and predicted states, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import chemnet
from made_network import write_made_network

from chemnet.results import VerbResult
from chemnet.verbs.analyse import AnalyseResult

PNG = b"\x89PNG"
N_STEPS = 12


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Simulate a tiny network, preprocess, train an emulator for an epoch and infer with it."""
    folder = tmp_path_factory.mktemp("analyse")
    network = write_made_network(folder / "made")
    with (network / "reactions.csv").open("a", encoding="utf-8") as rows:
        rows.write("C,CRP,NAN,C+,E-,NAN,NAN,1e4,0,0,0,10000\n")
    words = [
        f"general.results_dir={folder / 'results'}",
        f"simulate.network={network}",
        "simulate.n_tracers=10",
        f"simulate.n_steps={N_STEPS}",
        "preprocess.window=4",
        "mlflow.enabled=false",
        "model.name=DirectEmulator",
        "train.component=emulator",
        "train.epochs=1",
        "infer.split=validate",
    ]
    for verb in ("simulate", "preprocess", "train", "infer"):
        outcome = chemnet(verb, *words)
        assert outcome.code == 0, outcome.err
    return words


def test_states_of_a_simulation_are_told_with_shares_and_the_sum(words: list[str]) -> None:
    outcome = chemnet("analyse", "simulate", "C", *words)
    assert outcome.code == 0, outcome.err
    for said in (
        "as solved: 12 rows",
        "formation",
        "destruction",
        "fluxes add up to dx/dt",
        "the first of 10",
    ):
        assert said in outcome.out + outcome.err
    folder = Path(outcome.out.strip().splitlines()[-1].split()[-1])
    for picture in ("routes_C.png", "budget_C.png"):
        assert (folder / picture).read_bytes().startswith(PNG)
    result = VerbResult.load(folder)
    assert isinstance(result, AnalyseResult)
    assert result.budgets["C"].residual < 1e-12
    assert result.budgets["C"].fluxes.shape[1] == N_STEPS
    assert result.true_budgets == {}
    assert result.plot("C").axes


def test_predicted_states_stand_beside_the_truth(words: list[str]) -> None:
    answer = chemnet("analyse", "infer", "C", "--json", *words).answer
    result = VerbResult.load(answer["path"])
    assert isinstance(result, AnalyseResult)
    ours, theirs = result.budgets["C"], result.true_budgets["C"]
    np.testing.assert_allclose(ours.abundance[0], theirs.abundance[0], rtol=1e-5)
    assert not np.allclose(np.log10(ours.abundance[1:]), np.log10(theirs.abundance[1:]), atol=0.01)
    assert "dex in the mean in these states" in str(result)
    assert abs(sum(one["formation"] for one in answer["species"]["C"]["reactions"].values()) - 1.0) < 1e-9


def test_one_row_alone(words: list[str]) -> None:
    outcome = chemnet("analyse", "simulate", "C", "--step", "3", *words)
    assert "row 3," in outcome.out
    folder = Path(outcome.out.strip().splitlines()[-1].split()[-1])
    assert not (folder / "budget_C.png").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("simulate", "CO"), "no species 'CO'"),
        (("simulate",), "no species is named"),
        (("simulate", "C", "--tracer", "99"), "no tracer '99'"),
        (("simulate", "C", "--step", "99"), "has no row 99"),
        (("nothing_of_the_kind", "C"), "no such path, result or component"),
        (("preprocess", "C"), "no such path, result or component"),
        (("infer", "C", "analyse.network=collapse"), "differ in"),
    ],
)
def test_wrong_use_is_answered_in_one_line(words: list[str], arguments: tuple[str, ...], said: str) -> None:
    outcome = chemnet("analyse", *arguments, *words)
    assert outcome.code in (1, 2)
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_a_result_of_another_verb_is_refused(words: list[str]) -> None:
    results = Path(words[0].partition("=")[2])
    other = next(path.name for path in results.iterdir() if "-preprocess-" in path.name)
    outcome = chemnet("analyse", other, "C", *words)
    assert outcome.code == 2
    assert "is a result of `preprocess`" in outcome.err
