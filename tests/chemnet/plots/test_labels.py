"""Words on figures: typeset species, and names beside lines that do not lie on one another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from chemnet.plots.labels import label_lines, typeset_reaction, typeset_species


@pytest.mark.parametrize(
    ("name", "typeset"),
    [
        ("H2O", "H$_{2}$O"),
        ("#CH3OH", "#CH$_{3}$OH"),
        ("@CO", "@CO"),
        ("$H2O", r"\$H$_{2}$O"),
        ("H3+", "H$_{3}^{+}$"),
        ("HCO+", "HCO$^{+}$"),
        ("He++", "He$^{++}$"),
        ("E-", "e$^{-}$"),
        ("c-C3H2", "c-C$_{3}$H$_{2}$"),
        ("CH3(CH2)2OH", "CH$_{3}$(CH$_{2}$)$_{2}$OH"),
        ("H[13C]O+", "H$^{13}$CO$^{+}$"),
        ("O(1D)", "O(1D)"),
        ("PAH{C54H18}-", "PAH$^{-}$"),
    ],
)
def test_counts_are_lowered_and_charges_raised(name: str, typeset: str) -> None:
    assert typeset_species(name) == typeset
    figure = Figure()
    figure.text(0.5, 0.5, typeset)
    figure.draw_without_rendering()  # matplotlib can set it


def test_every_partner_of_a_reaction_is_typeset() -> None:
    assert typeset_reaction("H3+ + CO -> HCO+ + H2") == (
        r"H$_{3}^{+}$ + CO $\rightarrow$ HCO$^{+}$ + H$_{2}$"
    )


def test_names_stand_beside_the_ends_of_their_lines_and_apart() -> None:
    axis = Figure().subplots()
    ends = {"a": 1.0, "b": 1.01, "c": 1.02, "d": 5.0}
    for name, end in ends.items():
        axis.plot([0, 1], [0.0, end], label=name)
    axis.plot([0, 1], [0.0, 3.0], label="unnamed")
    label_lines(axis, {name: name.upper() for name in ends}, gap=0.1)
    heights = {text.get_text(): text.xy[1] for text in axis.texts}
    assert sorted(heights) == ["A", "B", "C", "D"]
    assert all(abs(one - other) > 0.099 for one, other in itertools.combinations(heights.values(), 2))
    assert heights["A"] < heights["B"] < heights["C"] < heights["D"] <= 1.0


def test_a_line_without_a_last_value_keeps_its_name() -> None:
    axis = Figure().subplots()
    axis.plot([0, 1], [1.0, np.nan], label="a")
    axis.plot([0, 1], [np.nan, np.nan], label="b")
    label_lines(axis, {"a": "a", "b": "b"})
    assert {text.get_text() for text in axis.texts} == {"a", "b"}
