"""The tables of a benchmark's report: heads and rows of text, from the plain values of `metrics.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chemnet.data.metric_meanings import WAYS, heading
from chemnet.text_tables import Row

_MAIN_ERRORS = ("mlae", "lae99", "mlae_visible", "lae99_visible", "mlae_abundant", "lae99_abundant")


def _head(*names: str) -> list[str]:
    """Return the head of a table: an empty corner, and the headings of some figures."""
    return ["", *map(heading, names)]


_SCORE_HEAD = _head(*_MAIN_ERRORS, "solver_share", "mean_relative_error")
_COST_HEAD = _head("setting", *_MAIN_ERRORS, "first_step", "solver_share", "cpu_ms")
_COMPARED_HEAD = _head("element_drift", "worst_tracer", "reconstruction", "trusted_80")[1:]


def score_table(scores: Mapping[str, Any], methods: Sequence[str]) -> list[Row]:
    """Return head and rows with the main figures of some methods."""
    present = [method for method in methods if method in scores]
    steps = list(scores[present[0]]["at_step"]) if present else []
    head = [*_SCORE_HEAD, *(f"step {step}" for step in steps)]
    return [head, *([heading(method), *_score_cells(scores[method], steps)] for method in present)]


def cost_table(priced: Mapping[str, Any]) -> list[Row]:
    """Return head and rows with error and CPU time of every way to predict.

    Parameters
    ----------
    priced
        The `error_against_cost` of `metrics.json`.
    """
    rows = [
        [heading(way["kind"]), way["setting"], *_cost_cells(way)]
        for kind in WAYS
        for way in priced["rows"]
        if way["kind"] == kind
    ]
    return [list(_COST_HEAD), *rows]


def _cost_cells(way: Mapping[str, Any]) -> list[str]:
    *errors, share = _error_cells(way)
    return [*errors, _dex(way["first_step"]), share, f"{way['cpu_ms']:.3g}"]


def conservation_table(scores: Mapping[str, Any]) -> list[Row]:
    """Return head and rows with what is conserved, and with the worst cells."""
    head = _head("element_drift", "charge_residual", "not_finite", "worst_tracer", "tracer_mlae")
    methods = [m for m in ("rollout", "rollout_unconserved", "truth") if m in scores]
    rows = [
        [
            heading(method),
            f"{scores[method]['element_drift']:.1e}",
            f"{scores[method]['charge_residual']:.1e}",
            str(scores[method]["not_finite"]),
            "" if method == "truth" else str(scores[method]["worst_tracer"]["id"]),
            "" if method == "truth" else _dex(scores[method]["worst_tracer"]["mlae"]),
        ]
        for method in methods
    ]
    return [head, *rows]


def speed_table(speed: Mapping[str, Any]) -> list[Row]:
    """Return head and rows with speeds."""
    solver = speed.get("solver_1_core")
    rows = [
        [heading(key), f"{speed[key]:,.0f}", *([f"{speed[key] / solver:,.1f}"] if solver else [])]
        for key in ("surrogate_1_core", "latent_1_core", "surrogate_gpu", "solver_1_core")
        if key in speed
    ]
    return [_head("cell_steps", *(["speed_up"] if solver else [])), *rows]


def trust_table(trust: Mapping[str, Any]) -> list[Row]:
    """Return head and rows with the errors of what is kept at some shares, and of the states outside."""
    outside, by_species = trust["outside"], trust.get("by_species")
    rows = _coverage_rows(trust, "all states", "")
    if by_species is not None:
        rows += [row for row in _coverage_rows(by_species, "", "species by species, ") if row[0]]
    if outside["states"]:
        rows.append(
            [f"outside the trained ranges: {outside['states']:,} states", _dex(outside["found"]), "", ""]
        )
    return [_head("coverage", "mlae", "lae99", "beside_all")[1:], *rows]


def _coverage_rows(trust: Mapping[str, Any], whole: str, prefix: str) -> list[Row]:
    """Return rows with the errors of what is kept at some shares; that of all is called `whole`."""
    return [
        [
            f"{prefix}the best {100.0 * float(coverage):g} %" if coverage != "1" else whole,
            _dex(kept["mlae"]),
            _dex(kept["lae99"]),
            f"{lae99_beside_all(trust, coverage):.2f}" + _plus_minus(kept.get("beside_all_error")),
        ]
        for coverage, kept in trust["at_coverage"].items()
    ]


def _plus_minus(error: float | None) -> str:
    """Return a standard error as it stands behind its figure; empty where none is known."""
    return f" ± {error:.2f}" if error else ""


def lae99_beside_all(trust: Mapping[str, Any], coverage: str) -> float:
    """Return LAE99 of the states that are kept at a coverage, relative to that of all states."""
    at = trust["at_coverage"]
    return float(at[coverage]["lae99"] / max(at["1"]["lae99"], 1e-9))


def long_rollout_table(endurance: Mapping[str, Any]) -> list[Row]:
    """Return head and the row that says how cells fared over ten times the tracers' length."""
    head = _head("cells", "steps", "not_finite", "abundances", "element_drift", "change", "late_change")
    row = [
        "constant parameters",
        str(endurance["cells"]),
        str(endurance["steps"]),
        str(endurance["not_finite"]),
        f"{endurance['least']:.1e} .. {endurance['most']:.2f}",
        f"{endurance['element_drift']:.1e}",
        f"{endurance['change'][-1]:.1e} dex",
        f"{_late_change(endurance):.1e} dex",
    ]
    return [head, row]


def _late_change(endurance: Mapping[str, Any]) -> float:
    """Return the largest mean change per step beyond the tracers' length [dex]."""
    later = np.array(endurance["step"]) > endurance["steps"] / 10
    return float(np.array(endurance["change"])[later].max())


def species_table(by_species: Mapping[str, Mapping[str, float]], count: int) -> list[Row]:
    """Return head and rows of the worst species."""
    worst = sorted(by_species, key=lambda name: -by_species[name]["mlae"])[:count]
    rows = [[name, _dex(by_species[name]["mlae"]), _dex(by_species[name]["lae99"])] for name in worst]
    return [["species", *_head("mlae", "lae99")[1:]], *rows]


def comparison_table(benchmarks: Mapping[str, Any]) -> list[Row]:
    """Return head and rows with the full rollout of several benchmarks.

    Parameters
    ----------
    benchmarks
        `scores` and `trust` of each benchmark, as in its `metrics.json`, by its name.
    """
    steps = list(next(iter(benchmarks.values()))["scores"]["rollout"]["at_step"])
    head = [*_SCORE_HEAD, *(f"step {step}" for step in steps), *_COMPARED_HEAD]
    rows = []
    for name, measured in benchmarks.items():
        scores, trust = measured["scores"], measured["trust"]
        rollout = scores["rollout"]
        last = (
            f"{rollout['element_drift']:.1e}",
            _dex(rollout["worst_tracer"]["mlae"]),
            _dex(scores["reconstruction"]["mlae"]) if "reconstruction" in scores else "",
            "" if trust is None else f"{lae99_beside_all(trust, '0.8'):.2f}",
        )
        rows.append([name, *_score_cells(rollout, steps), *last])
    return [head, *rows]


def _score_cells(score: Mapping[str, Any], steps: Sequence[str]) -> list[str]:
    """Return the figures of one method."""
    relative = score["mean_relative_error"]
    at_step = [_dex(score["at_step"][step]["mlae"]) if step in score["at_step"] else "" for step in steps]
    return [*_error_cells(score), f"{relative:.3g}", *at_step]


def _error_cells(score: Mapping[str, Any]) -> list[str]:
    """Return the main errors, and the share of the rows that the solver did; "" where it was not told."""
    share = score.get("solver_share")
    errors = [_dex(score[name]) if name in score else "" for name in _MAIN_ERRORS]
    return [*errors, "" if share is None else f"{100.0 * share:.1f} %"]


def _dex(value: float) -> str:
    """Write an error in dex."""
    return f"{value:.3f}"
