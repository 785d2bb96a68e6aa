"""How far a rolled-out emulator strays from the truth, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chemnet.datasets.inference_results import InferenceDataset
from chemnet.plots.figures import figure_style

FLOOR = 1e-20  # abundances below it count as equal, as in the CODES benchmark


@dataclass(frozen=True)
class RolloutErrors:
    """Mean absolute error of log10 abundances [dex], per step along a tracer.

    Attributes
    ----------
    steps
        Shape ``(steps,)``: 1, 2, ...; step 0 is given.
    emulator, persistence
        Shape ``(steps,)``: of the rollout, and of a prediction that nothing ever changes.
    """

    steps: NDArray[np.int64]
    emulator: NDArray[np.float64]
    persistence: NDArray[np.float64]


def rollout_errors(data: InferenceDataset) -> RolloutErrors:
    """Compare an emulator's infer result with the raw truth.

    Parameters
    ----------
    data
        The infer result; whole tracers, each from step 0.

    Returns
    -------
    RolloutErrors
        Means over tracers and species.
    """
    longest = int(data.rows["step"].max())
    sums = np.zeros((2, longest + 1))
    counts = np.zeros(longest + 1)
    for tracer in data.tracer_ids:
        rows = data.tracer_rows(tracer)
        steps = data.rows["step"][rows]
        truth = _log(data.truth(rows))
        sums[0, steps] += np.abs(_log(data.take("abundance", rows)) - truth).mean(axis=1)
        sums[1, steps] += np.abs(truth[:1] - truth).mean(axis=1)
        counts[steps] += 1.0
    emulator, persistence = sums[:, 1:] / np.maximum(counts[1:], 1.0)
    return RolloutErrors(np.arange(1, longest + 1), emulator, persistence)


def draw_rollout_errors(errors: RolloutErrors) -> Figure:
    """Draw the errors against the step, on logarithmic axes."""
    with figure_style():
        figure = Figure(figsize=(6.0, 4.0), layout="constrained")
        axis = figure.subplots()
        axis.loglog(
            errors.steps, np.maximum(errors.persistence, 1e-4), "--", label="persistence: nothing changes"
        )
        axis.loglog(errors.steps, np.maximum(errors.emulator, 1e-4), label="emulator, from step 0")
        axis.set_xlabel("steps after the initial state")
        axis.set_ylabel("mean error of all species [dex]")
        axis.set_title("Rollout along tracers that training never saw")
        axis.legend()
    return figure


def draw_trajectories(data: InferenceDataset, tracer: str, species: Sequence[str]) -> Figure:
    """Draw true and predicted abundances of some species along one tracer.

    Parameters
    ----------
    data
        An emulator's infer result.
    tracer
        Id of the tracer.
    species
        What to draw; names that the data does not have are left out.
    """
    rows = data.tracer_rows(tracer)
    time = data.time[rows] / 1e3
    truth, predicted = _log(data.truth(rows)), _log(data.take("abundance", rows))
    with figure_style():
        figure = Figure(figsize=(7.5, 4.5), layout="constrained")
        axis = figure.subplots()
        for number, name in enumerate(one for one in species if one in data.species):
            column, colour = data.species.index(name), f"C{number}"
            axis.plot(time, truth[:, column], color=colour, label=name)
            axis.plot(time, predicted[:, column], "--", color=colour)
        axis.set_xlabel("time [kyr]")
        axis.set_ylabel("log abundance per H nucleus")
        axis.set_title(f"Tracer {tracer}: truth (solid) and emulator (dashed)")
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _log(abundances: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log10 of abundances, the floor in place of less."""
    return np.log10(np.clip(abundances.astype(np.float64), FLOOR, 1.0))
