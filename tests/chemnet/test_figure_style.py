"""One style for every figure, PDFs on request, and no global state."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from chemnet.config import load_config
from chemnet.figure_style import WIDTH, figure_style, paper_figure, positive, save_figure


@pytest.fixture
def figure() -> mpl.figure.Figure:
    with figure_style():
        made = paper_figure(40.0)
        made.subplots().plot([1, 2], label="a line")
    return made


def test_a_figure_is_180_mm_wide_with_text_of_7_to_9_points(figure: mpl.figure.Figure) -> None:
    assert pytest.approx(180 / 25.4) == WIDTH
    assert figure.get_figwidth() == WIDTH
    with figure_style():
        sizes = {mpl.rcParams[f"{part}.labelsize"] for part in ("axes", "xtick", "ytick")}
        sizes |= {mpl.rcParams["axes.titlesize"], mpl.rcParams["legend.fontsize"]}
    assert all(7 <= float(size) <= 9 for size in sizes)


def test_the_style_ends_with_the_block() -> None:
    before = dict(mpl.rcParams)
    with figure_style():
        assert mpl.rcParams["axes.spines.top"] is False
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("wanted", [False, True])
def test_a_pdf_lies_beside_the_picture_where_it_is_asked_for(
    figure: mpl.figure.Figure, tmp_path: Path, wanted: bool
) -> None:
    config = load_config([]).replace({"general.pdf_figures": wanted})
    save_figure(figure, tmp_path / "one.png", config)
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "one.pdf").exists() is wanted


def test_the_same_figure_gives_the_same_bytes(figure: mpl.figure.Figure, tmp_path: Path) -> None:
    config = load_config([]).replace({"general.pdf_figures": True})
    for name in ("one", "other"):
        save_figure(figure, tmp_path / f"{name}.png", config)
    for ending in ("png", "pdf"):
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"other.{ending}").read_bytes()


def test_a_logarithmic_axis_gets_values_as_they_are_or_none() -> None:
    np.testing.assert_array_equal(positive([1e-30, 0.0, -1.0, 2.0]), [1e-30, np.nan, np.nan, 2.0])
