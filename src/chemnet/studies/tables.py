"""The figures of studies as tables: short ones to read, and all of them as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = list[str]
#: what each study varies, as its tables and pictures call it
VARIED = {
    "interpolation": "every n-th row",
    "extrapolation": "first rows",
    "sparse": "every n-th tracer",
    "batch_size": "batch size",
}
#: figure -> the name that CODES publishes it by (and chemnet's), its unit and the factor to that unit
PUBLISHED = {
    "rmse": ("RMSE", "", 1.0),
    "mae": ("MAE", "", 1.0),
    "median_ae": ("Median AE", "", 1.0),
    "ae99": ("99th Perc. AE", "", 1.0),
    "rmse_log": ("RMSE (log)", "dex", 1.0),
    "mlae": ("MAE (log), mLAE", "dex", 1.0),
    "median_ae_log": ("Median AE (log)", "dex", 1.0),
    "lae99": ("99th Perc. AE (log), LAE99", "dex", 1.0),
    "mre": ("MRE", "%", 100.0),
    "median_re": ("Median RE", "%", 100.0),
    "re99": ("99th Perc. RE", "%", 100.0),
}
_ENSEMBLE = {
    "uncertainty": "Mean Log Uncertainty [dex]",
    "mae": "DE MAE [dex]",
    "median_ae": "DE Median AE [dex]",
    "ae99": "DE 99th Perc. AE [dex]",
    "correlation": "UQ-Error PCC",
}
_SHOWN = ("mlae", "lae99", "mae", "mre")


def accuracy_table(main: Mapping[str, Any], name: str) -> list[Row]:
    """Return head and rows of the main table: one figure each of the training on everything."""
    rows = [[_titled(figure), _number(main["errors"][figure] * PUBLISHED[figure][2])] for figure in PUBLISHED]
    counts = {
        "Epochs": str(main["epochs"]),
        "Train Time [s]": f"{main['wall_s']:.1f}",
        "# Trainable Params": str(main["parameters"]),
    }
    return [["Metric", name], *rows, *map(list, counts.items())]


def study_table(study: str, records: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return head and rows of one of the studies in `VARIED`, the training on everything among the rows."""
    head = [VARIED[study], "tracers", "rows", *map(_titled, _SHOWN), "epochs", "time [s]"]
    return [head, *map(_study_row, records)]


def failures(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each training that failed, with the reason."""
    return [f"{one['value']}: {one['reason']}" for one in records if one["state"] == "failed"]


def ensemble_table(ensemble: Mapping[str, Any], main: Mapping[str, Any], name: str) -> list[Row]:
    """Return head and rows of the table of the deep ensemble, beside its first member alone."""
    told = {"members": str(ensemble["members"])}
    told |= {title: _number(ensemble[figure]) for figure, title in _ENSEMBLE.items()}
    told[f"{_titled('mlae')} of one member"] = _number(main["errors"]["mlae"])
    return [["Metric", name], *map(list, told.items())]


def write_csv(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write all figures of some trainings, a row each; what failed has empty cells."""
    head = [
        "study",
        "value",
        "state",
        "tracers",
        "rows",
        "epochs",
        "wall_s",
        *PUBLISHED,
        "not_finite",
        "result",
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, head, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**record, **record["errors"]} for record in records)


def _study_row(record: Mapping[str, Any]) -> Row:
    if record["state"] == "failed":
        return [str(record["value"]), *["-"] * (len(_SHOWN) + 3), "failed"]
    errors = [_number(record["errors"][figure] * PUBLISHED[figure][2]) for figure in _SHOWN]
    counts = [str(record[name]) for name in ("value", "tracers", "rows")]
    return [*counts, *errors, str(record["epochs"]), f"{record['wall_s']:.1f}"]


def _titled(figure: str) -> str:
    title, unit, _ = PUBLISHED[figure]
    return f"{title} [{unit}]" if unit else title


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
