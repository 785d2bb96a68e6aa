"""Sweeps side by side: the best trial of each, and what the search cost."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from chemnet.evaluation.comparisons.changed_keys import RECIPE, changed_keys, keys_table, made_from
from chemnet.evaluation.comparisons.comparison import Comparison, Section
from chemnet.results import ResultDirectory
from chemnet.sweeps.ranking import best_of, read_trials
from chemnet.text_tables import Row


def compare_sweeps(results: Mapping[str, ResultDirectory]) -> Comparison:
    """Put sweeps side by side, the best first where they are ranked by the same figure.

    Parameters
    ----------
    results
        Results of `sweep` by name.
    """
    values = {name: _values(result) for name, result in results.items()}
    monitors = {one["monitor"] for one in values.values()}
    order = (
        sorted(values, key=lambda name: values[name]["best_score"]) if len(monitors) == 1 else list(values)
    )
    ranked = {name: results[name] for name in order}
    best = {name: values[name]["best_values"] for name in order}
    keys = dict.fromkeys(key for one in best.values() for key in one)
    found = {key: [one.get(key) for one in best.values()] for key in keys}
    changed = {key: each for key, each in changed_keys(ranked, ("sweep", *RECIPE)).items() if key not in keys}
    sections = [Section("Best trial of each", _table({name: values[name] for name in order}))]
    sections.append(Section("Its values", keys_table(found, order)))
    if changed:
        sections.append(Section("What else sets the sweeps apart", keys_table(changed, order)))
    return Comparison(
        verb="sweep",
        names=tuple(order),
        sections=tuple(sections),
        notes=tuple(_notes(ranked, monitors)),
        values={name: values[name] for name in order},
        summary={"sweeps": len(order), **({"best": order[0]} if len(monitors) == 1 else {})},
    )


def _values(result: ResultDirectory) -> dict[str, Any]:
    result.file("trials.jsonl")  # which is what was written
    trials = read_trials(result.path)
    best = best_of(trials)
    scored = [one for one in trials if one.state != "failed"]
    return {
        "path": str(result.path),
        "component": result.component,
        "monitor": result.summary["monitor"],
        "best_trial": best.number,
        "best_score": best.score,
        "best_values": best.values,
        "best_epoch": best.best_epoch,
        "best_curve": list(best.curve),
        "trials": len(trials),
        "pruned": sum(one.state == "pruned" for one in trials),
        "failed": sum(one.state == "failed" for one in trials),
        "seconds": list(accumulate(one.wall_s for one in scored)),
        "reached": list(accumulate((one.score for one in scored), min)),
    }


def _table(values: Mapping[str, Any]) -> list[Row]:
    head = ["", "component", "figure", "best score", "trial", "best epoch"]
    head += ["trials", "pruned", "failed", "training [s]"]
    rows = [
        [
            name, one["component"] or "", one["monitor"], f"{one['best_score']:.5g}",
            *(str(one[key]) for key in ("best_trial", "best_epoch", "trials", "pruned", "failed")),
            f"{one['seconds'][-1]:.1f}",
        ]
        for name, one in values.items()
    ]  # fmt: skip
    return [head, *rows]


def _notes(results: Mapping[str, ResultDirectory], monitors: set[str]) -> list[str]:
    """Return what makes the scores incomparable."""
    notes = ["Training: seconds spent in epochs by all trials together, by the clock of each worker."]
    if len(monitors) > 1:
        notes.append(
            f"Ranked by different figures ({', '.join(sorted(monitors))}): their scores do not compare."
        )
    data = made_from(results, "preprocess")
    if len(data) > 1:
        notes.append(f"Trained on different data, so compare their scores with care: {', '.join(data)}.")
    return notes
