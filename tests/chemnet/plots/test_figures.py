"""Figures choose their scales from the data, name their units and leave no state behind."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.plots.figures import Shade, embedding_panels, histograms, panels

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


def test_colour_bars_point_to_what_lies_beyond_them():
    values = np.append(np.linspace(10.0, 20.0, 999), 1e9)
    assert Shade.of(values).extend == "both"
    assert Shade.of(np.repeat([1.0, 2.0], 50)).extend == "neither"
    figure = embedding_panels(rng.random((1000, 2)), {"gasTemp": values}, "map")
    colour_bar = figure.axes[0].collections[0].colorbar
    assert colour_bar.extend == "both"


def test_a_few_strays_do_not_shrink_the_others_and_are_counted():
    embedding = np.vstack([rng.random((999, 2)), [[500.0, 0.5]]])
    figure = embedding_panels(embedding, {"Av": np.arange(1000.0)}, "map")
    assert figure.axes[0].get_xlim()[1] < 2.0
    assert figure.get_suptitle() == "map; 1 outside the view"
    everything = embedding_panels(embedding[:999], {"Av": np.arange(999.0)}, "map")
    assert everything.get_suptitle() == "map"


def test_one_unit_is_as_long_in_both_directions():
    figure = embedding_panels(rng.random((50, 2)) * [10.0, 1.0], {"Av": np.arange(50.0)}, "map")
    assert figure.axes[0].get_aspect() == 1.0


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_no_panel_stays_empty_and_the_last_row_is_centred(count):
    figure, axes = panels(count)
    assert figure.axes == axes
    assert len(axes) == count
    places = [axis.get_position() for axis in axes]
    first, last = ([one for one in places if np.isclose(one.y0, places[end].y0)] for end in (0, -1))
    assert last[0].x0 + last[-1].x1 == pytest.approx(first[0].x0 + first[-1].x1)


def test_states_at_zero_that_a_logarithm_leaves_out_are_counted():
    figure = histograms({"Density": np.append(10 ** rng.uniform(3, 8, 200), [0.0, 0.0])}, "covered")
    assert figure.axes[0].get_title() == "2 states at zero are left out"


def test_labels_of_one_row_of_panels_take_no_room_from_those_of_the_next() -> None:
    figure, axes = panels(5)
    for axis in axes:
        axis.set(ylabel="pca 2", yticks=[0.0, 1.0], yticklabels=["-0.25", "a longer label"])
    figure.draw_without_rendering()  # a layout that does not work out is a warning, and so an error here
    assert min(axis.get_position().width for axis in axes) > 0.05
