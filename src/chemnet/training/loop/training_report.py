"""The report of a training: ``summary.json`` and ``curves.png``, made from the records of its epochs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chemnet.config import ConfigDict
from chemnet.data.metric_meanings import heading
from chemnet.errors import ResultsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS_FILE = "metrics.jsonl"
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


def curves(records: Sequence[Record], monitor: str) -> Figure:
    """Return a figure of the losses, the errors in dex and the learning rate against the epoch."""
    from matplotlib.ticker import MaxNLocator

    from chemnet.figure_style import figure_style, paper_figure

    # (label, figures, share of the height)
    panels = [
        ("loss", ["train_loss", "validate_loss"], 3),
        ("error [dex]", ["validate_mlae", "validate_lae99"], 3),
        ("learning\nrate", ["lr"], 1),
    ]
    present = [(label, [one for one in names if one in records[-1]], share) for label, names, share in panels]
    shown = [panel for panel in present if panel[1]] or [("", [], 1)]
    with figure_style():
        figure = paper_figure(20.0 + 14.0 * sum(share for *_, share in shown), layout=None)
        # fixed margins and plain labels: other layouts and ticks cost more than a short training
        figure.subplots_adjust(left=0.115, right=0.99, top=0.97, bottom=0.11, hspace=0.08)
        ratios = [share for *_, share in shown]
        axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
        for axis, (label, names, _) in zip(axes, shown, strict=True):
            _draw_curves(axis, records, names)
            axis.set_ylabel(label)
            axis.yaxis.set_label_coords(-0.075, 0.5)
        if monitor in records[-1]:
            best = int(min(records, key=lambda record: record[monitor])["epoch"])
            for axis in axes:
                words = f"best epoch: {best}" if axis is axes[0] else None
                axis.axvline(best, color="grey", linewidth=0.6, linestyle=":", label=words)
        for axis in axes[:-1] if len(axes) > 1 else axes:
            axis.legend()
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes[-1].set_xlabel("epoch")
    return figure


def _draw_curves(axis: Axes, records: Sequence[Record], names: Sequence[str]) -> None:
    """Draw some figures against the epoch; on a logarithmic axis where all are positive."""
    epochs = [record["epoch"] for record in records]
    marker = "o" if len(epochs) == 1 else None
    for name in names:
        axis.plot(epochs, [record[name] for record in records], marker=marker, label=heading(name))
    values = {record[name] for record in records for name in names}
    if values and min(values) > 0:
        _log_scale(axis)
    if len(names) == len(values) == 1:  # a constant learning rate need not be 1, 2 or 5
        axis.set_yticks(list(values), [f"{value:g}" for value in values])


def _log_scale(axis: Axes) -> None:
    """Make a y axis logarithmic, with plain numbers at 1, 2 and 5, and at more where it spans less."""
    from matplotlib.ticker import LogLocator

    axis.set_yscale("log")
    axis.minorticks_off()
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter("{x:g}")


def write_curves(folder: Path, records: Sequence[Record], config: ConfigDict) -> None:
    """Write ``curves.png``."""
    from chemnet.figure_style import save_figure

    save_figure(curves(records, config["train"]["monitor"]), folder / CURVES_FILE, config)
