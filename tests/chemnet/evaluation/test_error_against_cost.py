"""Every way to predict has its error and its price, on the same tracers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chemnet.config import load_config
from chemnet.data.metric_meanings import WAYS
from chemnet.evaluation import compared_predictors
from chemnet.evaluation import error_against_cost as measured
from chemnet.evaluation.compared_predictors import PricedWay
from chemnet.evaluation.score_sums import Forecast
from chemnet.evaluation.score_tracers import Judge, Options
from chemnet.plots.cost_figures import draw_error_against_cost


@pytest.fixture
def config() -> Any:
    return load_config().replace({"benchmark.cost_tracers": 2})


@pytest.fixture
def judge(surrogate: Any, tiny_data: Any, config: Any) -> Judge:
    return Judge(surrogate, tiny_data, Options.of(config.replace({"benchmark.split": "train"})), config)


def test_a_plain_emulator_has_its_rivals_and_is_told_what_a_network_brings(
    surrogate: Any, judge: Judge, tiny_data: Any, config: Any
) -> None:
    priced = measured.error_against_cost(surrogate, judge, tiny_data, config)
    assert priced is not None
    assert [way["kind"] for way in priced["rows"]] == ["surrogate", "nearest_neighbour", "persistence"]
    assert "no network at hand" in priced["note"]
    assert "model.ImplicitEmulator.network" in priced["note"]
    assert all(way["cpu_ms"] >= 0.0 and way["solver_share"] is None for way in priced["rows"])
    assert priced["tracers"] == 2
    assert draw_error_against_cost(priced).axes[0].get_xscale() == "log"


def test_errors_are_those_of_the_tracers_that_were_taken(
    surrogate: Any, judge: Judge, tiny_data: Any, config: Any
) -> None:
    priced = measured.error_against_cost(surrogate, judge, tiny_data, config)
    assert priced is not None
    truth = judge.source.read(np.array([0, len(judge.source) - 1])).abundance
    logs = np.log10(np.clip(truth, 1e-20, 1.0))
    moved = np.abs(logs[:, 1:] - logs[:, :1])
    nothing = priced["rows"][-1]
    assert nothing["mlae"] == pytest.approx(moved.mean())
    assert nothing["first_step"] == pytest.approx(moved[:, 0].mean())


def test_no_tracers_are_no_picture(surrogate: Any, judge: Judge, tiny_data: Any, config: Any) -> None:
    without = config.replace({"benchmark.cost_tracers": 0})
    assert measured.error_against_cost(surrogate, judge, tiny_data, without) is None


def test_what_is_quick_is_timed_with_many_cells_and_the_solver_never(
    surrogate: Any, judge: Judge, tiny_data: Any, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, list[int]] = {"surrogate": [], "solver": []}

    def way(kind: str) -> PricedWay:
        def predict(histories: Any) -> Forecast:
            asked[kind].append(len(histories))
            return Forecast(histories.abundance, np.ones(histories.valid.shape, dtype=bool))

        return PricedWay(kind, "", predict)

    monkeypatch.setattr(measured, "priced_ways", lambda *given: ([way(kind) for kind in asked], "made"))
    priced = measured.error_against_cost(surrogate, judge, tiny_data, config)
    assert asked == {"surrogate": [1, 2, 64], "solver": [1, 2]}
    assert priced is not None
    assert [row["solver_share"] for row in priced["rows"]] == [1.0, 1.0]
    assert all(row["mlae"] == 0.0 for row in priced["rows"])
    assert set(asked) <= set(WAYS)


class Still:
    """A network whose solver changes nothing."""

    name = "still"

    def __init__(self, species: tuple[str, ...]) -> None:
        self.species_names = species

    def solve(self, tracer: Any, start: np.ndarray, **options: Any) -> Any:
        return SimpleNamespace(abundances=np.tile(start, (len(tracer["time"]), 1)))


def test_with_a_network_the_solver_stands_alone_and_behind_a_plain_emulator(
    surrogate: Any, judge: Judge, tiny_data: Any, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def behind(of: Any, network: Any, tolerance: float, options: Any) -> Any:
        asked.append((tolerance, options["rtol"]))
        return SimpleNamespace(emulate=lambda *inputs: _unchanged(judge, inputs[1]))

    found = (Still(surrogate.species), {"rtol": 1e-4})
    monkeypatch.setattr(compared_predictors, "network_for", lambda *given: found)
    monkeypatch.setattr(compared_predictors, "Fallback", behind)
    priced = measured.error_against_cost(surrogate, judge, tiny_data, config)
    assert priced is not None
    kinds = [way["kind"] for way in priced["rows"]]
    assert kinds[:4] == ["solver"] * 4
    assert kinds.count("fallback") == len(asked) > 0
    errors = surrogate.judgement.calibration.errors
    assert all(0.9 * min(errors) <= tolerance <= 1.1 * max(errors) for tolerance, _ in asked)
    assert {rtol for _, rtol in asked} == {1e-2}
    still = {way["kind"]: way["mlae"] for way in priced["rows"]}
    assert still["solver"] == pytest.approx(still["persistence"])
    assert "still" in priced["note"]
    assert "ImplicitEmulator" in priced["note"]


def _unchanged(judge: Judge, start: np.ndarray) -> Any:
    rows = np.repeat(start[:, None], judge.source.longest, axis=1)
    return SimpleNamespace(abundances=rows, by_solver=np.zeros(rows.shape[:2], dtype=bool))
