"""Error against cost: what each way to predict is off by, and the CPU time that it takes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.config import ConfigDict
from chemnet.data.histories import Histories
from chemnet.data.preprocessed import PreprocessedData
from chemnet.evaluation.compared_predictors import PricedWay, priced_ways
from chemnet.evaluation.score_sums import Forecast, Rules, Scores
from chemnet.evaluation.score_tracers import Judge
from chemnet.evaluation.speed import SPEED_CELLS
from chemnet.progress import progress
from chemnet.surrogate.surrogate import Surrogate
from chemnet.training.parallel.devices import one_thread

# what takes less CPU time than this [s] is timed once more, with as many cells as it allows: networks are
# slow with few
_TIMED = 5.0
_ERRORS = (
    "mlae", "lae99", "mlae_visible", "lae99_visible", "mlae_abundant", "lae99_abundant", "solver_share",
)  # fmt: skip


def error_against_cost(
    surrogate: Surrogate, judge: Judge, data: PreprocessedData, config: ConfigDict
) -> dict[str, Any] | None:
    """Return error and CPU time of every way to predict some tracers of the scored split.

    Parameters
    ----------
    surrogate
        What is benchmarked; it is on its device again afterwards.
    judge, data
        What it is scored on.
    config
        ``benchmark.cost_tracers`` says how many tracers, evenly spaced.

    Returns
    -------
    dict or None
        `tracers`, `steps`, a `note` and `rows`: `kind`, `setting`, errors [dex], `first_step` [dex],
        `solver_share` and `cpu_ms`, the CPU time [ms] of all threads per cell and step; None for no tracers.
    """
    wanted = config["benchmark"]["cost_tracers"]
    if not wanted:
        return None
    device = surrogate.device
    chosen = np.unique(np.linspace(0, len(judge.source) - 1, wanted).astype(np.int64))
    try:
        ways, note = priced_ways(surrogate.to("cpu"), judge, data, config)
        histories = judge.source.read(chosen)
        with one_thread(), progress(total=len(ways), desc="error against cost", unit="way") as bar:
            rows = []
            for way in ways:
                rows.append(_measured(way, histories, judge.rules))
                bar.update(1)
    finally:
        surrogate.to(device)
    return {"tracers": len(chosen), "steps": histories.dt.shape[1], "note": note, "rows": rows}


def _measured(way: PricedWay, histories: Histories, rules: Rules) -> dict[str, Any]:
    """Return a row of the table: what one way is off by, and what it costs."""
    way.predict(_part(histories, np.zeros(1, dtype=np.int64), 3))  # compiles
    forecast, seconds = _timed(way, histories)
    n_cells = min(SPEED_CELLS, int(len(histories) * _TIMED / max(seconds, 1e-3)))
    if n_cells > len(histories) and way.kind != "solver":  # which does one cell after another
        many = _part(histories, np.arange(n_cells) % len(histories), histories.time.shape[1])
        seconds = _timed(way, many)[1] * len(histories) / n_cells
    scores = Scores(rules, 1)
    scores.add(forecast, histories)
    found = scores.to_dict()
    return {
        "kind": way.kind,
        "setting": way.setting,
        **{name: found[name] for name in _ERRORS},
        "first_step": found["at_step"]["1"]["mlae"],
        "cpu_ms": 1e3 * seconds / histories.dt.size,
    }


def _timed(way: PricedWay, histories: Histories) -> tuple[Forecast, float]:
    """Return a forecast and the CPU time that it took [s]."""
    started = time.process_time()
    forecast = way.predict(histories)
    return forecast, time.process_time() - started


def _part(histories: Histories, cells: NDArray[np.int64], rows: int) -> Histories:
    """Return the first rows of some histories, any of them more than once."""
    return replace(
        histories,
        physical=histories.physical[cells, :rows],
        abundance=histories.abundance[cells, :rows],
        time=histories.time[cells, :rows],
        dt=histories.dt[cells, : rows - 1],
        valid=histories.valid[cells, :rows],
        tracer_ids=tuple(histories.tracer_ids[cell] for cell in cells),
    )
