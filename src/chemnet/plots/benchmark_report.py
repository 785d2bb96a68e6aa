"""The report of a benchmark in words and tables: on the screen, as Markdown, as one self-contained page."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chemnet.data.metric_meanings import heading, tooltip
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
from chemnet.plots.report_page import embedded_picture, note, paragraph, report_page
from chemnet.plots.report_page import heading as section_heading
from chemnet.text_tables import Row, aligned, html_table, markdown_table

#: what is compared in tables of their own: their title, and the methods in them
COMPARED = (
    (
        "Full rollout from the initial state",
        ("rollout", "rollout_unconserved", "nearest_neighbour", "persistence"),
    ),
    ("One step from the true state", ("one_step", "one_step_persistence")),
    ("Compression alone", ("reconstruction", "pca")),
)
FIGURES = {
    "error_by_step.png": "Error against time",
    "trajectories.png": "Trajectories: truth solid, surrogate dashed",
    "worst_species.png": "The worst species",
    "error_map.png": "Error over density and temperature",
    "risk_coverage.png": "Trust: the error of what is kept, and expected beside true errors",
    "error_against_cost.png": "Error against CPU time",
    "conservation.png": "Conservation of elements and charge",
    "long_rollout.png": "Ten times as long as the tracers, under constant parameters",
}
_TEXT_WIDTH = 100
# a difference between surrogate and baseline that equals would show more often than this is none
_MOST_CHANCE = 0.05


@dataclass(frozen=True)
class Section:
    """A part of the report: its title, its table, and the names of its figures."""

    title: str
    table: list[Row]
    figures: tuple[str, ...] = ()


def verdict(metrics: Mapping[str, Any]) -> list[str]:
    """Return what the figures say, in sentences."""
    scores, data = metrics["scores"], metrics["data"]
    rollout = scores["rollout"]
    sentences = [
        f"From the initial state alone, over {data['steps'] - 1} steps of {data['tracers']} {data['split']} "
        f"tracers, the mean error of the surrogate is {rollout['mlae']:.3f} dex (mLAE); for 1 % of the "
        f"values the error is above {rollout['lae99']:.2f} dex (LAE99).",
        _beside_baselines(scores, data),
        f"Elements drift by at most {rollout['element_drift']:.1e} in any cell and step.",
    ]
    if rollout.get("solver_share") is not None:
        sentences.append(f"The solver made {100.0 * rollout['solver_share']:.1f} % of the steps.")
    if data["inside_domain"] < 1.0:
        outside = 100.0 * (1.0 - data["inside_domain"])
        sentences.append(
            f"{outside:.1f} % of the states lie outside the trained range of a physical parameter."
        )
    sentences += _trust_words(metrics["trust"])
    unstable = rollout["not_finite"] + metrics["long_rollout"]["not_finite"]
    if unstable:
        sentences.append(f"{unstable} states are not finite: do not use this surrogate.")
    return sentences


def _beside_baselines(scores: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return how the surrogate does beside the best baseline, as far as the tracers tell."""
    rollout = scores["rollout"]
    rivals = {name: scores[name] for name in ("nearest_neighbour", "persistence") if name in scores}
    best = min(rivals, key=lambda name: float(rivals[name]["mlae"]))
    rival = heading(best).partition(":")[0]
    if best == "nearest_neighbour":
        # results of before do not say how many
        rival += f" of {data.get('known_tracers', 'the')} tracers"
    theirs, mine = rivals[best]["by_tracer"], rollout["by_tracer"]
    better = sum(mine[tracer] < theirs[tracer] for tracer in mine)
    worse = sum(mine[tracer] > theirs[tracer] for tracer in mine)
    count = f"on {max(better, worse)} of {len(mine)} tracers"
    begin = f"The best baseline without a network ({rival}) is off by {rivals[best]['mlae']:.3f} dex"
    if chance_of(max(better, worse), better + worse) > _MOST_CHANCE:
        return f"{begin}; {len(mine)} tracers do not tell which of the two is better."
    if better > worse:
        factor = rivals[best]["mlae"] / max(rollout["mlae"], 1e-9)
        return f"{begin}, {factor:.1f} times as much; the surrogate is better {count}."
    return f"{begin}: the surrogate is WORSE {count}."


def chance_of(wins: int, games: int) -> float:
    """Return the probability of at least so many wins between equals (the sign test, one-sided).

    Examples
    --------
    >>> chance_of(5, 5), chance_of(3, 5)
    (0.03125, 0.5)
    """
    return sum(math.comb(games, k) for k in range(wins, games + 1)) / 2.0**games


def as_text(metrics: Mapping[str, Any]) -> str:
    """Return the report's tables for a terminal."""
    parts = [f"{metrics['surrogate']['name']} on {_data_words(metrics)}", ""]
    for section in _sections(metrics):
        parts += [section.title, *aligned(section.table), ""]
    words = [textwrap.fill(sentence, _TEXT_WIDTH) for sentence in (*verdict(metrics), *_notes(metrics))]
    further = [f"- {line}" for line in metrics.get("next_steps", [])]
    advice = [textwrap.fill(line, _TEXT_WIDTH, subsequent_indent="  ") for line in further]
    return "\n".join([*parts, *words, *(["", "What to try next", *advice] if advice else [])])


def as_markdown(metrics: Mapping[str, Any], figures: Sequence[str]) -> str:
    """Return the whole report as Markdown; figures are linked by their names."""
    lines = [f"# Benchmark of {metrics['surrogate']['name']}", "", _data_words(metrics), ""]
    lines += [*verdict(metrics), "", *_notes(metrics), ""]
    for section in _whole(metrics):
        lines += [f"## {section.title}", "", *markdown_table(section.table), ""]
        for name in section.figures:
            if name in figures:
                lines += [f"![{FIGURES[name]}]({name})", ""]
    if metrics.get("next_steps"):
        lines += ["## What to try next", "", *(f"- {line}" for line in metrics["next_steps"]), ""]
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
    title = f"Benchmark of {metrics['surrogate']['name']}"
    body = [f"<h1>{html.escape(title)}</h1>", paragraph(_data_words(metrics))]
    body += [*map(paragraph, verdict(metrics)), *map(note, _notes(metrics))]
    body.append(note("Point at a heading, or at the name of a row, to read what it means."))
    for section in _whole(metrics):
        body += [section_heading(section.title), html_table(section.table, tooltip)]
        body += [embedded_picture(folder / one, FIGURES[one]) for one in section.figures if one in figures]
    if metrics.get("next_steps"):
        items = "".join(f"<li>{html.escape(line)}</li>" for line in metrics["next_steps"])
        body.append(f"{section_heading('What to try next')}<ul>{items}</ul>")
    return report_page(title, body)


def _sections(metrics: Mapping[str, Any]) -> list[Section]:
    """Return the report's sections but the last, in the order of their weight."""
    scores, trust = metrics["scores"], metrics["trust"]
    compared = [Section(title, score_table(scores, methods)) for title, methods in COMPARED]
    compared[0] = replace(compared[0], figures=("error_by_step.png", "trajectories.png", "error_map.png"))
    sections = [section for section in compared if len(section.table) > 1]
    if trust is not None:
        title = "Trust: the states of the full rollout that are kept"
        sections.append(Section(title, trust_table(trust), ("risk_coverage.png",)))
    priced = metrics.get("error_against_cost")  # results of before have none
    if priced is not None:
        title = f"Error against CPU time: {priced['tracers']} of the tracers, {priced['steps']} steps"
        sections.append(Section(title, cost_table(priced), ("error_against_cost.png",)))
    endurance = long_rollout_table(metrics["long_rollout"])
    return [
        *sections,
        Section("Conservation", conservation_table(scores), ("conservation.png",)),
        Section("Ten times as long as the tracers", endurance, ("long_rollout.png",)),
        Section("Speed", speed_table(metrics["speed"])),
    ]


def _whole(metrics: Mapping[str, Any]) -> list[Section]:
    """Return all sections: the worst species, too many for a terminal, come last."""
    table = species_table(metrics["scores"]["rollout"]["by_species"], 15)
    return [*_sections(metrics), Section("Worst species of the full rollout", table, ("worst_species.png",))]


def _trust_words(trust: Mapping[str, Any] | None) -> list[str]:
    """Return what leaving out the distrusted states is worth, in a sentence."""
    if trust is None:
        return ["It was never calibrated, so it cannot say which states to trust."]
    kept = trust["at_coverage"]["0.8"]
    words = [
        f"Its trust finds bad states: without the 20 % trusted least, mLAE is {kept['mlae']:.3f} "
        f"and LAE99 {kept['lae99']:.2f} dex, {lae99_beside_all(trust, '0.8'):.2f} of that of all."
        if _is_worth_something(trust)
        else "Its trust in whole states says little: without the 20 % trusted least, LAE99 is "
        f"{kept['lae99']:.2f} dex, {lae99_beside_all(trust, '0.8'):.2f} of that of all."
    ]
    by_species = trust.get("by_species")
    if by_species is not None and _is_worth_something(by_species):
        kept, share = by_species["at_coverage"]["0.8"], lae99_beside_all(by_species, "0.8")
        words.append(
            "Species by species it finds more: without the 20 % of the values trusted least, mLAE is "
            f"{kept['mlae']:.3f} and LAE99 {kept['lae99']:.2f} dex, {share:.2f} of that of all."
        )
    return words


def _is_worth_something(trust: Mapping[str, Any]) -> bool:
    """Return whether LAE99 falls, by a tenth and twice its standard error, without the 20 % trusted least."""
    error = trust["at_coverage"]["0.8"].get("beside_all_error") or 0.0
    return lae99_beside_all(trust, "0.8") < 1.0 - max(0.1, 2.0 * error)


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
