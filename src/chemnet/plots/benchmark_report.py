"""The report of a benchmark in words and tables: on the screen, as Markdown, as one self-contained page."""

from __future__ import annotations

import base64
import html
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chemnet.plots.benchmark_figures import LABELS
from chemnet.plots.benchmark_tables import (
    conservation_table,
    cost_table,
    lae99_beside_all,
    long_rollout_table,
    score_table,
    species_table,
    speed_table,
    trust_table,
)
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
    "error_against_cost.png": "Error against CPU time",
    "error_by_step.png": "Error against the step",
    "trajectories.png": "Trajectories: truth solid, surrogate dashed",
    "worst_species.png": "The worst species",
    "error_map.png": "Error over density and temperature",
    "conservation.png": "Conservation of elements and charge",
    "risk_coverage.png": "Trust: the error of what is kept, and expected beside true errors",
    "long_rollout.png": "Ten times as long as the tracers, under constant parameters",
}
_TEXT_WIDTH = 100
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { display: block; overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0 1.4rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; }
p.note { color: #555; }
"""


def verdict(metrics: Mapping[str, Any]) -> list[str]:
    """Return what the figures say, in sentences."""
    scores, data = metrics["scores"], metrics["data"]
    rollout = scores["rollout"]
    rivals = {name: scores[name]["mlae"] for name in ("nearest_neighbour", "persistence") if name in scores}
    best = min(rivals, key=lambda name: rivals[name])
    factor = rivals[best] / max(rollout["mlae"], 1e-9)
    rival = LABELS[best].partition(":")[0]
    if best == "nearest_neighbour":
        # results of before do not say how many
        rival += f" of {data.get('known_tracers', 'the')} tracers"
    compared = (
        f"The best baseline without a network ({rival}) has {factor:.1f} times this error"
        if factor >= 1.0
        else f"That is WORSE than the best baseline without a network ({rival})"
    )
    sentences = [
        f"From the initial state alone, over {data['steps'] - 1} steps of {data['tracers']} {data['split']} "
        f"tracers, the surrogate is off by {rollout['mlae']:.3f} dex in the mean (mLAE); 1 % of the values "
        f"are off by more than {rollout['lae99']:.2f} dex (LAE99). {compared}: {rivals[best]:.3f} dex.",
        f"Elements drift by at most {rollout['element_drift']:.1e} in any cell and step.",
    ]
    if rollout.get("solver_share") is not None:
        sentences.append(f"The solver did {100.0 * rollout['solver_share']:.1f} % of the steps for it.")
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
    further = [f"- {line}" for line in metrics.get("next_steps", [])]
    advice = [textwrap.fill(line, _TEXT_WIDTH, subsequent_indent="  ") for line in further]
    return "\n".join([*parts, *words, *(["", "What to try next", *advice] if advice else [])])


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
    if metrics.get("next_steps"):
        lines += ["## What to try next", "", *(f"- {line}" for line in metrics["next_steps"]), ""]
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
    if metrics.get("next_steps"):
        items = "".join(f"<li>{html.escape(line)}</li>" for line in metrics["next_steps"])
        body.append(f"<h2>What to try next</h2><ul>{items}</ul>")
    for name in figures:
        image = base64.b64encode((folder / name).read_bytes()).decode("ascii")
        body.append(
            f'<h2>{FIGURES[name]}</h2><img alt="{FIGURES[name]}" src="data:image/png;base64,{image}">'
        )
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f"<title>{title}</title><style>{_STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _tables(metrics: Mapping[str, Any]) -> list[tuple[str, list[Row]]]:
    scores = metrics["scores"]
    tables = [(title, score_table(scores, methods)) for title, methods in SECTIONS]
    tables = [(title, table) for title, table in tables if len(table) > 1]
    if metrics["trust"] is not None:
        tables.append(("Trust: the states of the full rollout that are kept", trust_table(metrics["trust"])))
    priced = metrics.get("error_against_cost")  # results of before have none
    if priced is not None:
        title = f"Error against CPU time: {priced['tracers']} of the tracers, {priced['steps']} steps"
        tables.append((title, cost_table(priced)))
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
    words = [
        f"It knows which states are bad: without the 20 % that it trusts least, mLAE is {kept['mlae']:.3f} "
        f"and LAE99 {kept['lae99']:.2f} dex, {lae99_beside_all(trust, '0.8'):.2f} of that of all."
        if kept["lae99"] < 0.9 * whole["lae99"]
        else "Its trust in whole states tells little: without the 20 % trusted least, LAE99 is "
        f"{kept['lae99']:.2f} dex, {lae99_beside_all(trust, '0.8'):.2f} of that of all."
    ]
    by_species = trust.get("by_species")
    if by_species is not None:
        kept, share = by_species["at_coverage"]["0.8"], lae99_beside_all(by_species, "0.8")
        words.append(
            "Species by species it knows more: without the 20 % of the values that it trusts least, mLAE is "
            f"{kept['mlae']:.3f} and LAE99 {kept['lae99']:.2f} dex, {share:.2f} of that of all."
        )
    return words


def _notes(metrics: Mapping[str, Any]) -> list[str]:
    """Return how the figures are to be read."""
    settings = metrics["settings"]
    notes = [
        "mLAE and LAE99: mean and 99th percentile of |log10 predicted - log10 true| in dex, both clipped "
        f"at {settings['floor']:g}; visible: where the true abundance is above {settings['visible']:g}; "
        f"abundant: above {settings.get('abundant', 1e-8):g}; by the solver: rows that it computed; "
        "relative: mean |predicted - true| / true; steps: mLAE at that step. All against the raw truth.",
    ]
    priced = metrics.get("error_against_cost")
    if priced is not None:
        notes.append(
            f"Error against CPU time: that of all threads per cell and step; {priced['note']}; errors of the "
            "full rollout as above, first step: mLAE at step 1."
        )
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
