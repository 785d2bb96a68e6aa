"""Whether a surrogate stays physical when it runs much longer than in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from chemnet.data import abundance_errors
from chemnet.data.histories import HistorySource
from chemnet.evaluation import element_drift
from chemnet.surrogate.surrogate import Surrogate

# cells that are rolled out, how many times the length of the tracers, and the rows that are looked at
LONG_CELLS, LONG_FACTOR, _LONG_ROWS = 16, 10, 200


def long_rollout(surrogate: Surrogate, source: HistorySource, floor: float) -> dict[str, Any]:
    """Return how predictions behave under constant parameters over ten times the tracers' length.

    Parameters
    ----------
    surrogate
        What is tried.
    source
        The tracers whose initial states are taken; each meets the parameters of its own middle row.
    floor
        Abundance that changes are clipped at.

    Returns
    -------
    dict
        `cells`, `steps` of `step_years` [yr], `not_finite` (states), `least` and `most` abundance,
        `element_drift`, and curves over the rows `step`: `drift`, the largest of any cell and element, and
        how much log10 abundances change per step [dex], in the mean over species: `change` of all cells and
        `worst_change` of the cell that changes most.
    """
    cells = np.unique(np.linspace(0, len(source) - 1, LONG_CELLS).astype(np.int64))
    histories = source.read(cells)
    middle = source.lengths[cells] // 2
    steps = LONG_FACTOR * (source.longest - 1)
    constant = histories.physical[np.arange(len(cells)), middle]
    physical = np.repeat(constant[:, None], steps + 1, axis=1)
    rows = np.unique(np.linspace(0, steps, _LONG_ROWS).astype(np.int64))
    usual = float(np.median(histories.dt))
    start = histories.abundance[:, 0]
    predicted = surrogate.emulate(physical, start, usual, rows=rows).astype(np.float64)
    drift = element_drift.element_drift(predicted, start[:, None], surrogate.data.stoichiometry)
    logs = abundance_errors.log_abundance(predicted, floor)
    by_cell = np.abs(np.diff(logs, axis=1)).mean(axis=2) / np.diff(rows)
    change = by_cell.mean(axis=0)
    return {
        "cells": len(cells),
        "steps": int(steps),
        "step_years": usual,
        "not_finite": int((~np.isfinite(predicted)).any(axis=-1).sum()),
        "least": float(predicted[:, 1:].min()),
        "most": float(predicted.max()),
        "element_drift": float(drift.max()),
        "step": rows[1:].tolist(),
        "drift": drift.max(axis=(0, 2))[1:].tolist(),
        "change": change.tolist(),
        "worst_change": by_cell.max(axis=0).tolist(),
    }
