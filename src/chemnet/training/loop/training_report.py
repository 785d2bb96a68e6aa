"""The report of a training: ``summary.json`` and ``curves.png``, made from the records of its epochs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chemnet.errors import ResultsError
from chemnet.training.loop.handlers import METRICS_FILE

SUMMARY_FILE = "summary.json"
CURVES_FILE = "curves.png"
Record = dict[str, float]


def read_records(path: Path) -> list[Record]:
    """Return the records in a ``metrics.jsonl``.

    Raises
    ------
    ResultsError
        When a line is not JSON.
    """
    return _records(path.read_text(encoding="utf-8"), path)


def _records(text: str, path: Path) -> list[Record]:
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        raise ResultsError(f"{path} is damaged: {error}", hint="train again") from error


def records_of(folder: Path, epochs: int) -> list[Record]:
    """Return the records of the first `epochs` epochs of an earlier run; later ones are trained again."""
    path = folder / METRICS_FILE
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    # a process killed while it wrote leaves half a line, of an epoch that its state does not know
    records = _records(text[: text.rfind("\n") + 1], path)
    return [record for record in records if record["epoch"] <= epochs]


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write ``summary.json``."""
    (folder / SUMMARY_FILE).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


def curves(records: Sequence[Record], monitor: str) -> Any:
    """Return a figure of the losses, the errors in dex and the learning rate against the epoch."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [record["epoch"] for record in records]
    panels = [
        ("loss", ["train_loss", "validate_loss"]),
        ("error [dex]", ["validate_mlae", "validate_lae99"]),
        ("learning rate", ["lr"]),
    ]
    shown = [(title, [name for name in names if records and name in records[-1]]) for title, names in panels]
    shown = [(title, names) for title, names in shown if names]
    figure = Figure(figsize=(8.0, 2.6 * max(1, len(shown))))
    # fixed margins and plain labels: other layouts and ticks cost more than a short training
    figure.subplots_adjust(left=0.11, right=0.98, top=0.98, bottom=0.07, hspace=0.08)
    axes = figure.subplots(max(1, len(shown)), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (title, names) in zip(axes, shown, strict=False):
        for name in names:
            axis.plot(epochs, [record[name] for record in records], label=name)
        if monitor in records[-1]:
            best = min(records, key=lambda record: record[monitor])
            axis.axvline(best["epoch"], color="grey", linewidth=0.8, linestyle=":", label="best epoch")
        if all(record[name] > 0 for record in records for name in names):
            _log_scale(axis)
        axis.set_ylabel(title)
        axis.legend(frameon=False, fontsize="small")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[-1].set_xlabel("epoch")
    return figure


def _log_scale(axis: Any) -> None:
    """Make a y axis logarithmic, with plain numbers at 1, 2 and 5, and at more where it spans less."""
    from matplotlib.ticker import LogLocator

    axis.set_yscale("log")
    axis.minorticks_off()
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter("{x:g}")


def write_curves(folder: Path, records: Sequence[Record], monitor: str) -> None:
    """Write ``curves.png``."""
    curves(records, monitor).savefig(folder / CURVES_FILE, dpi=120, pil_kwargs={"compress_level": 1})
