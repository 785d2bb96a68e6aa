"""Figures of what a user must know before trusting a surrogate: risk against coverage, and endurance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemnet.figure_style import COLOURS, GREY, figure_style, paper_figure, positive
from chemnet.plots.benchmark_figures import mark_promise
from chemnet.plots.labels import plain_log_ticks

_STATES, _SPECIES = "states, by the surrogate's trust", "species by species, by its trust"


def draw_risk_coverage(trust: Mapping[str, Any]) -> Figure:
    """Draw the error of the kept states against the share kept, and expected beside true errors.

    Bands and bars are standard errors, from leaving groups of tracers out
    (`chemnet.evaluation.risk_coverage`).

    Parameters
    ----------
    trust
        The `trust` of `metrics.json`.
    """
    with figure_style():
        figure = paper_figure(75.0)
        mean, extreme, reliability = figure.subplots(1, 3)
        for axis, name, label in ((mean, "mlae", "mLAE"), (extreme, "lae99", "LAE99")):
            _draw_curve(axis, trust, name, label)
        mean.set_title("mean error of what is kept")
        extreme.set_title("its 99th percentile")
        _draw_reliability(reliability, trust)
        handles, labels = mean.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        figure.suptitle("What trust is worth: the full rollout without what is trusted least")
    return figure


def draw_long_rollout(endurance: Mapping[str, Any]) -> Figure:
    """Draw how much cells change per step, and how far their elements drift, over a very long rollout.

    Parameters
    ----------
    endurance
        The `long_rollout` of `metrics.json`.
    """
    # benchmarks of before do not say how long a step is
    years = endurance.get("step_years")
    place = np.array(endurance["step"]) * (1.0 if years is None else years / 1e3)
    with figure_style():
        figure = paper_figure(72.0)
        change, drift = figure.subplots(1, 2)
        _draw_change(change, place, endurance)
        drift.loglog(place, positive(endurance["drift"]), color=COLOURS[0])
        mark_promise(drift)
        drift.set(ylabel="largest relative drift of any element", title="are elements kept?")
        for axis in (change, drift):
            axis.set_xlabel("step" if years is None else "time under constant parameters [kyr]")
            axis.axvline(place[-1] / 10.0, color=GREY, lw=0.6, ls="--")
            axis.grid()
            axis.annotate(
                "tracers end", (place[-1] / 10.0, 0.98), xycoords=("data", "axes fraction"),
                rotation=90, ha="right", va="top", fontsize="small", color=GREY,
            )  # fmt: skip
        figure.suptitle(f"{endurance['cells']} cells over {endurance['steps']} steps of constant parameters")
    return figure


def _draw_change(axis: Axes, place: Any, endurance: Mapping[str, Any]) -> None:
    """Draw the change per step, and write the figures of the table at their places."""
    change = np.array(endurance["change"])
    if "worst_change" in endurance:
        axis.loglog(
            place,
            positive(endurance["worst_change"]),
            color=COLOURS[1],
            lw=0.8,
            label="cell that changes most",
        )
    axis.loglog(place, positive(change), color=COLOURS[0], label="mean over cells")
    axis.set(ylabel="change of log10 abundances per step,\nmean over species [dex]")
    axis.set_title("does it come to rest?")
    late = np.flatnonzero(np.array(endurance["step"]) > endurance["steps"] / 10.0)
    largest = late[change[late].argmax()]
    for row, words in ((largest, "at most, beyond the tracers"), (len(change) - 1, "at the end")):
        if change[row] > 0.0:
            axis.plot(
                place[row], change[row], "o", color=COLOURS[0], ms=3, label=f"{change[row]:.1e} {words}"
            )
    axis.legend()


def _draw_curve(axis: Axes, trust: Mapping[str, Any], name: str, label: str) -> None:
    """Draw one error against coverage, beside the best that any order could give and none at all."""
    coverage = 100.0 * np.array(trust["coverage"])
    oracle: dict[str, Any] = {"color": COLOURS[2], "ls": "--", "label": "states, by their true error"}
    axis.plot(coverage, trust[f"oracle_{name}"], **oracle)
    for curves, colour, words in (
        (trust, COLOURS[0], _STATES),
        (trust.get("by_species"), COLOURS[3], _SPECIES),
    ):
        if curves is None:
            continue
        values, error = np.array(curves[name]), curves.get(f"{name}_error")
        axis.plot(coverage, values, color=colour, lw=1.6, label=words)
        if error is not None:
            low, high = np.maximum(values - error, 0.0), values + error
            axis.fill_between(coverage, low, high, color=colour, alpha=0.2, lw=0)
    axis.axhline(trust[name][-1], color=GREY, lw=0.8, ls=":", label="at random")
    axis.set(xlabel="kept [%]", ylabel=f"{label} of what is kept [dex]")
    axis.set(xlim=(0.0, 100.0), ylim=(0.0, None))
    axis.grid()


def _draw_reliability(axis: Axes, trust: Mapping[str, Any]) -> None:
    groups = trust["reliability"]
    expected, found = (np.array([group[name] for group in groups]) for name in ("expected", "found"))
    both = np.concatenate([expected, found])
    limits = (both[both > 0].min(initial=1.0) / 1.4, both.max(initial=1e-3) * 1.4)
    axis.loglog(limits, limits, color=GREY, lw=0.8, ls=":")
    errors = [group.get("found_error") or 0.0 for group in groups]
    axis.errorbar(expected, found, errors, fmt="o-", color=COLOURS[0], elinewidth=0.8)
    axis.set(xlabel="expected error of a state [dex]", ylabel="its true error, mean [dex]")
    axis.set(title="is it honest?", xlim=limits, ylim=limits, aspect="equal")
    plain_log_ticks(axis.xaxis)
    plain_log_ticks(axis.yaxis)
    axis.grid()
