"""The words of a benchmark's report: a verdict where the numbers carry one, a meaning for every figure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from chemnet.data.metric_meanings import METHODS, METRICS, WAYS
from chemnet.plots.benchmark_report import as_html, as_markdown, chance_of, verdict

ERRORS = (
    "mlae", "lae99", "mlae_visible", "lae99_visible", "mlae_abundant", "lae99_abundant",
    "mean_relative_error",
)  # fmt: skip


def made_score(mlae: float, by_tracer: list[float]) -> dict[str, Any]:
    return {
        **dict.fromkeys(ERRORS, mlae),
        "solver_share": 0.1,
        "element_drift": 1e-8,
        "charge_residual": 1e-12,
        "not_finite": 0,
        "worst_tracer": {"id": "7", "mlae": max(by_tracer)},
        "at_step": {"1": {"mlae": mlae, "lae99": mlae}, "29": {"mlae": mlae, "lae99": mlae}},
        "by_species": {"CO": {"mlae": mlae, "lae99": mlae}},
        "by_tracer": {str(i): error for i, error in enumerate(by_tracer)},
    }


def made_coverage(share: float, error: float | None) -> dict[str, Any]:
    kept = {"mlae": 0.1, "lae99": share, "beside_all_error": error}
    return {
        "at_coverage": {"1": {"mlae": 0.2, "lae99": 1.0, "beside_all_error": 0.0}, "0.8": kept},
        "outside": {"states": 0, "found": 0.0},
    }


def made_metrics(
    mine: list[float], theirs: list[float], share: float = 0.5, error: float | None = 0.05
) -> dict[str, Any]:
    scores = {name: made_score(1.0, theirs) for name in METHODS}
    scores["rollout"] = made_score(sum(mine) / len(mine), mine)
    scores["nearest_neighbour"] = made_score(sum(theirs) / len(theirs), theirs)
    scores["persistence"]["mlae"] = 9.0
    way = dict.fromkeys((*ERRORS, "first_step", "cpu_ms"), 0.1) | {"solver_share": None, "setting": ""}
    return {
        "surrogate": {
            "name": "a", "direct": False, "latents": 3, "members": 1, "species": 5, "parameters": 9,
        },
        "data": {
            "preprocess": "p", "split": "test", "tracers": len(mine), "rows": 9, "steps": 30,
            "inside_domain": 1.0, "known_tracers": 30,
        },
        "settings": {"floor": 1e-20, "visible": 1e-14, "abundant": 1e-8},
        "scores": scores,
        "trust": {**made_coverage(share, error), "by_species": made_coverage(share, error)},
        "long_rollout": {
            "cells": 3, "steps": 290, "not_finite": 0, "least": 1e-20, "most": 0.5, "element_drift": 1e-8,
            "step": [29, 290], "change": [0.1, 0.01],
        },
        "error_against_cost": {
            "tracers": 2, "steps": 29, "note": "a note", "rows": [{"kind": kind, **way} for kind in WAYS],
        },
        "speed": dict.fromkeys(("surrogate_1_core", "latent_1_core", "surrogate_gpu", "solver_1_core"), 10.0),
    }  # fmt: skip


BETTER, WORSE, MIXED = [0.1] * 6, [0.9] * 6, [0.1, 0.9, 0.1, 0.9, 0.1, 0.1]


@pytest.mark.parametrize(
    ("mine", "words"),
    [
        (BETTER, "has 5.0 times this error, 0.500 dex; the surrogate is better on 6 of 6 tracers."),
        (WORSE, "the surrogate is WORSE on 6 of 6 tracers."),
        (MIXED, "6 tracers do not tell which one is better."),
        (BETTER[:4], "4 tracers do not tell which one is better."),
    ],
)
def test_a_verdict_is_given_only_where_the_tracers_carry_it(mine: list[float], words: str) -> None:
    text = " ".join(verdict(made_metrics(mine, [0.5] * len(mine))))
    assert words in text
    assert "The best baseline without a network (nearest training state of 30 tracers)" in text


@pytest.mark.parametrize(
    ("share", "error", "knows"),
    [(0.5, 0.05, True), (0.95, 0.001, False), (0.8, 0.15, False), (0.8, None, True)],
)
def test_trust_is_praised_only_beyond_its_standard_error(
    share: float, error: float | None, knows: bool
) -> None:
    text = " ".join(verdict(made_metrics(BETTER, WORSE, share, error)))
    assert ("Its trust finds bad states" in text) is knows
    assert ("Species by species, without" in text) is knows
    assert ("says little" in text) is not knows


def test_the_chance_of_equals_to_win_is_that_of_coins() -> None:
    assert chance_of(0, 7) == 1.0
    assert chance_of(4, 4) == 1 / 16
    assert chance_of(2, 3) == 0.5


def test_every_metric_way_and_method_of_the_page_has_its_meaning_as_a_tooltip(tmp_path: Path) -> None:
    page = as_html(made_metrics(BETTER, WORSE), tmp_path, [])
    without = {head for head in re.findall(r"<th>([^<]*)</th>", page) if head}
    assert without <= {"species"}
    for name in (*WAYS, *METHODS, "surrogate_1_core", "cell_steps"):
        found = re.search(rf'<t[hd] title="([^"]+)">{re.escape(METRICS[name].heading)}</t[hd]>', page)
        assert found, name
        assert (f"Unit: {METRICS[name].unit}." in found[1]) is bool(METRICS[name].unit)


def test_a_picture_has_its_words_below(tmp_path: Path) -> None:
    (tmp_path / "conservation.png").write_bytes(b"a picture")
    page = as_html(made_metrics(BETTER, WORSE), tmp_path, ["conservation.png"])
    assert page.count("<figure>") == 1
    assert "<figcaption>Conservation of elements and charge</figcaption>" in page


def test_definitions_stand_before_the_tables_and_each_picture_beside_its_own(tmp_path: Path) -> None:
    text = as_markdown(made_metrics(BETTER, WORSE), ["conservation.png", "error_by_step.png"])
    order = [
        "mLAE and LAE99: mean",
        "## Full rollout",
        "(error_by_step.png)",
        "## One step",
        "## Conservation",
        "(conservation.png)",
        "## Ten times",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
