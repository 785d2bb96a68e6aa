"""Trainings side by side: what each reached, when, and what sets them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from chemnet.data.metric_meanings import METRICS
from chemnet.errors import ResultsError
from chemnet.evaluation.comparisons.changed_keys import RECIPE, changed_keys, keys_table, made_from
from chemnet.evaluation.comparisons.comparison import Comparison, Section
from chemnet.results import ResultDirectory
from chemnet.text_tables import Row
from chemnet.training.loop.training_report import read_records

#: figures of an epoch, the first that all trainings have ranks them
FIGURES = {
    name: METRICS[name].label for name in ("validate_mlae", "validate_lae99", "validate_loss", "train_loss")
}
#: what an epoch takes, the first that all trainings have is the axis of their curves
CLOCKS = {name: METRICS[name].label for name in ("cpu_s", "wall_s")}


def compare_trainings(results: Mapping[str, ResultDirectory]) -> Comparison:
    """Put trainings side by side, the best first.

    Parameters
    ----------
    results
        Results of `train` by name.

    Raises
    ------
    ResultsError
        When a training has no epochs, or no figure is common to all.
    """
    records = {name: _records(result) for name, result in results.items()}
    every = [record for one in records.values() for record in one]
    clock = next(name for name in CLOCKS if all(name in record for record in every))
    ranking = next((name for name in FIGURES if all(name in record for record in every)), None)
    if ranking is None:
        raise ResultsError(
            "the trainings have no figure in common", hint=f"each has one of {', '.join(FIGURES)}"
        )
    values = {name: _values(results[name], records[name], clock) for name in results}
    order = sorted(
        values, key=lambda name: values[name]["best"].get(ranking, values[name]["lowest"][ranking])
    )
    ranked = {name: results[name] for name in order}
    changed = changed_keys(ranked, RECIPE)
    sections = [Section("Best epoch of each", _table(order, values, clock))]
    if changed:
        sections.append(Section("What sets them apart", keys_table(changed, order)))
    return Comparison(
        verb="train",
        names=tuple(order),
        sections=tuple(sections),
        notes=tuple(_notes(ranked, ranking, clock, changed)),
        values={
            "ranking": ranking,
            "label": FIGURES[ranking],
            "clock": CLOCKS[clock],
            "trainings": {name: values[name] for name in order},
        },
        summary={
            "best": order[0],
            "ranking": ranking,
            "trainings": len(order),
            "changed_keys": list(changed),
        },
    )


def _records(result: ResultDirectory) -> list[dict[str, float]]:
    found = read_records(result.file("metrics.jsonl"))
    if not found:
        raise ResultsError(f"{result.name} holds no epoch", hint="train it for one epoch at least")
    return found


def _values(result: ResultDirectory, records: Sequence[Mapping[str, float]], clock: str) -> dict[str, Any]:
    """Return what table and picture need of a training."""
    summary = result.summary
    shown = [name for name in FIGURES if name in records[0]]
    curves = {name: [record[name] for record in records] for name in ("epoch", *shown)}
    seconds = [round(value, 4) for value in accumulate(record[clock] for record in records)]
    return {
        "path": str(result.path),
        "model": summary["model"],
        "parameters": summary["parameters"],
        "best_epoch": summary["best_epoch"],
        "epochs": summary["epochs"],
        "ended_by": summary["ended_by"],
        # of the epoch whose weights were kept, which may be the start of a fine-tuning
        "best": {name: summary[name] for name in shown if name in summary},
        "lowest": {name: min(curves[name]) for name in shown},
        "seconds": seconds,
        "curves": curves,
    }


def _table(order: Sequence[str], values: Mapping[str, Any], clock: str) -> list[Row]:
    """Return head and rows, one per training."""
    figures = [name for name in FIGURES if any(name in one["best"] for one in values.values())]
    head = ["", "model", "parameters", *(FIGURES[name] for name in figures)]
    head += ["best epoch", "epochs", CLOCKS[clock], "ended by"]
    rows = []
    for name in order:
        one = values[name]
        cells = [f"{one['best'][figure]:.4g}" if figure in one["best"] else "-" for figure in figures]
        ends = [str(one["best_epoch"]), str(one["epochs"]), f"{one['seconds'][-1]:.1f}", one["ended_by"]]
        rows.append([name, one["model"], f"{one['parameters']:,}", *cells, *ends])
    return [head, *rows]


def _notes(
    results: Mapping[str, ResultDirectory], ranking: str, clock: str, changed: Mapping[str, Any]
) -> list[str]:
    """Return how the figures are to be read, and what makes them incomparable."""
    notes = [
        "Figures of the epoch whose weights were kept, on the validation split, the lowest "
        f"{FIGURES[ranking]} first."
    ]
    if len({result.summary["role"] for result in results.values()}) > 1:
        notes.append(
            "They do different things, so their figures do not compare: an autoencoder is scored by what it "
            "restores, an emulator by what it predicts."
        )
    data = made_from(results, "preprocess")
    if len(data) > 1:
        notes.append(
            f"Trained and validated on different data, so compare their figures with care: {', '.join(data)}."
        )
    if ranking.endswith("loss") and any(key.startswith("criterion") for key in changed):
        notes.append("Ranked by losses that mean different things: their criterion is not the same.")
    if clock == "wall_s":
        notes.append("Some were trained before chemnet recorded CPU time: all are shown against wall time.")
    if not changed:
        notes.append("No key of the recipe, the model or the seed sets them apart.")
    return notes
