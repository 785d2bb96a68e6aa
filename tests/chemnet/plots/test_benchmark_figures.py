"""The figures of a benchmark show what was measured: nothing is lifted, cut or left out unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from chemnet.figure_style import WIDTH
from chemnet.plots.benchmark_figures import (
    Trajectories,
    draw_comparison,
    draw_conservation,
    draw_error_by_step,
    draw_error_map,
    draw_trajectories,
    draw_worst_species,
)
from chemnet.plots.benchmark_tables import long_rollout_table
from chemnet.plots.cost_figures import draw_error_against_cost
from chemnet.plots.trust_figures import draw_long_rollout, draw_risk_coverage

STEPS = 20
TRUTH_CHARGE = 9e-12
# axes whose numbers have no unit
PURE_NUMBERS = {"largest relative drift of any element", "states scored", "kept [%]", ""}


def curve(first: int, **values: float) -> dict[str, list[float]]:
    steps = range(first, STEPS)
    found = {"step": list(map(float, steps)), "elapsed": [1e4 * step for step in steps]}
    return found | {name: [value] * len(steps) for name, value in values.items()}


def made_scores() -> dict[str, Any]:
    errors = {"mlae": 0.1, "lae99": 1.0, "element_drift": 1e-7, "charge_residual": 4e-7}
    methods = ("rollout", "rollout_unconserved", "one_step", "persistence")
    scores = {name: {"by_step": curve(1, **errors)} for name in methods}
    scores["truth"] = {
        "by_step": curve(0, mlae=0.0, lae99=0.0, element_drift=0.0, charge_residual=TRUTH_CHARGE)
    }
    return scores


def made_trust(error: float | None = 0.05) -> dict[str, Any]:
    coverage = np.linspace(0.1, 1.0, 10)
    return {
        "coverage": coverage.tolist(),
        **{name: coverage.tolist() for name in ("mlae", "lae99", "oracle_mlae", "oracle_lae99")},
        **{f"{name}_error": None if error is None else [error] * 10 for name in ("mlae", "lae99")},
        "reliability": [
            {"states": 9, "expected": value, "found": 2 * value, "found_error": error} for value in (0.1, 0.2)
        ],
    }


def made_endurance(drift: float = 1e-7) -> dict[str, Any]:
    steps = np.arange(10, 301, 10)
    change = np.where(steps == 200, 0.1, 1e-4)
    return {
        "cells": 3, "steps": 300, "step_years": 1e4, "step": steps.tolist(), "change": change.tolist(),
        "worst_change": (3 * change).tolist(), "drift": [drift] * len(steps), "not_finite": 0, "least": 1e-20,
        "most": 0.5, "element_drift": drift,
    }  # fmt: skip


def made_trajectories() -> Trajectories:
    time = np.tile(np.arange(5) * 1e4, (1, 1))
    truth = np.full((1, 5, 2), 1e-6)
    truth[0, 3:, 1] = (1e-25, 0.0)
    return Trajectories(["typical"], time, truth, truth, ("H3+", "#H2O"), floor=1e-20)


def made_map() -> Figure:
    physical = np.array([[1e4, 10.0]] * 80 + [[1e6, 10.0]])
    figure = draw_error_map(physical, np.full(81, 0.2), ["Density", "gasTemp"])
    assert figure is not None
    return figure


def every_figure() -> Iterator[Figure]:
    ways = [{"kind": "solver", "setting": "rtol 0.1", "cpu_ms": 3.0, "mlae": 0.02, "mlae_abundant": 0.0}]
    ways.append({**ways[0], "kind": "surrogate", "setting": "", "mlae_abundant": 0.1})
    yield draw_error_by_step(made_scores(), "a surrogate")
    yield draw_conservation(made_scores())
    yield draw_comparison({"one": made_scores(), "other": made_scores()})
    yield draw_trajectories(made_trajectories())
    yield draw_worst_species({"CO": {"mlae": 0.1, "lae99": 1.0}})
    yield made_map()
    yield draw_risk_coverage(made_trust())
    yield draw_long_rollout(made_endurance())
    yield draw_error_against_cost({"tracers": 2, "steps": 9, "rows": ways})


def labels(figure: Figure) -> set[str]:
    shown = [axis for axis in figure.axes if axis.get_visible()]
    return {label for axis in shown for label in (axis.get_xlabel(), axis.get_ylabel())}


def test_every_figure_is_as_wide_as_a_page_and_its_axes_have_units() -> None:
    for figure in every_figure():
        assert figure.get_figwidth() == pytest.approx(WIDTH)
        assert {
            label
            for label in labels(figure) - PURE_NUMBERS
            if "[" not in label and "per H nucleus" not in label
        } == set()


def test_conservation_shows_the_charge_of_the_truth_as_it_is() -> None:
    _, charge = draw_conservation(made_scores()).axes
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in charge.lines}
    np.testing.assert_allclose(lines["the truth itself"], TRUTH_CHARGE)
    np.testing.assert_allclose(lines["surrogate, full rollout"], 4e-7)
    assert charge.get_ylim()[0] < TRUTH_CHARGE


def test_what_is_exactly_zero_is_said_instead_of_drawn() -> None:
    drift, charge = draw_conservation(made_scores()).axes
    assert drift.get_title() == f"the truth itself: 0 at {STEPS - 1} of {STEPS - 1} steps"
    assert charge.get_title() == ""


def test_errors_are_drawn_against_time_and_each_line_has_its_name() -> None:
    scores = made_scores()
    for axis in draw_error_by_step(scores, "a surrogate").axes:
        np.testing.assert_allclose(axis.lines[0].get_xdata(), 10.0 * np.arange(1, STEPS))  # kyr
        names = {text.get_text() for text in axis.texts}
        assert {"surrogate, full rollout", "persistence: nothing ever changes"} <= names


def test_a_benchmark_that_does_not_know_its_times_is_drawn_against_steps() -> None:
    scores = made_scores()
    for one in scores.values():
        del one["by_step"]["elapsed"]
    for figure in (draw_conservation(scores), draw_comparison({"new": made_scores(), "old": scores})):
        assert "step" in labels(figure)
        np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), np.arange(1, STEPS))


def test_a_mean_of_one_state_is_paler_than_that_of_eighty() -> None:
    mesh = made_map().axes[0].collections[0]
    opacity = np.ravel(mesh.get_alpha())[np.isfinite(np.ma.filled(mesh.get_array(), np.nan)).ravel()]
    assert sorted(opacity)[-1] == 1.0
    assert sorted(opacity)[0] < 0.3


def test_an_abundance_below_the_floor_leaves_the_panel_and_is_not_lifted() -> None:
    axis = draw_trajectories(made_trajectories()).axes[1]
    assert axis.get_title() == "#H$_{2}$O"
    np.testing.assert_allclose(axis.lines[0].get_ydata(), [1e-6, 1e-6, 1e-25, np.nan])
    assert axis.get_ylim()[0] >= 1e-20


def test_the_printed_change_and_drift_of_a_long_rollout_are_those_of_its_picture() -> None:
    endurance = made_endurance(drift=3e-3)
    change, drift = draw_long_rollout(endurance).axes
    head, row = long_rollout_table(endurance)
    told = dict(zip(head, row, strict=True))
    assert told["largest beyond the tracers"] == "1.0e-01 dex"
    assert told["change per step at the end"] == "1.0e-04 dex"
    words = {line.get_label() for line in change.lines}
    assert {"1.0e-01 at most, beyond the tracers", "1.0e-04 at the end"} <= words
    assert drift.get_ylim()[1] > 3e-3


def test_risk_and_reliability_show_their_standard_errors() -> None:
    mean, extreme, reliability = draw_risk_coverage(made_trust()).axes
    assert all(axis.get_title() for axis in (mean, extreme, reliability))
    low, high = mean.collections[0].get_paths()[0].get_extents().intervaly
    assert (low, high) == pytest.approx((0.05, 1.05))
    unknown = draw_risk_coverage(made_trust(None)).axes[0]
    assert not unknown.collections
