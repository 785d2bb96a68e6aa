"""The figure of a species' budget names every line, each by another name."""

from __future__ import annotations

import numpy as np

from chemnet.chemistry.solver.species_budget import SpeciesBudget
from chemnet.plots.budget_figures import draw_budget


def test_reactions_that_read_the_same_are_told_apart_and_their_sum_is_named() -> None:
    reactions = ("#CO -> CO (THERM)", "#CO -> CO (DEUVCR)", "CH + O -> CO + H (TWOBODY)")
    fluxes = np.array([[3.0, 3.0], [2.0, 2.0], [1.0, 1.0]])
    budget = SpeciesBudget(
        "CO", np.array([0.0, 1e3]), np.full(2, 1e-5), reactions, fluxes, fluxes.sum(axis=0), np.full(2, 6.0)
    )
    legend = draw_budget(budget).axes[1].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        r"#CO $\rightarrow$ CO (THERM)  50 %",
        r"#CO $\rightarrow$ CO (DEUVCR)  33 %",
        r"CH + O $\rightarrow$ CO + H  17 %",
        "all reactions",
    ]
