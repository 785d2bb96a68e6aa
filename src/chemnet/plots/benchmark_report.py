"""The report of a benchmark in words and tables: on the screen, as Markdown, as one self-contained page."""

from __future__ import annotations

import base64
import html
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chemnet.plots.benchmark_figures import LABELS
from chemnet.text_tables import Row, aligned, html_table, markdown_table

#: sections of the report: what is compared, and the methods in it
SECTIONS = (
    (
        "Full rollout from the initial state",
        ("rollout", "rollout_unconserved", "nearest_neighbour", "persistence"),
    ),
    ("One step from the true state", ("one_step", "one_step_persistence")),
    ("Compression alone", ("reconstruction", "pca")),
)
FIGURES = {
    "error_by_step.png": "Error against the step",
    "trajectories.png": "Trajectories: truth solid, surrogate dashed",
    "worst_species.png": "The worst species",
    "error_map.png": "Error over density and temperature",
    "conservation.png": "Conservation of elements and charge",
    "risk_coverage.png": "Trust: the error of what is kept, and expected beside true errors",
    "long_rollout.png": "Ten times as long as the tracers, under constant parameters",
}
_SCORE_HEAD = ("", "mLAE", "LAE99", "mLAE visible", "LAE99 visible", "relative")
_COMPARED_HEAD = ("drift", "worst tracer", "autoencoder", "LAE99 of the trusted 80 %, beside all")
_TEXT_WIDTH = 100
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .6rem 0 1.4rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; }
p.note { color: #555; }
"""


def score_table(scores: Mapping[str, Any], methods: Sequence[str]) -> list[Row]:
    """Return head and rows with the main figures of some methods."""
    present = [method for method in methods if method in scores]
    steps = list(scores[present[0]]["at_step"]) if present else []
    head = [*_SCORE_HEAD, *(f"step {step}" for step in steps)]
    return [head, *([LABELS[method], *_score_cells(scores[method], steps)] for method in present)]


def conservation_table(scores: Mapping[str, Any]) -> list[Row]:
    """Return head and rows with what is conserved, and with the worst cells."""
    head = ["", "element drift", "net charge", "not finite", "worst tracer", "its mLAE"]
    methods = [m for m in ("rollout", "rollout_unconserved", "truth") if m in scores]
    rows = [
        [
            LABELS[method],
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
    names = {
        "surrogate_1_core": "surrogate, 1 core",
        "latent_1_core": "its emulator alone, 1 core",
        "surrogate_gpu": "surrogate, GPU",
        "solver_1_core": "solver, 1 core",
    }
    solver = speed.get("solver_1_core")
    rows = [
        [label, f"{speed[key]:,.0f}", f"{speed[key] / solver:,.1f}" if solver else ""]
        for key, label in names.items()
        if key in speed
    ]
    return [["", "cell-steps per s", "times the solver" if solver else ""], *rows]


def trust_table(trust: Mapping[str, Any]) -> list[Row]:
    """Return head and rows with the errors of what is kept at some shares, and of the states outside."""
    outside = trust["outside"]
    rows = [
        [
            f"the best {100.0 * float(coverage):g} %" if coverage != "1" else "all states",
            _dex(kept["mlae"]),
            _dex(kept["lae99"]),
            f"{_beside_all(trust, coverage):.2f}",
        ]
        for coverage, kept in trust["at_coverage"].items()
    ]
    if outside["states"]:
        rows.append(
            [f"outside the trained ranges: {outside['states']:,} states", _dex(outside["found"]), "", ""]
        )
    return [["kept by trust", "mLAE", "LAE99", "LAE99 beside that of all"], *rows]


def _beside_all(trust: Mapping[str, Any], coverage: str) -> float:
    """Return LAE99 of the states that are kept at a coverage, relative to that of all states."""
    at = trust["at_coverage"]
    return float(at[coverage]["lae99"] / max(at["1"]["lae99"], 1e-9))


def long_rollout_table(endurance: Mapping[str, Any]) -> list[Row]:
    """Return head and row of the rollout over ten times the tracers' length."""
    head = ["", "cells", "steps", "not finite", "abundances", "element drift", "change per step at the end"]
    row = [
        "constant parameters",
        str(endurance["cells"]),
        str(endurance["steps"]),
        str(endurance["not_finite"]),
        f"{endurance['least']:.1e} .. {endurance['most']:.2f}",
        f"{endurance['element_drift']:.1e}",
        f"{endurance['change'][-1]:.1e} dex",
    ]
    return [head, row]


def species_table(by_species: Mapping[str, Mapping[str, float]], count: int) -> list[Row]:
    """Return head and rows of the worst species."""
    worst = sorted(by_species, key=lambda name: -by_species[name]["mlae"])[:count]
    rows = [[name, _dex(by_species[name]["mlae"]), _dex(by_species[name]["lae99"])] for name in worst]
    return [["species", "mLAE", "LAE99"], *rows]


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
            "" if trust is None else f"{_beside_all(trust, '0.8'):.2f}",
        )
        rows.append([name, *_score_cells(rollout, steps), *last])
    return [head, *rows]


def verdict(metrics: Mapping[str, Any]) -> list[str]:
    """Return what the figures say, in sentences."""
    scores, data = metrics["scores"], metrics["data"]
    rollout = scores["rollout"]
    rivals = {name: scores[name]["mlae"] for name in ("nearest_neighbour", "persistence") if name in scores}
    best = min(rivals, key=lambda name: rivals[name])
    factor = rivals[best] / max(rollout["mlae"], 1e-9)
    compared = f"{factor:.1f} times below" if factor >= 1.0 else f"{1 / factor:.1f} times ABOVE"
    rival = LABELS[best].partition(":")[0]
    if best == "nearest_neighbour":
        # results of before do not say how many
        rival += f" of {data.get('known_tracers', 'the')} tracers"
    sentences = [
        f"From the initial state alone, over {data['steps'] - 1} steps of {data['tracers']} {data['split']} "
        f"tracers, the surrogate is off by {rollout['mlae']:.3f} dex in the mean (mLAE); 1 % of the values "
        f"are off by more than {rollout['lae99']:.2f} dex (LAE99). That is {compared} the best rival "
        f"without a network ({rival}, {rivals[best]:.3f} dex).",
        f"Elements drift by at most {rollout['element_drift']:.1e} in any cell and step.",
    ]
    if metrics["data"]["inside_domain"] < 1.0:
        outside = 100.0 * (1.0 - metrics["data"]["inside_domain"])
        sentences.append(
            f"{outside:.1f} % of the states lie outside the trained range of a physical parameter."
        )
    sentences += _trust_words(metrics["trust"])
    unstable = rollout["not_finite"] + metrics["long_rollout"]["not_finite"]
    if unstable:
        sentences.append(f"{unstable} states are not finite: do not use this surrogate.")
    return sentences


def as_text(metrics: Mapping[str, Any]) -> str:
    """Return the report's tables for a terminal."""
    parts = [f"{metrics['surrogate']['name']} on {_data_words(metrics)}", ""]
    for title, table in _tables(metrics):
        parts += [title, *aligned(table), ""]
    words = [textwrap.fill(sentence, _TEXT_WIDTH) for sentence in (*verdict(metrics), *_notes(metrics))]
    return "\n".join([*parts, *words])


def as_markdown(metrics: Mapping[str, Any], figures: Sequence[str]) -> str:
    """Return the whole report as Markdown; figures are linked by their names."""
    lines = [
        f"# Benchmark of {metrics['surrogate']['name']}",
        "",
        _data_words(metrics),
        "",
        *verdict(metrics),
        "",
    ]
    for title, table in [*_tables(metrics), _species_section(metrics)]:
        lines += [f"## {title}", "", *markdown_table(table), ""]
    lines += [*_notes(metrics), ""]
    for name in figures:
        lines += [f"## {FIGURES[name]}", "", f"![{FIGURES[name]}]({name})", ""]
    return "\n".join(lines)


def as_html(metrics: Mapping[str, Any], folder: Path, figures: Sequence[str]) -> str:
    """Return the whole report as one page that needs no other file.

    Parameters
    ----------
    metrics
        The content of `metrics.json`.
    folder, figures
        Where the figures are, and their names.
    """
    title = html.escape(f"Benchmark of {metrics['surrogate']['name']}")
    body = [f"<h1>{title}</h1>", f"<p>{html.escape(_data_words(metrics))}</p>"]
    body += [f"<p>{html.escape(sentence)}</p>" for sentence in verdict(metrics)]
    for heading, table in [*_tables(metrics), _species_section(metrics)]:
        body += [f"<h2>{html.escape(heading)}</h2>", html_table(table)]
    body += [f'<p class="note">{html.escape(note)}</p>' for note in _notes(metrics)]
    for name in figures:
        image = base64.b64encode((folder / name).read_bytes()).decode("ascii")
        body.append(
            f'<h2>{FIGURES[name]}</h2><img alt="{FIGURES[name]}" src="data:image/png;base64,{image}">'
        )
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _tables(metrics: Mapping[str, Any]) -> list[tuple[str, list[Row]]]:
    scores = metrics["scores"]
    tables = [(title, score_table(scores, methods)) for title, methods in SECTIONS]
    tables = [(title, table) for title, table in tables if len(table) > 1]
    if metrics["trust"] is not None:
        tables.append(("Trust: the states of the full rollout that are kept", trust_table(metrics["trust"])))
    return [
        *tables,
        ("Conservation", conservation_table(scores)),
        ("Ten times as long as the tracers", long_rollout_table(metrics["long_rollout"])),
        ("Speed", speed_table(metrics["speed"])),
    ]


def _species_section(metrics: Mapping[str, Any]) -> tuple[str, list[Row]]:
    return "Worst species of the full rollout", species_table(metrics["scores"]["rollout"]["by_species"], 15)


def _trust_words(trust: Mapping[str, Any] | None) -> list[str]:
    """Return what leaving out the distrusted states is worth, in a sentence."""
    if trust is None:
        return ["It was never calibrated, so it cannot say which states to trust."]
    whole, kept = trust["at_coverage"]["1"], trust["at_coverage"]["0.8"]
    return [
        f"It knows which states are bad: without the 20 % that it trusts least, mLAE is {kept['mlae']:.3f} "
        f"and LAE99 {kept['lae99']:.2f} dex, {_beside_all(trust, '0.8'):.2f} of that of all."
        if kept["lae99"] < 0.9 * whole["lae99"]
        else f"Its trust tells little: without the 20 % trusted least, LAE99 is {kept['lae99']:.2f} dex."
    ]


def _notes(metrics: Mapping[str, Any]) -> list[str]:
    """Return how the figures are to be read."""
    settings = metrics["settings"]
    notes = [
        "mLAE and LAE99: mean and 99th percentile of |log10 predicted - log10 true| in dex, both clipped "
        f"at {settings['floor']:g}; visible: where the true abundance is above {settings['visible']:g}; "
        "relative: mean |predicted - true| / true; steps: mLAE at that step. All against the raw truth.",
    ]
    if "note" in metrics["speed"]:
        notes.append(f"Speed: {metrics['speed']['note']}.")
    return notes


def _data_words(metrics: Mapping[str, Any]) -> str:
    data, surrogate = metrics["data"], metrics["surrogate"]
    kind = "a direct emulator" if surrogate["direct"] else f"{surrogate['latents']} latents"
    if surrogate["members"] > 1:
        kind += f", an ensemble of {surrogate['members']}"
    return (
        f"{data['split']} split of {data['preprocess']}: {data['tracers']} tracers, {data['rows']} rows, "
        f"{surrogate['species']} species; {kind}, {surrogate['parameters']:,} parameters"
    )


def _score_cells(score: Mapping[str, Any], steps: Sequence[str]) -> list[str]:
    main = [_dex(score[name]) for name in ("mlae", "lae99", "mlae_visible", "lae99_visible")]
    relative = score["mean_relative_error"]
    at_step = [_dex(score["at_step"][step]["mlae"]) if step in score["at_step"] else "" for step in steps]
    return [*main, f"{relative:.3g}", *at_step]


def _dex(value: float) -> str:
    return f"{value:.3f}"
