"""The figure of simulated tracers: all in grey, their spread, and nothing pinned to the edge of a panel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from chemnet.plots.tracer_figures import draw_simulated


class Made(SimpleNamespace):
    """Tracers of constant abundances, ten to the minus the number of the tracer; one has ended early."""

    physical_names = ("Density", "gasTemp")
    species = ("CO", "HCO+")

    def __len__(self) -> int:
        return 8

    def time(self, tracer: int) -> np.ndarray:
        return np.linspace(0.0, 1e6 if tracer else 1e5, 30)

    def physical(self, tracer: int) -> np.ndarray:
        values = np.full((30, 2), 100.0 * (tracer + 1))
        values[20:, 1] = 10.0 if tracer < 4 else 20.0 + tracer
        return values

    def abundances(self, tracer: int) -> np.ndarray:
        return np.tile([10.0**-tracer, 10.0 ** (-3.0 * tracer)], (30, 1))


def panels() -> dict[str, Any]:
    made: Any = Made()
    return {axis.get_title(): axis for axis in draw_simulated(made).axes if axis.get_visible()}


def test_tracers_are_grey_with_their_median_and_two_bands() -> None:
    panel = panels()["log CO"]
    *tracers, median = panel.lines
    assert len(tracers) == 8
    assert len({line.get_color() for line in tracers}) == 1
    assert len(panel.collections) == 2
    # without the tracer that ended at 0.1 Myr
    assert np.asarray(median.get_ydata())[-1] == -4.0


def test_a_rare_species_leaves_the_panel_and_is_not_lifted() -> None:
    panel = panels()["log HCO$^{+}$"]
    assert min(np.min(line.get_ydata()) for line in panel.lines[:-1]) == -21.0
    assert panel.get_ylim()[0] == -14.0


def test_a_limit_at_which_tracers_stop_is_said() -> None:
    texts = [text.get_text() for text in panels()["log gasTemp [K]"].texts]
    assert texts == ["4 tracers stop at 10"]
    assert not panels()["log CO"].texts
