"""Figures choose their scales from the data, name their units and leave no state behind."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from chemnet.plots.figures import Shade, embedding_panels, histograms, save_figure

rng = np.random.default_rng(0)


def test_wide_ranges_are_logarithmic_and_narrow_ones_linear():
    assert Shade.of(10 ** rng.uniform(3, 8, 500)).logarithmic
    assert not Shade.of(rng.uniform(10, 130, 500)).logarithmic
    assert not Shade.of(np.arange(298) * 3367.0).logarithmic


def test_one_stray_value_does_not_set_the_scale():
    values = np.append(rng.uniform(10, 20, 999), 1e9)
    assert Shade.of(values).high < 21


@pytest.mark.parametrize("values", [np.zeros(5), np.full(3, np.nan), np.array([])])
def test_columns_without_a_range_still_have_a_scale(values):
    shade = Shade.of(values)
    assert shade.high > shade.low


@pytest.mark.parametrize("components", [2, 3])
def test_an_embedding_has_one_labelled_panel_per_column(components):
    columns = {"Density": 10 ** rng.uniform(3, 8, 50), "time": np.arange(50.0)}
    figure = embedding_panels(rng.random((50, components)), columns, "map")
    panels = [axis for axis in figure.axes if axis.get_title()]
    assert [axis.get_title() for axis in panels] == ["Density", "time"]
    assert panels[0].get_xlabel() == "component 1"
    labels = {axis.get_ylabel() for axis in figure.axes}
    assert {"Density [cm$^{-3}$]", "time [kyr]"} <= labels


def test_points_are_coloured_by_their_values():
    values = np.linspace(0, 10, 30)
    figure = embedding_panels(rng.random((30, 2)), {"gasTemp": values}, "map")
    np.testing.assert_array_equal(figure.axes[0].collections[0].get_array(), values)


def test_histograms_count_every_state():
    figure = histograms({"gasTemp": rng.uniform(10, 100, 200)}, "covered")
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == 200


def test_the_style_ends_with_the_figure(tmp_path):
    before = dict(mpl.rcParams)
    save_figure(embedding_panels(rng.random((9, 2)), {"Av": np.arange(9.0)}, "map"), tmp_path / "a.png")
    assert dict(mpl.rcParams) == before


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        save_figure(embedding_panels(np.eye(2), {"Av": np.arange(2.0)}, "map"), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
