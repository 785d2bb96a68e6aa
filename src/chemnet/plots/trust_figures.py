"""Figures of what a user must know before trusting a surrogate: risk against coverage, and endurance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemnet.plots.benchmark_figures import plain_log_ticks
from chemnet.plots.figures import COLOURS, figure_style

# smaller drifts and changes are drawn at this
_SMALLEST = 1e-9


def draw_risk_coverage(trust: Mapping[str, Any]) -> Figure:
    """Draw the error of the kept states against the share kept, and expected beside true errors.

    Parameters
    ----------
    trust
        The `trust` of `metrics.json`.
    """
    with figure_style():
        figure = Figure(figsize=(12.0, 4.2), layout="constrained")
        mean, extreme, reliability = figure.subplots(1, 3)
        for axis, name, label in ((mean, "mlae", "mLAE"), (extreme, "lae99", "LAE99")):
            _draw_curve(axis, trust, name, label)
        _draw_reliability(reliability, trust)
        handles, labels = mean.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9)
        figure.suptitle("What trust is worth: the full rollout without what is trusted least", fontsize=12)
    return figure


def draw_long_rollout(endurance: Mapping[str, Any]) -> Figure:
    """Draw how much cells change per step, and how far their elements drift, over a very long rollout.

    Parameters
    ----------
    endurance
        The `long_rollout` of `metrics.json`.
    """
    step = np.array(endurance["step"])
    panels = (
        ("change", "mean change of log10 abundances\nper step [dex]", "does it come to rest?"),
        ("drift", "largest relative drift of any element", "are elements kept?"),
    )
    with figure_style():
        figure = Figure(figsize=(10.0, 4.0), layout="constrained")
        for axis, (name, label, title) in zip(figure.subplots(1, 2), panels, strict=True):
            axis.loglog(step, np.maximum(endurance[name], _SMALLEST), color=COLOURS[0])
            axis.axvline(step[-1] / 10.0, color="#888888", lw=0.8, ls="--")
            axis.set(xlabel="step", ylabel=label, title=title)
            axis.grid(alpha=0.25)
            axis.annotate(
                "length of the tracers", (step[-1] / 10.0, 0.98), xycoords=("data", "axes fraction"),
                rotation=90, ha="right", va="top", fontsize=8, color="#666666",
            )  # fmt: skip
        axis.set_ylim(_SMALLEST, 1e-5)
        axis.axhline(1e-6, color="#888888", lw=0.8)
        axis.text(step[0], 1.2e-6, "promised: 1e-6", fontsize=8, color="#666666")
        figure.suptitle(
            f"{endurance['cells']} cells over {endurance['steps']} steps of constant parameters", fontsize=12
        )
    return figure


def _draw_curve(axis: Axes, trust: Mapping[str, Any], name: str, label: str) -> None:
    """Draw one error against coverage, beside the best that any order could give and none at all."""
    coverage = 100.0 * np.array(trust["coverage"])
    axis.plot(coverage, trust[name], color=COLOURS[0], lw=2.2, label="states, by the surrogate's trust")
    axis.plot(
        coverage, trust[f"oracle_{name}"], color=COLOURS[2], ls="--", label="states, by their true error"
    )
    by_species = trust.get("by_species")
    if by_species is not None:
        axis.plot(
            coverage, by_species[name], color=COLOURS[3], lw=2.2, label="species by species, by its trust"
        )
    axis.axhline(trust[name][-1], color="#888888", lw=0.9, ls=":", label="at random")
    axis.set(xlabel="kept [%]", ylabel=f"{label} of what is kept [dex]")
    axis.set(xlim=(0.0, 100.0), ylim=(0.0, None))
    axis.grid(alpha=0.25)


def _draw_reliability(axis: Axes, trust: Mapping[str, Any]) -> None:
    groups = trust["reliability"]
    expected, found = (np.array([group[name] for group in groups]) for name in ("expected", "found"))
    both = np.concatenate([expected, found])
    limits = (both[both > 0].min(initial=1.0) / 1.4, both.max(initial=1e-3) * 1.4)
    axis.loglog(limits, limits, color="#888888", lw=0.9, ls=":")
    axis.loglog(expected, found, "o-", color=COLOURS[0], ms=5)
    axis.set(xlabel="expected error of a state [dex]", ylabel="its true error, mean [dex]")
    axis.set(title="is it honest?", xlim=limits, ylim=limits)
    plain_log_ticks(axis.xaxis)
    plain_log_ticks(axis.yaxis)
    axis.grid(alpha=0.25)
